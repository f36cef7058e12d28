"""A training that is killed goes on where it was, to the very same release."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from time import sleep

import pytest
from msgspec.structs import replace as changed
from tests.training.conftest import START, checkerboard, quick_settings

from palate.catalog.item import Item
from palate.clock import FixedClock
from palate.errors import GateRefused, Unavailable
from palate.events.kinds import Event, Kind
from palate.releases.directory import ReleaseDirectory
from palate.stores import Stores, close, open_stores
from palate.surfaces.home import generators
from palate.training.checkpoint import FOLDER, Begun, Checkpoint, Checkpoints, begun, clear
from palate.training.dataset import current_columns, read_dataset
from palate.training.pipeline import train
from palate.training.report import Report, silent

NOW = START + 1e6
PROGRAM = """
import sys
from pathlib import Path
from tests.training.test_resuming import learn
learn(Path(sys.argv[1]), int(sys.argv[2]))
"""
ROOT = Path(__file__).parents[2]


def learn(home: Path, seeds: int) -> dict[str, str]:
    """Train the site, and tell the release's files by their checksums."""
    settings = quick_settings(home)
    settings = changed(settings, training=changed(settings.training, seeds=seeds))
    stores = open_stores(settings)
    report = train(stores, generators, silent, FixedClock(NOW))
    close(stores)
    assert report.name is not None
    return ReleaseDirectory(home / "releases").manifest(report.name).files


def site(home: Path) -> Path:
    home.mkdir()
    close(checkerboard(home))
    return home


def killed(home: Path, seeds: int, part: str) -> Path:
    """A site whose training was killed once that part had begun to learn."""
    kept = home / FOLDER / f"{part}.pt"
    command = [sys.executable, "-c", PROGRAM, str(home), str(seeds)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as training:
        while not kept.exists():
            assert training.poll() is None
            sleep(0.002)
        os.kill(training.pid, signal.SIGKILL)
    return home


@pytest.mark.parametrize(("seeds", "part"), [(1, "tower"), (2, "tower1"), (2, "refit1")])
def test_a_training_that_was_killed_goes_on_to_the_same_release(
    tmp_path: Path, seeds: int, part: str
) -> None:
    home = killed(site(tmp_path / "killed"), seeds, part)
    assert ReleaseDirectory(home / "releases").names() == []
    late = open_stores(quick_settings(home))  # a live site goes on while nobody trains
    late.log.append(
        [Event(event_id="late", kind=Kind.VIEW, time=NOW, user_id="u1", item_id="i1")], NOW
    )
    close(late)
    assert learn(home, seeds) == learn(site(tmp_path / "undisturbed"), seeds)
    assert not (home / FOLDER).exists()


def test_what_was_begun_long_ago_or_with_another_catalogue_is_begun_anew(tmp_path: Path) -> None:
    stores = checkerboard(tmp_path)
    data, training = read_dataset(stores, silent), stores.settings.training
    kept = Checkpoints.of_run(tmp_path, data, current_columns(stores), training, NOW)
    kept.of("tower").write({"step": 1})
    assert begun(tmp_path, NOW + 3_600, hours=2) == Begun(int(data.events.position.max()), NOW)
    assert begun(tmp_path, NOW + 3_600 * 3, hours=2) is None
    stores.items.put([Item(item_id="i1", title="Something else")])
    other = Checkpoints.of_run(tmp_path, data, current_columns(stores), training, NOW)
    assert other.of("tower").read() is None
    assert Checkpoint(kept.folder / "tower.pt", kept.key).read() == {"step": 1}
    clear(tmp_path)
    clear(tmp_path)
    assert begun(tmp_path, NOW, hours=2) is None
    close(stores)


def stopping(error: BaseException) -> Report:
    """Whoever watches, and ends the training as it is about to be sealed."""

    def tell(phase: str, *_: object) -> None:
        if phase == "publish":
            raise error

    return tell


def later(stores: Stores, many: int) -> None:
    """What comes in meanwhile."""
    seen = [
        Event(event_id=f"late{n}", kind=Kind.VIEW, time=NOW + n, user_id="u1", item_id="i1")
        for n in range(many)
    ]
    stores.log.append(seen, NOW)


def test_a_training_that_was_refused_leaves_nothing_to_go_on_with(tmp_path: Path) -> None:
    stores = checkerboard(tmp_path)
    with pytest.raises(GateRefused):
        train(stores, generators, stopping(GateRefused("a leak")), FixedClock(NOW))
    assert not (tmp_path / FOLDER).exists()
    later(stores, 3)
    report = train(stores, generators, silent, FixedClock(NOW + 60))
    assert report.manifest is not None
    assert report.manifest.log_position == stores.log.end()
    close(stores)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), Unavailable("down")])
def test_a_training_that_was_stopped_is_gone_on_with_and_says_so(
    tmp_path: Path, error: BaseException
) -> None:
    stores = checkerboard(tmp_path)
    end, read = stores.log.end(), stores.log.count()
    with pytest.raises(type(error)):
        train(stores, generators, stopping(error), FixedClock(NOW))
    later(stores, 3)
    told: list[str] = []
    clock = FixedClock(NOW + 60)
    report = train(stores, generators, lambda *each: told.append(each[2]), clock)
    assert report.manifest is not None
    assert report.manifest.log_position == end
    assert f"reads {read:,} of the {read + 3:,} events" in report.sentences[0]
    assert f"delete {tmp_path / FOLDER}" in report.sentences[0]
    assert report.sentences[0] in told
    close(stores)


def test_going_on_and_on_ends_with_the_window_of_the_first(tmp_path: Path) -> None:
    stores = checkerboard(tmp_path)
    hours = stores.settings.training.every_hours
    for at in (0.0, 0.5):
        with pytest.raises(KeyboardInterrupt):
            train(stores, generators, stopping(KeyboardInterrupt()), FixedClock(NOW + at))
    found = begun(tmp_path, NOW + 1.0, hours)
    assert found is not None
    assert found.at == NOW
    later(stores, 1)
    report = train(stores, generators, silent, FixedClock(NOW + 3_600 * hours))
    assert report.manifest is not None
    assert report.manifest.log_position == stores.log.end()
    close(stores)
