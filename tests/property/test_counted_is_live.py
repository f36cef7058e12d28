"""Co-visitation that is counted from whole histories is what the stream counts, bit for bit."""

from collections.abc import Sequence

import numpy as np
from hypothesis import given
from tests.property.histories import ITEMS, TIGHT, logs, unhurried

from palate.arrays import Rows
from palate.catalog.columns import ItemColumns
from palate.catalog.user import user_key
from palate.evaluation.split import Case, Split
from palate.evaluation.tuning.covisit import histories
from palate.evaluation.tuning.inside import Inside
from palate.events.kinds import Event, Kind
from palate.events.protocol import Logged
from palate.models.covisit import Covisit
from palate.models.covisit_history import Acts, counted
from palate.settings import Settings
from palate.streaming.replay import Replay
from palate.streaming.state import encode

NOTHING, WHEN = np.empty(0, np.intp), np.empty(0)


def rows_of(ids: Sequence[str]) -> Rows:
    return np.array([ITEMS.index(name) for name in ids], np.int32)


def packed(covisit: Covisit) -> dict[int, bytes]:
    """The records of all items that were counted."""
    return {row: covisit.pack(row) for row in covisit.taken.tolist()}


def both(entries: Sequence[Logged], how: Settings) -> tuple[dict[int, bytes], dict[int, bytes]]:
    """Every item's record, by the stream and counted at once."""
    replay = Replay(how, ItemColumns.in_memory())
    replay.fold(entries, rows_of)
    batch, _ = encode(entries, rows_of)
    acts = Acts.of(batch, np.ones(len(batch), np.bool_))
    at_once = counted(acts, how.covisit, how.streaming.seen_limit)
    return packed(replay.covisit), packed(at_once)


def of_people(entries: Sequence[Logged]) -> list[Logged]:
    """The log without sessions, whose counts hang on when they were claimed, and deletions."""
    named = [entry for entry in entries if entry.event.kind is not Kind.FORGET]
    return [entry for entry in named if entry.event.user_id and not entry.event.session_id]


@unhurried
@given(logs())
def test_whatever_is_repeated_late_or_out_of_order(entries: list[Logged]) -> None:
    live, at_once = both(of_people(entries), TIGHT)
    assert live == at_once


@unhurried
@given(logs())
def test_a_judge_of_settings_asks_for_the_history_that_home_asks_for(entries: list[Logged]) -> None:
    replay, kept = Replay(TIGHT, ItemColumns.in_memory()), of_people(entries)
    replay.fold(kept, rows_of)
    batch, _ = encode(kept, rows_of)
    keys = [user_key(name) for name in "uv"]
    cases = tuple(Case(key, "warm", 0.0, rows_of(""), NOTHING, rows_of("a"), WHEN) for key in keys)
    cut = Split("time", 0.0, np.ones(len(batch), np.bool_), NOTHING, cases)
    asked = histories(Inside(batch, cut, np.ones(len(ITEMS), np.bool_)), cases)
    served = [replay.user(key).engaged(20) for key in keys]
    assert [rows.tolist() for rows in asked] == [rows.tolist() for rows in served]


def test_what_was_looked_at_again_is_nearer_than_what_came_between() -> None:
    told = [("a", Kind.CLICK), ("b", Kind.CLICK), ("a", Kind.VIEW), ("c", Kind.CLICK)]
    entries = [
        Logged(at, 0.0, Event(event_id=str(at), kind=kind, time=at, user_id="u", item_id=item))
        for at, (item, kind) in enumerate(told, start=1)
    ]
    live, at_once = both(entries, Settings())
    assert live == at_once
    batch, _ = encode(entries, rows_of)
    covisit = counted(Acts.of(batch, np.ones(len(batch), np.bool_)), Settings().covisit)
    assert [ITEMS[row] for row in covisit.neighbours(ITEMS.index("c"), 2)[0]] == ["a", "b"]
