"""Pages that were really shown: which of their items are taken, left, or unknown."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.training.conftest import START, board_events, checkerboard

from palate.catalog.user import user_key
from palate.events.batch import EventBatch
from palate.events.kinds import Event, Kind, Shown
from palate.events.protocol import Logged
from palate.models.ranker import HEADS
from palate.stores import Stores, close
from palate.surfaces.home import generators
from palate.training.dataset import current_columns, read_dataset
from palate.training.pipeline import _notes, train
from palate.training.ranking.moments.rows import RowSource, reconstruct
from palate.training.ranking.moments.shown import parted, showings, unanswered

HOUR, ITEMS = 3_600.0, ("a", "b", "c", "d", "e", "z")


def quietly(phase: str, fraction: float, text: str) -> None:
    """Progress that nobody watches."""


def page(number: int, time: float, items: Sequence[str] = ITEMS[:5], **who: str) -> Event:
    shown = tuple(Shown(item_id=item, position=at) for at, item in enumerate(items, 1))
    return Event(
        event_id=f"page{number}",
        kind=Kind.IMPRESSION,
        time=time,
        items=shown,
        surface="home",
        **(who or {"user_id": "u"}),
    )


def act(kind: Kind, item: str, time: float, **who: str) -> Event:
    told = who or {"user_id": "u"}
    return Event(event_id=f"{kind}{item}{time}", kind=kind, time=time, item_id=item, **told)


def batch(*events: Event) -> EventBatch:
    logged = [Logged(at, event.time, event) for at, event in enumerate(events, 1)]
    return EventBatch.encode(logged, lambda ids: np.array([ITEMS.index(i) for i in ids], np.int32))


def test_what_stands_below_the_item_after_the_last_one_taken_is_unknown() -> None:
    log = batch(page(1, 0.0), act(Kind.CLICK, "c", 60.0))
    [one] = showings(log, 0, 10, 24 * HOUR)
    assert one.shown is not None
    assert one.places is not None
    assert one.shown.tolist() == [0, 1, 2, 3]
    assert one.places.tolist() == [1, 2, 3, 4]
    assert one.labels == {2: (True, False, False, False)}


def test_outcomes_add_up_and_turning_down_is_no_taking() -> None:
    log = batch(
        page(1, 0.0), act(Kind.CLICK, "b", 5.0), act(Kind.LIKE, "b", 9.0), act(Kind.HIDE, "a", 10.0)
    )
    [one] = showings(log, 0, 10, 24 * HOUR)
    assert dict(zip(HEADS, one.labels[1], strict=True)) == {
        "click": True, "view": True, "positive": True, "negative": False,
    }  # fmt: skip
    assert one.labels[0] == (False, False, False, True)


@pytest.mark.parametrize(
    "after",
    [
        [],
        [act(Kind.HIDE, "a", 5.0)],
        [act(Kind.CLICK, "b", 25 * HOUR)],
        [act(Kind.CLICK, "b", 5.0, user_id="somebody else")],
    ],
    ids=["nothing", "only turned down", "too late", "another visitor"],
)
def test_a_page_from_which_nothing_was_taken_says_nothing(after: list[Event]) -> None:
    assert showings(batch(page(1, 0.0), *after), 0, 10, 24 * HOUR) == []


def test_what_was_done_before_the_page_is_not_its_outcome() -> None:
    log = batch(act(Kind.CLICK, "b", 0.0), page(1, 1.0), act(Kind.CLICK, "c", 2.0))
    [one] = showings(log, 0, 10, 24 * HOUR)
    assert set(one.labels) == {2}


def test_the_newest_pages_are_taken_when_there_are_too_many() -> None:
    told = [
        event
        for n in range(6)
        for event in (page(n, 100.0 * n), act(Kind.CLICK, ITEMS[n % 5], 100.0 * n + 1))
    ]
    pages = showings(batch(*told), 0, 2, 50.0)
    assert [one.now for one in pages] == [400.0, 500.0]
    assert showings(batch(*told), 100, 2, 50.0) == []


def test_a_page_that_was_left_tells_how_often_things_are_taken() -> None:
    gone = [page(9, 9_000.0, user_id="gone"), act(Kind.CLICK, "a", 20_000.0, user_id="gone")]
    stayed = [event for n in range(4) for event in (
        page(n, 100.0 * n, user_id="stays"), act(Kind.CLICK, "z", 100.0 * n + 50, user_id="stays")
    )]  # fmt: skip
    taken = [page(20, 500.0), act(Kind.CLICK, "b", 510.0), act(Kind.SEARCH, "", 520.0)]
    log = batch(*taken, *gone, *stayed)
    pages = showings(log, 0, 10, HOUR)
    assert [each.user for each in pages] == [user_key("u")]
    found = unanswered(log, 0, 10, HOUR, pages)
    assert [each.now for each in found] == [0.0, 100.0, 200.0, 300.0]
    for each in found:
        assert each.shown is not None
        assert each.shown.tolist() == [0, 1, 2], "as far as visitors look"
        assert (each.labels, each.weight) == ({}, 1.0)
    few = unanswered(log, 0, 2, HOUR, pages)
    assert [(each.now, each.weight) for each in few] == [(0.0, 2.0), (300.0, 2.0)]
    assert unanswered(log, 0, 10, HOUR, []) == [], "nobody knows how far they look"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Stores]:
    """The checkerboard, and afterwards pages on which half is of the visitor's kind."""
    stores = checkerboard(tmp_path)
    late = START + HOUR * 400
    told = []
    for n in range(120):
        user, time = f"u{n % 60}", late + 600.0 * n
        items = [f"i{(n * 7 + k) % 40}" for k in range(8)]
        own = next(item for item in items[2:] if int(item[1:]) % 2 == n % 2)
        told.append(page(n, time, items, user_id=user))
        told.append(act(Kind.CLICK, own, time + 5.0, user_id=user))
        told.append(
            page(
                1_000 + n,
                time + 60.0,
                [f"i{(6 * n + 2 * k + (n + 1) % 2) % 40}" for k in range(8)],
                user_id=user,
            )
        )
        told.append(act(Kind.SEARCH, "", time + 70.0, user_id=user))
    stores.log.append(told, late)
    yield stores
    close(stores)


def test_rows_of_a_page_are_exactly_what_was_on_it_as_it_was_known_then(site: Stores) -> None:
    data = read_dataset(site, quietly)
    pages = showings(data.events, 0, 1_000, 24 * HOUR)
    assert len(pages) == 120
    source = RowSource(replace(site, columns=current_columns(site)), generators, None)
    lists = reconstruct(source, data, pages, 0, quietly)
    made, logged = parted(pages, lists)
    assert made == []
    clicks = source.features.index("user_acts")
    for moment, each in zip(pages, logged, strict=True):
        assert moment.shown is not None
        assert each.rows.tolist() == moment.shown.tolist()
        assert each.features.shape == (len(each.rows), len(source.features))
        assert np.isfinite(each.features).all()
        assert each.labels[:, 0].sum() == each.relevant == 1
        assert each.weight == 1.0
        own = data.events.take(slice(0, moment.at))
        acted = int((own.kind[own.user == moment.user] != Kind.IMPRESSION).sum())
        assert np.expm1(each.features[0, clicks]) == pytest.approx(acted, rel=1e-3)


def test_pages_that_were_shown_are_learnt_from_and_counted(site: Stores) -> None:
    report = train(site, generators, quietly)
    assert report.manifest is not None
    assert report.manifest.data["pages_shown"] == 120
    assert report.manifest.data["pages_unanswered"] > 40
    assert report.manifest.data["lists_shown"] == 120
    assert report.manifest.reconstructed
    made = int(report.manifest.data["lists_reconstructed"])
    notes = " ".join(report.manifest.notes)
    assert f"{made:,} of the ranker's lists are reconstructed" in notes
    assert "120 of the ranker's lists are pages that were logged" in notes
    assert user_key("u0") in {int(key) for key in read_dataset(site, quietly).events.user}
    assert len(board_events()) < site.log.count()


def test_a_release_says_where_its_rows_come_from() -> None:
    both = {"lists_reconstructed": 1_200.0, "lists_shown": 30.0}
    assert [note[:5] for note in _notes(both, refitted=True)] == ["1,200", "30 of", "The r"]
    assert [note[:5] for note in _notes({"lists_shown": 30.0}, refitted=False)] == ["30 of"]
    assert _notes({}, refitted=True) == ()
