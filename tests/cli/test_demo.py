import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from palate.catalog.item import Item
from palate.cli import demo
from palate.cli.demo import Demo, _bring_history, _say, _site, crowd_of
from palate.cli.output import console
from palate.console.pulse import Training
from palate.errors import BadInput
from palate.events.kinds import Event, Kind
from palate.intake.datasets.dataset import MEMORY, Stored
from palate.intake.datasets.movielens_100k import DATASET
from palate.serving.supervisor import site_roles
from palate.settings import FILE, Settings
from palate.settings_files import load
from palate.stores import open_sources
from palate.testing.simulation.host import hosted


def test_the_site_is_made_once_and_then_left_as_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    assert _site(folder, 20_001).serving.port == 20_001
    (folder / FILE).write_text('[site]\nname = "mine"\n')
    settings = _site(folder, 20_002)
    assert (settings.site.name, settings.serving.port) == ("mine", 20_002)
    assert load(folder, {}).site.name == "mine"


def test_a_port_that_is_taken_is_said_before_anything_is_fetched(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "palate.cli", "demo", "--site", str(tmp_path / "s")]
        done = subprocess.run(
            [*command, "--port", port], capture_output=True, text=True, check=False
        )
    assert done.returncode == 2
    assert port in done.stderr
    assert not (tmp_path / "s").exists()


def test_the_end_of_a_training_is_told_once_and_only_if_it_was_seen_to_run(tmp_path: Path) -> None:
    demo = Demo(Settings(home=tmp_path), 0.0, as_json=False)
    over = Training("done", 1.0, "Release r1 is live.", 1.0)
    assert demo._ended(over, None) is None, "that was another run's"
    assert demo._ended(Training("tower", 0.1, "epoch 1", 2.0), None) is None
    assert demo._ended(over, None) == "Release r1 is live."


@pytest.mark.parametrize("terminal", [False, True])
def test_a_verdict_is_printed_once_with_a_bar_and_without(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    terminal: bool,  # noqa: FBT001  a case of the test
) -> None:
    monkeypatch.setattr(console, "_force_terminal", terminal)
    _say("train", "Release r1 is live.")
    demo = Demo(Settings(home=tmp_path), 0.0, as_json=False)
    told = demo._ended(Training("tower", 0.1, "epoch 1", 1.0), None)
    demo._ended(Training("done", 1.0, "Release r1 is live.", 1.0), told)
    assert capsys.readouterr().err.count("is live.") == 1


def test_with_json_the_facts_are_one_object_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    demo = Demo(Settings(home=tmp_path), 0.0, as_json=True)
    demo._announce("none")
    told = json.loads(capsys.readouterr().out)
    assert told["url"].startswith("http://127.0.0.1:")
    assert told["release"] == "none"


def test_a_site_with_items_of_its_own_is_not_filled_with_films(tmp_path: Path) -> None:
    settings = _site(tmp_path / "own", 20_003)
    with open_sources(settings) as sources:
        sources.items.put([Item(item_id="mine")])
    with pytest.raises(BadInput, match="items of its own"):
        _bring_history(settings)
    with open_sources(settings) as sources:
        assert sources.items.counts() == (1, 1)


def test_a_demo_that_goes_on_says_that_its_history_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = _site(tmp_path / "site", 20_003)
    (settings.home / MEMORY).write_text(f'{{"{DATASET.name}": 0.0}}', "utf-8")
    held = Stored(DATASET.name, 2, 3, 5, new_items=0, new_users=0, new_events=0, moved_seconds=0)
    monkeypatch.setattr(demo, "locate", lambda *_: tmp_path)
    monkeypatch.setattr(demo, "store", lambda *_, **__: held)
    capsys.readouterr()
    _bring_history(settings)
    told = capsys.readouterr().err
    assert told.startswith(
        "looking whether all of movielens-100k is there\nall is there already: 5"
    )
    assert "fetch" not in told


def test_the_crowd_is_a_client_beside_the_roles_of_the_site(tmp_path: Path) -> None:
    settings = _site(tmp_path / "site", 20_003)
    crowd = crowd_of(settings)
    assert crowd.name not in {role.name for role in site_roles(settings)}
    assert "simulate" in crowd.command
    assert "http://127.0.0.1:20003" in crowd.command
    assert crowd.niceness > max(role.niceness for role in site_roles(settings))


def test_the_crowd_fits_itself_to_the_demo_and_looks_at_pages(tmp_path: Path) -> None:
    settings = _site(tmp_path / "site", 20_004)
    with open_sources(settings) as sources:
        sources.items.put([Item(item_id=f"i{n}", title=f"Film {n}") for n in range(60)])
        views = [(f"u{n % 50}", f"i{(n * n) % 60}") for n in range(600)]
        sources.log.append(
            [
                Event(event_id=f"e{n}", kind=Kind.VIEW, time=1e9 + n, user_id=user, item_id=item)
                for n, (user, item) in enumerate((*views, *((f"u{n}", f"i{n}") for n in range(50))))
            ],
            2e9,
        )
    with hosted(settings.home) as url:
        command = [*crowd_of(settings).command]
        command[command.index("--url") + 1] = url
        command[command.index("--rate") + 1] = "20"
        command[command.index("--seconds") + 1] = "2"
        done = subprocess.run([*command, "--json"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["answered"] == told["asked"] > 0
    assert told["events"] > 0
