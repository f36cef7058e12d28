"""What is wrong with a site, or that it runs already, is said before anything is started."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.running import palate
from typer.testing import CliRunner

from palate.cli import check
from palate.errors import BadInput
from palate.serving.environment import READY
from palate.serving.processes.refusing import refusal
from palate.settings import FILE, Settings
from palate.streaming.lock import only_site

WRONG = {
    '[surfaces.home]\n"at_most.capp" = 3': "there is no 'at_most.capp'",
    '[surfaces.hoome]\n"at_most.cap" = 3': "there is no surface 'hoome'",
    '[surfaces.home]\n"at_most.cap" = "x"': "[surfaces.home] at_most.cap: ",
    '[pages.kids]\nrows = ["home", "neww"]': "[pages.kids] there is no surface 'neww'",
    '[plugins]\ngenerators = ["nope"]': "no package brings 'nope'",
    '[stores]\ncatalog = "postgres:x"': "[stores] catalog: unknown scheme",
    '[stores]\nrules = "postgres:x"': "[stores] rules: unknown scheme",
}


def free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return str(probe.getsockname()[1])


@pytest.mark.parametrize(("text", "told"), WRONG.items())
def test_what_would_keep_a_site_from_starting_is_found(
    tmp_path: Path, text: str, told: str
) -> None:
    (tmp_path / FILE).write_text(text, "utf-8")
    done = CliRunner().invoke(check.app, ["--site", str(tmp_path)])
    assert isinstance(done.exception, BadInput)
    assert told in done.exception.detail


def test_a_site_that_can_start_names_its_surfaces(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text('[site]\nname = "shop"\n', "utf-8")
    done = CliRunner().invoke(check.app, ["--site", str(tmp_path)])
    assert done.exit_code == 0
    assert done.output.startswith("shop can start: because_you_watched, ")


@pytest.mark.parametrize("command", ["up", "serve", "demo"])
def test_a_wrong_site_is_refused_in_one_line(tmp_path: Path, command: str) -> None:
    (tmp_path / FILE).touch()
    (tmp_path / "surfaces").mkdir()
    (tmp_path / "surfaces" / "late_night.py").write_text("def late_night(:\n", "utf-8")
    done = palate(command, "--site", str(tmp_path), "--port", free_port())
    assert done.returncode == 2
    assert done.stdout + done.stderr == done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert "late_night.py: SyntaxError in line 1" in done.stderr


@pytest.mark.parametrize("command", ["up", "demo"])
def test_a_site_that_runs_already_is_refused_in_one_line(tmp_path: Path, command: str) -> None:
    (tmp_path / FILE).touch()
    with only_site(Settings(home=tmp_path)):
        done = palate(command, "--site", str(tmp_path), "--port", free_port())
    assert done.returncode == 2
    assert done.stdout + done.stderr == (
        f"palate: {tmp_path} is run by another process already: stop its `palate up` or"
        " `palate demo` first\n"
    )


FAILING = """
from palate.errors import BadInput
from palate.serving.processes.refusing import refusing

with refusing():
    raise BadInput("this is wrong")
"""


def test_a_worker_leaves_its_sentence_to_the_server(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FAILING]
    alone = {name: value for name, value in os.environ.items() if name != READY}
    done = subprocess.run(command, env=alone, capture_output=True, text=True, check=False)
    assert "BadInput: this is wrong" in done.stderr
    with subprocess.Popen(command, env=alone | {READY: str(tmp_path)}) as child:
        assert child.wait() == BadInput.exit_code
    assert refusal(tmp_path, child.pid).read_text("utf-8") == "this is wrong"


def test_a_language_without_words_is_remarked_and_starts(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text('[site]\nlanguage = "xx"\n', "utf-8")
    done = palate("check", "--site", str(tmp_path))
    assert done.returncode == 0
    assert done.stderr.startswith("remark: [site] language = 'xx' has no words for reasons")
    assert "there are de, en, fr, and wording/xx.toml would bring it" in done.stderr
    (tmp_path / FILE).write_text('[site]\nlanguage = "de-AT"\n', "utf-8")
    assert not palate("check", "--site", str(tmp_path)).stderr
