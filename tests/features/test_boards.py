from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.features.counters import tell

from palate.catalog.columns import ItemColumns
from palate.catalog.item import Item
from palate.catalog.protocol import ItemChange
from palate.features import boards as boards_module
from palate.features.boards import DEPTH, Leaderboards
from palate.features.folds import DAY, FIRST_AT
from palate.features.items import ItemStates

NOW = 1_000 * DAY


def columns_of(items: list[Item | None]) -> ItemColumns:
    columns = ItemColumns.in_memory(len(items) + 1)
    columns.write([ItemChange(n + 1, n, f"i{n}", item) for n, item in enumerate(items)])
    return columns


def plain(count: int) -> list[Item | None]:
    return [Item(item_id=f"i{n}") for n in range(count)]


def met(first: float = 0.0, at: float = 0.0) -> list[float]:
    """Moments of an item: the newest of each signal, the first act, the last."""
    return [at] * FIRST_AT + [first, 0.0]


def counted(capacity: int, at: float = NOW, **counts: dict[int, float]) -> ItemStates:
    states = ItemStates.in_memory(capacity)
    for name, values in counts.items():
        for row, value in values.items():
            tell(states, row, times=met(at=at), **{name: value})
    states.stamp(newest=at, position=5)
    return states


def built(states: ItemStates, columns: ItemColumns, now: float = NOW) -> Leaderboards:
    boards = Leaderboards.in_memory()
    boards.build(states, columns, now)
    return boards


def test_popular_is_what_is_taken_in_best_first_and_equals_by_row() -> None:
    states = counted(8, engaged_total={1: 5.0, 2: 9.0, 4: 5.0})
    rows, scores = built(states, columns_of(plain(6))).top("popular", 10)
    assert rows.tolist() == [2, 1, 4]
    assert scores[1] == scores[2] > 0


def test_plenty_of_recent_events_outweigh_the_past_and_few_do_not() -> None:
    past = {1: 1_000.0, 2: 900.0}
    busy = counted(8, engaged_total=past, engaged_7d={1: 1_000.0, 2: 9_000.0})
    quiet = counted(8, engaged_total=past, engaged_7d={2: 1.0})
    columns = columns_of(plain(4))
    assert built(busy, columns).top("popular", 1)[0].tolist() == [2]
    assert built(quiet, columns).top("popular", 1)[0].tolist() == [1]


def test_an_old_history_still_ranks_as_of_its_own_newest_event() -> None:
    states = counted(
        8, at=NOW, engaged_total={1: 2.0, 2: 2.0}, engaged_7d={2: 2.0}, engaged_1d={2: 9.0}
    )
    boards = built(states, columns_of(plain(4)), now=NOW + 10_000 * DAY)
    assert boards.top("popular", 5)[0].tolist() == [2, 1]
    assert boards.top("trending", 5)[0].tolist() == [2]


def test_an_event_of_the_future_does_not_make_the_present_old() -> None:
    states = counted(8, engaged_1d={1: 9.0}, engaged_30d={1: 9.0}, engaged_7d={1: 9.0})
    states.stamp(newest=NOW + 100 * DAY)
    assert built(states, columns_of(plain(4))).top("trending", 5)[0].tolist() == [1]


def test_trending_is_what_rises_with_enough_events_to_say_so() -> None:
    states = counted(
        8, engaged_1d={1: 40.0, 2: 30.0, 3: 1.0}, engaged_30d={1: 1_200.0, 2: 40.0, 3: 1.0}
    )
    assert built(states, columns_of(plain(4))).top("trending", 5)[0].tolist() == [2, 1]


def test_fresh_goes_by_publication_then_first_event_then_row() -> None:
    items = plain(6)
    items[0] = Item(item_id="i0", published_at=NOW - 9 * DAY)
    items[1] = Item(item_id="i1", published_at=NOW - 2 * DAY)
    items[2] = Item(item_id="i2", published_at=NOW + DAY)
    states = counted(8, at=NOW - 5 * DAY)
    tell(states, 3, times=met(first=NOW - 5 * DAY))
    rows, scores = built(states, columns_of(items)).top("fresh", 9)
    assert rows.tolist() == [5, 4, 1, 3, 0]
    assert (np.diff(scores) <= 0).all()


def test_in_a_catalogue_of_the_past_what_nothing_dates_and_nobody_met_is_not_new() -> None:
    items = plain(3)
    items[0] = Item(item_id="i0", published_at=NOW - 9 * DAY)
    states, columns = counted(8), columns_of(items)
    tell(states, 1, times=met(first=NOW - 5 * DAY))
    columns.undated_is_new = False
    assert built(states, columns).top("fresh", 9)[0].tolist() == [1, 0]


def test_what_is_hidden_or_deleted_is_on_no_board() -> None:
    items = plain(4)
    items[1], items[2] = Item(item_id="i1", hidden=True, categories=("c",)), None
    states = counted(8, engaged_total={1: 9.0, 2: 9.0, 3: 1.0}, engaged_1d={1: 9.0, 2: 9.0})
    boards = built(states, columns_of(items))
    assert boards.top("popular", 9)[0].tolist() == [3]
    assert boards.top("trending", 9)[0].tolist() == []
    assert set(boards.top("fresh", 9)[0].tolist()) == {0, 3}
    assert boards.category(0, 9)[0].tolist() == []


def test_categories_and_segments_have_boards_of_their_own() -> None:
    items = [Item(item_id=f"i{n}", categories=("even" if n % 2 == 0 else "odd",)) for n in range(6)]
    states = counted(8, engaged_total={1: 5.0, 2: 4.0, 3: 9.0, 4: 8.0})
    tell(states, 2, segments={7: 3.0})
    tell(states, 1, segments={7: 200.0, **dict.fromkeys(range(20, 30), 1.0)})
    columns = columns_of(items)
    columns.categories[4, 1] = columns.categories[4, 0]
    boards = built(states, columns)
    assert boards.category(columns.category_code("even"), 9)[0].tolist() == [4, 2]
    assert boards.category(columns.category_code("odd"), 9)[0].tolist() == [3, 1]
    assert boards.segment(7, 9)[0].tolist()[:1] == [1]
    for nothing in (boards.category(-1, 9), boards.segment(0, 9), boards.segment(6, 9)):
        assert len(nothing[0]) == len(nothing[1]) == 0


def test_boards_end_at_their_depth_and_at_the_limit() -> None:
    size = DEPTH + 50
    states = counted(size, engaged_total={row: float(row % 7 + 1) for row in range(size)})
    boards = built(states, columns_of(plain(size)))
    rows, scores = boards.top("popular", 10**6)
    assert len(rows) == DEPTH
    assert len(set(rows.tolist())) == DEPTH
    assert (np.lexsort((rows, -scores)) == np.arange(DEPTH)).all()
    assert boards.top("popular", 3)[0].tolist() == rows[:3].tolist()


def test_a_reader_sees_whole_boards_and_new_categories(tmp_path: Path) -> None:
    reader, writer = Leaderboards.open(tmp_path), Leaderboards.open(tmp_path, write=True)
    many = [Item(item_id=f"i{n}", categories=(f"c{n}",)) for n in range(700)]
    states = counted(1_024, engaged_total={699: 1.0})
    columns = columns_of(many)
    writer.build(states, columns, NOW)
    assert reader.refresh()
    assert reader.category(columns.category_code("c699"), 5)[0].tolist() == [699]
    assert reader.position == 5
    states.counts[:] = 0
    writer.build(states, columns, NOW)
    assert reader.category(columns.category_code("c699"), 5)[0].tolist() == []


def test_readers_see_the_old_boards_whole_until_the_new_ones_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    columns = columns_of(plain(4))
    boards = built(counted(8, engaged_total={1: 9.0}), columns)
    compute, seen = boards_module._boards, []

    def watched(*given: object) -> Iterator[object]:
        for board in compute(*given):
            yield board
            seen.append(boards.top("popular", 9)[0].tolist())

    monkeypatch.setattr(boards_module, "_boards", watched)
    boards.build(counted(8, engaged_total={2: 9.0}), columns, NOW)
    assert len(seen) > 2
    assert all(rows == [1] for rows in seen)
    assert boards.top("popular", 9)[0].tolist() == [2]


def test_heads_are_those_of_sorting_everything() -> None:
    """Enough items that every board is cut again and again."""
    dice, size = np.random.Generator(np.random.PCG64(3)), 9 * DEPTH
    columns = columns_of(plain(size))
    columns.categories[:size, 0] = dice.integers(0, 2, size)
    columns._category.learn(["a", "b"], 9)
    columns._held.stamp(categories=2)
    columns.servable[:size] = dice.random(size) < 0.8
    states = ItemStates.in_memory(size)
    for row in np.flatnonzero(dice.random(size) < 0.9).tolist():  # the others nobody met
        names = ("engaged_7d", "engaged_total", "engaged_30d", "engaged_1d")
        counts = {name: dice.exponential(10.0) for name in names}
        few = {7: dice.exponential(2.0), **dict.fromkeys(range(20, 20 + row % 9), 1.0)}
        tell(states, row, times=met(at=NOW - dice.exponential(DAY)), segments=few, **counts)
    states.stamp(newest=NOW, position=5)
    boards, rows = built(states, columns), np.flatnonzero(columns.servable[:size])
    recent, ever = (states.decayed(f"engaged_{n}", NOW, rows) for n in ("7d", "total"))
    weight = 0.7 * recent.sum() / (recent.sum() + 1_000.0)
    popular = weight * recent / recent.sum() + (1 - weight) * ever / ever.sum()
    day, month = (states.decayed(f"engaged_{n}", NOW, rows) for n in ("1d", "30d"))
    trend = np.maximum(day - 2 * np.sqrt(day), 0) / (month / 30 + 4)
    own = states.by_segment(NOW, rows)[:, 7].astype(np.float64)
    share = own.sum() / (own.sum() + 200.0)
    in_segment = share * own / own.sum() + (1 - share) * popular
    in_a = np.where(columns.categories[rows, 0] == 0, popular, 0.0)
    for (got, scores), worth in (
        (boards.top("popular", DEPTH), popular),
        (boards.top("trending", DEPTH), trend),
        (boards.segment(7, DEPTH), in_segment),
        (boards.category(0, DEPTH), in_a),
    ):
        best = np.argsort(-worth, kind="stable")[: len(got)]
        assert len(got) == min(DEPTH, np.count_nonzero(worth > 0))
        np.testing.assert_allclose(scores, worth[best], rtol=1e-5)
        assert len(np.intersect1d(got, rows[best])) >= len(got) - 2  # equal to rounding at the cut


def test_rows_are_those_of_any_board_the_high_ones_first() -> None:
    states = counted(8, engaged_total={1: 5.0, 2: 9.0, 4: 5.0})
    boards = built(states, columns_of(plain(6)))
    rows = boards.rows().tolist()
    assert sorted(rows) == list(range(6))
    assert set(rows[:2]) == {2, int(boards.top("fresh", 1)[0][0])}
    assert Leaderboards.in_memory().rows().tolist() == []
