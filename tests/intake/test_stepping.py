"""Histories without times get some: in order, ending together, the same events every time."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from palate.catalog.item import Item
from palate.clock import FixedClock
from palate.events.kinds import Event, Kind
from palate.intake.histories import Histories
from palate.intake.stepping import DAY, LONGEST, in_steps, store_histories
from palate.settings import Settings
from palate.stores import Sources, open_sources

NOON = 20_000.5 * DAY


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Sources]:
    with open_sources(Settings(home=tmp_path)) as sources:
        yield sources


def store(site: Sources, now: float = NOON, **histories: str) -> tuple[int, int]:
    held = {user: list(items) for user, items in histories.items()}
    told = Histories(held, sum(map(len, held.values())))
    return store_histories(told, "view", site, FixedClock(now), lambda *_: None)


def logged(site: Sources) -> list[Event]:
    return [each.event for each in site.log.read(0, 100)]


def test_everybody_ends_today_a_day_a_step(site: Sources) -> None:
    assert store(site, u="abc", v="b") == (4, 3)
    told = [(e.user_id, e.item_id, e.time / DAY, e.kind) for e in logged(site)]
    assert told == [
        ("u", "a", 19_998, Kind.VIEW),
        ("u", "b", 19_999, Kind.VIEW),
        ("u", "c", 20_000, Kind.VIEW),
        ("v", "b", 20_000, Kind.VIEW),
    ]


def test_doing_it_again_adds_nothing_and_a_grown_history_only_its_end(site: Sources) -> None:
    store(site, u="aba", v="b")
    assert store(site, now=NOON + 3 * DAY, u="aba", v="b") == (0, 0)
    assert store(site, now=NOON + 3 * DAY, u="abac", v="b") == (1, 1)
    assert logged(site)[-1].item_id == "c"


def test_items_that_are_known_keep_what_they_say(site: Sources) -> None:
    site.items.put([Item(item_id="a", title="A title")])
    assert store(site, u="ab") == (2, 1)
    assert site.items.find(["a", "b"]) == [Item(item_id="a", title="A title"), Item(item_id="b")]


def test_a_very_long_history_does_not_reach_into_another_age() -> None:
    events = next(in_steps({"u": ["a"] * 30_000}, "view", NOON).batches(30_000))
    assert NOON - LONGEST <= events[0].time < events[1].time < events[-1].time == NOON


def test_times_that_are_known_are_kept(site: Sources) -> None:
    told = Histories({"u": ["a", "b"], "v": ["b"]}, 3, {"u": [NOON - 9, NOON - 2], "v": [NOON - 5]})
    assert store_histories(told, "view", site, FixedClock(NOON), lambda *_: None) == (3, 2)
    kept = [(e.user_id, e.item_id, e.time - NOON) for e in logged(site)]
    assert kept == [("u", "a", -9), ("v", "b", -5), ("u", "b", -2)]
