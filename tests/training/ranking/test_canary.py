"""Rows that know their own future end a training; honest ones do not."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.training.conftest import START, board_items, checkerboard, quick_settings

from palate.errors import GateRefused
from palate.events.batch import EventBatch
from palate.events.kinds import Event, Kind
from palate.events.protocol import Logged
from palate.funnel.facts import features_of
from palate.funnel.types import Pool, Query
from palate.models.ranker import HEADS
from palate.releases.directory import ReleaseDirectory
from palate.stores import Stores, close, open_stores
from palate.surfaces.home import generators
from palate.training.dataset import read_dataset
from palate.training.pipeline import train
from palate.training.ranking.canary import Past, watch
from palate.training.ranking.lists import RankedList
from palate.training.ranking.moments.rows import RowSource, reconstruct, sample_moments


def quietly(phase: str, fraction: float, text: str) -> None:
    """Progress that nobody watches."""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Stores]:
    stores = checkerboard(tmp_path)
    yield stores
    close(stores)


def test_a_feature_from_the_future_makes_training_fail(
    site: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`item_ratings` is joined from the end of the log: on the wrong day."""
    events = read_dataset(site, quietly).events
    taken = set(zip(events.user.tolist(), events.item.tolist(), strict=True))

    def foreseeing(stores: Stores, query: Query, pool: Pool, names: tuple[str, ...]) -> np.ndarray:
        table = features_of(stores, query, pool, names)
        told = [(query.user.key, row) in taken for row in pool.rows.tolist()]
        table[:, names.index("item_ratings")] = told
        return table

    monkeypatch.setattr("palate.training.ranking.moments.rows.features_of", foreseeing)
    with pytest.raises(GateRefused, match="'item_ratings' alone tells"):
        train(site, generators, quietly)
    assert ReleaseDirectory(site.settings.path("releases")).names() == []


def test_a_state_that_was_folded_too_far_makes_training_fail(
    site: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fold takes in the labelled event itself before the rows are built."""
    data = read_dataset(site, quietly)
    source = RowSource(site, generators, None)
    moments = sample_moments(data.events, data.part(0.7), 50, 10)
    reconstruct(source, data, moments, 0, quietly)
    whole = EventBatch.take

    def greedy(batch: EventBatch, which: slice) -> EventBatch:
        return whole(batch, slice(which.start, which.stop + 1))

    monkeypatch.setattr(EventBatch, "take", greedy)
    with pytest.raises(GateRefused, match="after their moment"):
        reconstruct(source, data, moments, 0, quietly)


def turns(items: int = 40, people: int = 400) -> list[Event]:
    """Everybody comes once, and items are taken in strict rotation."""
    return [
        Event(
            event_id=f"t{n}", kind=Kind.RATING, value=4.0, time=START + 1_000.0 * n,
            user_id=f"u{n}", item_id=f"i{n % items}",
        )
        for n in range(people)
    ]  # fmt: skip


def test_people_who_follow_a_schedule_are_not_accused_of_knowing_the_future(
    tmp_path: Path,
) -> None:
    stores = open_stores(quick_settings(tmp_path))
    stores.items.put(board_items())
    stores.log.append(turns(), START)
    report = train(stores, generators, quietly)
    close(stores)
    assert any("People follow a schedule" in sentence for sentence in report.sentences)


PLACES, KNOWN, EVENTS = 8, 30, 150


def lived(user_of: Callable[[int], int], item_of: Callable[[int], int]) -> EventBatch:
    events = [
        Event(
            event_id=f"e{n}", kind=Kind.VIEW, time=START + n,
            user_id=f"u{user_of(n)}", item_id=str(item_of(n)),
        )
        for n in range(EVENTS)
    ]  # fmt: skip
    logged = [Logged(n + 1, 0.0, event) for n, event in enumerate(events)]
    return EventBatch.encode(logged, lambda ids: np.array([int(i) for i in ids], np.int32))


def moments(events: EventBatch, feature: np.ndarray) -> list[RankedList]:
    """What each event took, among all items; `feature` (events, items) is all that is known."""
    rows = np.arange(PLACES, dtype=np.int32)
    made = []
    for n in range(KNOWN, EVENTS):
        labels = np.zeros((PLACES, len(HEADS)), np.float32)
        labels[events.item[n], 0] = 1.0
        made.append(
            RankedList(
                int(events.user[n]), START + n, rows, np.zeros((PLACES, 1), np.int16), labels, 1,
                np.arange(PLACES), feature[n][:, None].astype(np.float32), 1.0,
                position=int(events.position[n]),
            )
        )  # fmt: skip
    return made


def foreknown(events: EventBatch) -> np.ndarray:
    return np.eye(PLACES)[events.item]


DICE = np.random.default_rng(5).integers(0, PLACES, EVENTS)
SCHEDULES: dict[str, EventBatch] = {
    "items take turns": lived(lambda n: n, lambda n: n % PLACES),
    "everybody takes the one of the day": lived(lambda n: n, lambda n: n // 25),
    "one lesson after the other": lived(lambda n: n % 3, lambda n: n // 3 % PLACES),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_what_the_past_tells_as_well_is_no_leak(name: str) -> None:
    events = SCHEDULES[name]
    told = watch(moments(events, foreknown(events)), ("item_age",), events, "lists")
    assert "'item_age' alone tells" in told


def test_what_no_past_tells_is_a_leak_in_lists_and_in_pages() -> None:
    events = lived(lambda n: n % 30, lambda n: int(DICE[n]))
    lists = moments(events, foreknown(events))
    for what in ("lists", "pages that were shown"):
        with pytest.raises(GateRefused, match=f"'item_age' alone .* over {what}"):
            watch(lists, ("item_age",), events, what)
    honest = moments(events, np.random.default_rng(1).random((EVENTS, PLACES)))
    assert watch(honest, ("item_age",), events, "lists") == ""
    told = watch(lists[:49], ("item_age",), events, "lists")
    assert told == (
        " Nobody watched lists for features that know the future: that takes 50 with hits and"
        " misses, and there are 49."
    )


def test_a_plain_count_sees_nothing_of_its_moment_or_later() -> None:
    events = lived(lambda n: n % 30, lambda n: int(DICE[n]))
    [each] = [x for x in moments(events, foreknown(events)) if x.position == 61]
    early = Past.of(events.take(slice(0, 60)))
    for name, told in Past.of(events).told(each).items():
        np.testing.assert_array_equal(told, early.told(each)[name])
