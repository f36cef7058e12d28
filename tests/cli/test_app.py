import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
from tests.cli.running import palate, within
from typer.main import get_command
from typer.testing import CliRunner

import palate as package
from palate.cli.app import HERE, NOT_COMMANDS, _framed, _modules, app


def test_every_command_is_listed_with_its_summary() -> None:
    told = palate("--help").stdout
    for file in HERE.glob("*.py"):
        if file.stem not in NOT_COMMANDS:
            assert f" {file.stem.rstrip('_').replace('_', '-')} " in told
    assert "Make a new site: a folder with a commented palate.toml." in told


def test_the_list_of_commands_imports_none_of_them() -> None:
    before = set(sys.modules)
    assert CliRunner().invoke(app, ["--help"]).exit_code == 0
    assert not {name for name in set(sys.modules) - before if name.startswith("palate.cli.")}


def commands(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    """A command and those under it."""
    yield name, command
    for below, each in getattr(command, "commands", {}).items():
        yield from commands(f"{name} {below}", each)


@pytest.mark.parametrize("name", sorted(_modules()))
def test_help_has_an_example_and_says_what_each_option_is_if_it_is_not_given(name: str) -> None:
    whole = get_command(_framed(import_module(f"palate.cli.{_modules()[name]}").app))
    for path, command in commands(name, whole):
        told = CliRunner().invoke(app, [*path.split(), "--help"], env={"COLUMNS": "200"})
        assert told.exit_code == 0
        assert f"Example: palate {path}" in told.stdout
        for option in (p for p in command.params if p.param_type_name == "option"):
            assert option.help, f"{path} {option.name}"
            lies_open = option.is_flag or option.default not in {None, ""}
            assert lies_open or isinstance(option.show_default, str), f"{path} {option.name}"


def test_a_command_that_starts_itself_again_is_still_called_palate() -> None:
    assert "Usage: palate evaluate " in palate("evaluate", "--help").stdout


def test_help_is_told_by_the_command_itself() -> None:
    done = palate("import", "--help")
    assert (done.returncode, "Example: palate import" in done.stdout) == (0, True)


def test_the_version_is_told() -> None:
    assert palate("--version").stdout == f"palate {package.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nonsense"], "palate: No such command 'nonsense'; see `"),
        (["serve", "--prot", "1"], "palate: No such option: --prot"),
        (["serve", "--port", "x"], "palate: Invalid value for '--port'"),
        (["recommend", "--limit", "0"], "palate: Invalid value for '--limit'"),
        (["import", "thing", "x"], "palate: Invalid value for 'what': 'thing' is not one of"),
        (["releases", "show"], "palate: Missing argument"),
        (["recommend", "--site", "/nowhere"], "palate: /nowhere is not a site"),
    ],
)
def test_what_is_misused_is_told_in_one_line(arguments: list[str], told: str) -> None:
    done = within(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(told)
    assert len(done.stderr.splitlines()) == 1


def test_lines_of_a_log_stay_whole() -> None:
    script = "from palate.cli.output import console; console.print('word ' * 40)"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)
    assert len(done.stderr.splitlines()) == 1


def test_called_with_nothing_it_tells_its_help() -> None:
    done = palate()
    assert done.returncode == 2
    assert "Usage:" in done.stdout + done.stderr
