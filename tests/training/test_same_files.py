"""The same log and seed give the same release, byte for byte, with a ranker that ships."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from msgspec.structs import replace as changed
from tests.training.conftest import QUICK, START, board_items, quick_settings

from palate.clock import FixedClock
from palate.events.kinds import Event, Kind
from palate.releases.directory import ReleaseDirectory
from palate.releases.release import Release
from palate.settings import GateSettings
from palate.stores import close, open_stores
from palate.surfaces.home import generators
from palate.training.pipeline import train
from palate.training.ranking.forms import quantise
from palate.training.report import TrainingReport, silent

KINDS, SHELF, PEOPLE, EACH = 2, 23, 60, 10
"""Two kinds of people and of items; each kind of item lies on a shelf of its own."""


def turns() -> list[Event]:
    """Everybody takes what is next on the shelf of their kind, and they come in any order.

    No generator knows that, but how long ago an item was taken tells it: a ranker has to ship.
    """
    dice = np.random.default_rng(5)
    comers = np.concatenate([dice.permutation(PEOPLE) for _ in range(EACH)]).tolist()
    taken = [0] * KINDS
    told = []
    for n, user in enumerate(comers):
        kind = user % KINDS
        told.append(
            Event(
                event_id=f"e{n}", kind=Kind.RATING, value=4.0, time=START + 900.0 * n,
                user_id=f"u{user}", item_id=f"i{KINDS * (taken[kind] % SHELF) + kind}",
            )
        )  # fmt: skip
        taken[kind] += 1
    return told


class Made(NamedTuple):
    report: TrainingReport
    release: Release


def made(home: Path) -> Made:
    """A training of a site of its own."""
    settings = changed(
        quick_settings(home),
        training=changed(QUICK, horizon=1),
        gate=GateSettings(calibration=1.0),
    )
    stores = open_stores(settings)
    stores.items.put(board_items(KINDS * SHELF))
    stores.log.append(turns(), START)
    report = train(stores, generators, silent, FixedClock(START + 1e6))
    close(stores)
    assert report.name is not None
    return Made(report, ReleaseDirectory(settings.path("releases")).load(report.name))


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Made, Made]]:
    """Two trainings; no stopwatch decides how the network is stored."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quantise, "_time_of", lambda *_: 0.5)
        yield made(tmp_path_factory.mktemp("one")), made(tmp_path_factory.mktemp("other"))


def test_a_ranker_that_has_something_to_learn_ships(both: tuple[Made, Made]) -> None:
    release = both[0].release
    assert release.ranker is not None
    assert release.ranker.features == release.manifest.features != ()
    assert release.manifest.verdicts[-1].shipped
    assert both[0].report.promoted
    names = {name for name in release.manifest.files if name.startswith("ranker/")}
    assert {"ranker/ranker.onnx", "ranker/ranker.json"} < names
    assert any("trees" in name for name in names), "a blend, not a network alone"


def test_the_same_log_and_seed_give_the_same_files(both: tuple[Made, Made]) -> None:
    one, other = (each.release.manifest for each in both)
    assert one.files == other.files
    assert one.metrics == other.metrics
    assert one.verdicts == other.verdicts
