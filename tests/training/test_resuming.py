"""A training that is killed goes on where it was, to the very same release."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from time import sleep

from tests.training.conftest import START, checkerboard, quick_settings

from palate.catalog.item import Item
from palate.clock import FixedClock
from palate.events.kinds import Event, Kind
from palate.releases.directory import ReleaseDirectory
from palate.stores import close, open_stores
from palate.surfaces.home import generators
from palate.training.checkpoint import FOLDER, Checkpoint, Checkpoints, begun
from palate.training.dataset import current_columns, read_dataset
from palate.training.pipeline import train
from palate.training.report import silent

NOW = START + 1e6
PROGRAM = """
import sys
from pathlib import Path
from tests.training.test_resuming import learn
learn(Path(sys.argv[1]))
"""
ROOT = Path(__file__).parents[2]


def learn(home: Path) -> dict[str, str]:
    """Train the site, and tell the release's files by their checksums."""
    stores = open_stores(quick_settings(home))
    report = train(stores, generators, silent, FixedClock(NOW))
    close(stores)
    assert report.name is not None
    return ReleaseDirectory(home / "releases").manifest(report.name).files


def site(home: Path) -> Path:
    home.mkdir()
    close(checkerboard(home))
    return home


def killed(home: Path) -> Path:
    """A site whose training was killed once the towers had begun to learn."""
    kept = home / FOLDER / "tower.pt"
    command = [sys.executable, "-c", PROGRAM, str(home)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as training:
        while not kept.exists():
            assert training.poll() is None
            sleep(0.002)
        os.kill(training.pid, signal.SIGKILL)
    return home


def test_a_training_that_was_killed_goes_on_to_the_same_release(tmp_path: Path) -> None:
    home = killed(site(tmp_path / "killed"))
    assert ReleaseDirectory(home / "releases").names() == []
    late = open_stores(quick_settings(home))  # a live site goes on while nobody trains
    late.log.append(
        [Event(event_id="late", kind=Kind.VIEW, time=NOW, user_id="u1", item_id="i1")], NOW
    )
    close(late)
    assert learn(home) == learn(site(tmp_path / "undisturbed"))
    assert not (home / FOLDER).exists()


def test_what_was_begun_long_ago_or_with_another_catalogue_is_begun_anew(tmp_path: Path) -> None:
    stores = checkerboard(tmp_path)
    data, training = read_dataset(stores, silent), stores.settings.training
    kept = Checkpoints.of_run(tmp_path, data, current_columns(stores), training, NOW)
    kept.of("tower").write({"step": 1})
    assert begun(tmp_path, NOW + 3_600, hours=2) == int(data.events.position.max())
    assert begun(tmp_path, NOW + 3_600 * 3, hours=2) is None
    stores.items.put([Item(item_id="i1", title="Something else")])
    other = Checkpoints.of_run(tmp_path, data, current_columns(stores), training, NOW)
    assert other.of("tower").read() is None
    assert Checkpoint(kept.folder / "tower.pt", kept.key).read() == {"step": 1}
    other.clear()
    other.clear()
    assert begun(tmp_path, NOW, hours=2) is None
    close(stores)
