import sys

import pytest
from tests.cli.running import palate
from typer.testing import CliRunner

import palate as package
from palate.cli.app import HERE, NOT_COMMANDS, app


def test_every_command_is_listed_with_its_summary() -> None:
    told = palate("--help").stdout
    for file in HERE.glob("*.py"):
        if file.stem not in NOT_COMMANDS:
            assert f" {file.stem.rstrip('_')} " in told
    assert "Make a new site: a folder with a commented palate.toml." in told


def test_the_list_of_commands_imports_none_of_them() -> None:
    before = set(sys.modules)
    assert CliRunner().invoke(app, ["--help"]).exit_code == 0
    assert not {name for name in set(sys.modules) - before if name.startswith("palate.cli.")}


@pytest.mark.parametrize("command", ["init", "import", "data"])
def test_help_has_an_example(command: str) -> None:
    done = palate(command, "--help")
    assert done.returncode == 0
    assert f"Example: palate {command}" in done.stdout


def test_the_version_is_told() -> None:
    assert palate("--version").stdout == f"palate {package.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nonsense"], "palate: No such command 'nonsense'; see `"),
        (["serve", "--prot", "1"], "palate: No such option: --prot"),
        (["serve", "--port", "x"], "palate: Invalid value for '--port'"),
        (["recommend", "--limit", "0"], "palate: Invalid value for '--limit'"),
        (["releases", "show"], "palate: Missing argument"),
        (["recommend", "--site", "/nowhere"], "palate: /nowhere is not a site"),
    ],
)
def test_what_is_misused_is_told_in_one_line(arguments: list[str], told: str) -> None:
    done = palate(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(told)
    assert len(done.stderr.splitlines()) == 1


def test_called_with_nothing_it_tells_its_help() -> None:
    done = palate()
    assert done.returncode == 2
    assert "Usage:" in done.stdout + done.stderr
