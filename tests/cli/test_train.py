"""`palate train` and `palate releases`, as a person and as a program call them."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from tests.cli.running import within
from tests.training.conftest import QUICK, checkerboard

from palate.cli import learning
from palate.releases.directory import ReleaseDirectory
from palate.serving.environment import TRAINING_MALLOC
from palate.settings import FILE
from palate.stores import close
from palate.training.progress import read_progress

PALATE = [sys.executable, "-m", "palate.cli"]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PALATE, *arguments], capture_output=True, text=True, check=False, timeout=600
    )


def make_site(home: Path) -> Path:
    home.mkdir(exist_ok=True)
    close(checkerboard(home))
    fields = msgspec.to_builtins(QUICK)
    (home / FILE).write_text(
        "[training]\n"
        + "".join(f"{name} = {json.dumps(value)}\n" for name, value in fields.items())
    )
    return home


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, object]]:
    home = make_site(tmp_path_factory.mktemp("site"))
    done = run("train", "--site", str(home), "--json")
    assert done.returncode == 0, done.stderr
    assert "tower:" in done.stderr
    return home, json.loads(done.stdout)


def test_a_training_prints_facts_and_leaves_its_last_word(
    trained: tuple[Path, dict[str, object]],
) -> None:
    home, facts = trained
    assert facts["promoted"] is True
    assert ReleaseDirectory(home / "releases").current() == facts["name"]
    said = read_progress(home)
    assert said is not None
    assert (said.phase, said.fraction) == ("done", 1.0)


def test_releases_are_listed_shown_promoted_and_rolled_back(
    trained: tuple[Path, dict[str, object]],
) -> None:
    home, facts = trained
    site = ("--site", str(home), "--json")
    name = str(facts["name"])
    listed = json.loads(run("releases", "list", *site).stdout)
    assert listed["current"] == name
    assert [row["release"] for row in listed["releases"]] == [name]
    shown = json.loads(within("releases", "show", name, *site).stdout)
    assert shown["name"] == name
    assert shown["files"]
    assert json.loads(within("releases", "promote", name, *site).stdout) == {"current": name}
    back = within("releases", "rollback", *site)
    assert back.returncode == 2
    assert "nothing to go back to" in back.stderr
    unknown = within("releases", "show", "nonsense", *site)
    assert unknown.returncode == 2
    assert "Traceback" not in unknown.stderr


def test_a_trainer_that_waits_has_loaded_no_torch() -> None:
    loading = "import sys, palate.cli.train; from palate.cli.learning import check; check()"
    script = f"{loading}; print('torch' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert told.stdout == b"False\n"


def test_what_training_needs_is_named_before_anything_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / FILE).write_text("")
    monkeypatch.setattr(learning, "BROUGHT", ("json", "torch_that_is_not_there"))
    told = within("train", "--watch", "--site", str(tmp_path))
    assert told.returncode == 2
    assert told.stderr == (
        "palate: training needs torch_that_is_not_there: pip install 'palate[train]'\n"
    )
    assert [file.name for file in tmp_path.iterdir()] == [FILE]


def test_too_little_data_is_one_sentence_and_exit_code_1(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("")
    done = within("train", "--site", str(tmp_path))
    assert done.returncode == 1
    assert "min_events" in " ".join(done.stdout.split())
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_training_that_is_stopped_leaves_no_half_release(tmp_path: Path, number: int) -> None:
    home = make_site(tmp_path)
    file = home / FILE
    file.write_text(file.read_text().replace("epochs = 8\n", "epochs = 100000\n", 1))
    command = [*PALATE, "train", "--site", str(home)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as training:
        assert training.stderr is not None
        assert training.stderr.readline().startswith("read:")
        os.kill(training.pid, number)
        rest = training.stderr.read()
    assert training.returncode != 0
    assert "Traceback" not in rest
    assert ReleaseDirectory(home / "releases").names() == []
    said = read_progress(home)
    assert said is not None
    assert said.phase == "failed"


def test_a_training_runs_under_the_malloc_that_it_needs(tmp_path: Path) -> None:
    home = make_site(tmp_path)
    command = [*PALATE, "train", "--watch", "--site", str(home)]
    clean = {name: value for name, value in os.environ.items() if name != "GLIBC_TUNABLES"}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=clean) as watching:
        assert watching.stderr is not None
        watching.stderr.readline()
        told = Path(f"/proc/{watching.pid}/environ").read_bytes()
        watching.terminate()
        watching.stderr.read()
    assert TRAINING_MALLOC.partition(":")[0].encode() in told  # glibc cuts the rest up in place


def test_the_watch_trains_when_there_is_no_release_and_ends_on_sigterm(tmp_path: Path) -> None:
    home = make_site(tmp_path)
    command = [*PALATE, "train", "--watch", "--site", str(home)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as watching:
        assert watching.stderr is not None
        for line in watching.stderr:
            if "is live" in line:
                break
        watching.terminate()
        rest = watching.stderr.read()
    assert watching.returncode == 0
    assert "Traceback" not in rest
    assert ReleaseDirectory(home / "releases").current()
