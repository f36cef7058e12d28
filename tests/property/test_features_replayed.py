"""Every feature is the same live, in replay and however it is asked for, bit for bit."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tests.property.histories import ITEMS, TIGHT, cut, logs, unhurried
from tests.property.test_replay_is_live import rows_of, worker_on

from palate.arrays import Floats, Mask, Rows
from palate.catalog.columns import ItemColumns
from palate.catalog.item import Item
from palate.catalog.protocol import ItemChange
from palate.catalog.user import session_key, user_key
from palate.events.protocol import Logged
from palate.features.known import Known
from palate.features.online.memory import MemoryOnline
from palate.features.record import UserState
from palate.features.vector import matrix, offered
from palate.streaming.replay import Replay

GENERATORS = ("covisit", "two_tower")
NAMES = offered(GENERATORS)
NOW = 1_500.0
sizes = st.lists(st.integers(1, 7), min_size=1, max_size=5)
visitors = st.sampled_from([user_key("u"), user_key("v"), session_key("s"), user_key("nobody")])


class Vectors(NamedTuple):
    vectors: Floats
    known: Mask
    places: Rows


DICE = np.random.default_rng(5)
VECTORS = Vectors(
    DICE.standard_normal((5, 8), np.float32),
    np.array([True] * 5 + [False], np.bool_),
    np.array([3, 1, 0, 4, 2, -1], np.int32),
)


def columns_of() -> ItemColumns:
    """Half of the items say something of themselves; one row is unknown to the catalogue."""
    columns = ItemColumns.in_memory()
    told = [
        Item(
            item_id=name,
            title=f"title {n % 3}",
            categories=(f"c{n % 2}", "all"),
            creator_id=f"k{n % 3}",
            published_at=500.0 + n,
            regions=("DE",) if n == 1 else (),
        )
        if n % 2
        else Item(item_id=name)
        for n, name in enumerate(ITEMS[:-1])
    ]
    columns.write([ItemChange(n + 1, n, item.item_id, item) for n, item in enumerate(told)])
    columns.codes = np.array([(n % 2, n % 3, 0) for n in range(4)] + [(-1, -1, -1)], np.int16)
    return columns


def asked(known: Known, user: UserState, rows: Sequence[int], names: Sequence[str]) -> Floats:
    """The features of some rows; what the generators said hangs on the row alone."""
    numbers = np.array(rows, np.int32)
    ranks = np.stack([numbers % 3, numbers % 2], axis=1).astype(np.int16)
    scores = np.where(ranks > 0, numbers[:, None] / 7, np.nan).astype(np.float32)
    return matrix(
        names,
        known,
        user=user,
        now=NOW,
        rows=numbers,
        scores=scores,
        ranks=ranks,
        generators=GENERATORS,
    )


def replayed(parts: Sequence[Sequence[Logged]], columns: ItemColumns) -> tuple[Replay, Known]:
    replay = Replay(TIGHT, columns)
    for part in parts:
        replay.fold(part, rows_of)
    return replay, Known(columns, replay.states, replay.covisit, VECTORS)


@unhurried
@given(logs(), sizes, visitors)
def test_what_training_reads_is_what_was_served(
    entries: list[Logged], ways: list[int], who: int
) -> None:
    online, columns = MemoryOnline(), columns_of()
    worker = worker_on(entries, online)
    worker.drain()
    raw = online.user(who)
    live = UserState.nobody() if raw is None else UserState.unpack(who, raw)
    served = Known(columns, worker.states, worker.covisit, VECTORS)
    replay, known = replayed(cut(entries, ways), columns)
    rows = range(len(ITEMS) + 2)
    table = asked(served, live, rows, NAMES)
    assert np.isfinite(table).all()
    assert table.tobytes() == asked(known, replay.user(who), rows, NAMES).tobytes()


@unhurried
@given(logs(), st.permutations(range(40)), st.sets(st.sampled_from(NAMES), min_size=1))
def test_neither_company_nor_order_changes_a_number(
    entries: list[Logged], order: list[int], some: set[str]
) -> None:
    replay, known = replayed([entries], columns_of())
    user = replay.user(user_key("u"))
    whole = asked(known, user, range(40), NAMES)
    assert whole[order].tobytes() == asked(known, user, order, NAMES).tobytes()
    alone = np.concatenate([asked(known, user, [row], NAMES) for row in (0, 7, 39)])
    assert whole[[0, 7, 39]].tobytes() == alone.tobytes()
    names = sorted(some)
    places = [NAMES.index(name) for name in names]
    few = asked(known, user, range(40), names)
    assert np.ascontiguousarray(whole[:, places]).tobytes() == few.tobytes()
