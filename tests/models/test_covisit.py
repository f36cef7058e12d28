from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palate.arrays import Rows
from palate.mapped import MappedArrays
from palate.models.covisit import Covisit, CovisitSettings, layout

WINDOW = CovisitSettings().window
ROWS = 12
EVERYTHING = np.ones(ROWS, np.uint8)
NOTHING = np.empty(0, np.int32)

histories = st.lists(
    st.lists(st.integers(0, ROWS - 1), min_size=1, max_size=14, unique=True),
    min_size=1,
    max_size=6,
)


def rows(*values: int) -> Rows:
    return np.array(values, np.int32)


def windows(history: list[int]) -> np.ndarray:
    """What came before each, newest first, -1 padded."""
    table = np.full((len(history), WINDOW), -1, np.int32)
    for at in range(len(history)):
        before = history[max(at - WINDOW, 0) : at][::-1]
        table[at, : len(before)] = before
    return table


def counted(users: list[list[int]], **bounds: int) -> Covisit:
    covisit = Covisit.in_memory(ROWS, **bounds)
    for history in users:
        covisit.fold(rows(*history), windows(history))
    return covisit


def by_definition(users: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    """C[a, b] and n_a as the model's docstring defines them."""
    s = CovisitSettings()
    pairs, counts = np.zeros((ROWS, ROWS)), np.zeros(ROWS)
    for history in users:
        for at, item in enumerate(history):
            counts[item] += 1
            for g in range(1, min(at, s.window) + 1):
                before = history[at - g]
                pairs[before, item] += g**-s.gamma
                pairs[item, before] += s.back * g**-s.gamma
    return pairs, counts


def scores(users: list[list[int]], history: Rows) -> np.ndarray:
    s = CovisitSettings()
    pairs, counts = by_definition(users)
    damped = np.maximum(counts, 1) ** -s.beta
    return sum(
        s.decay**step * (counts[row] + 2) ** -s.alpha * damped * pairs[row]
        for step, row in enumerate(history[: s.history])
    )


@settings(deadline=None, max_examples=50)
@given(histories)
def test_scores_are_the_definitions(users: list[list[int]]) -> None:
    history = rows(*users[-1][::-1])
    wanted = scores(users, history)
    found, values = counted(users).score(history, EVERYTHING, NOTHING, ROWS)
    assert sorted(found) == np.flatnonzero(wanted > 0).tolist()
    np.testing.assert_allclose(values, wanted[found], rtol=1e-5)
    assert (np.diff(values) <= 0).all()


@settings(deadline=None, max_examples=50)
@given(histories)
def test_reasons_add_up_to_the_score(users: list[list[int]]) -> None:
    covisit, history = counted(users), rows(*users[0][::-1])
    found, values = covisit.score(history, EVERYTHING, NOTHING, ROWS)
    for row, value in zip(found.tolist(), values, strict=True):
        because, parts = covisit.reasons(history, row, limit=ROWS)
        assert np.isclose(parts.sum(), value, rtol=1e-5)
        assert set(because) <= set(history)
        assert (np.diff(parts) <= 0).all()


@settings(deadline=None, max_examples=30)
@given(histories)
def test_it_does_not_matter_how_the_counting_was_cut(users: list[list[int]]) -> None:
    one, other = Covisit.in_memory(4), Covisit.in_memory(4)
    items = rows(*(item for history in users for item in history))
    changed = one.fold(items, np.concatenate([windows(history) for history in users]))
    parts = [
        other.fold(rows(item), windows(history)[at : at + 1])
        for history in users
        for at, item in enumerate(history)
    ]
    assert set(changed) == set(np.concatenate(parts))
    packed = [[each.pack(r) for r in range(each.capacity)] for each in (one, other)]
    assert packed[0] == packed[1]


def test_what_is_excluded_or_not_servable_is_not_proposed() -> None:
    covisit = counted([[0, 1, 2, 3]])
    servable = EVERYTHING.copy()
    servable[2] = 0
    found, _ = covisit.score(rows(0), servable, rows(1), ROWS)
    assert found.tolist() == [3]


def test_equal_scores_go_by_row_also_at_the_cut() -> None:
    covisit = counted([[0, 5], [0, 3], [0, 7]])
    found, values = covisit.score(rows(0), EVERYTHING, NOTHING, 2)
    assert found.tolist() == [3, 5]
    assert values[0] == values[1]


def test_an_unknown_item_has_no_neighbours_and_gives_no_score() -> None:
    covisit = counted([[0, 1]])
    assert len(covisit.neighbours(-1, 5)[0]) == len(covisit.neighbours(10**6, 5)[0]) == 0
    assert len(covisit.score(rows(-1, 10**6), EVERYTHING, NOTHING, 5)[0]) == 0
    assert len(covisit.reasons(rows(0), 10**6)[0]) == 0


def test_neighbours_are_the_best_first_and_weigh_one_together() -> None:
    covisit = counted([[0, 1], [0, 1], [0, 2]])
    found, weights = covisit.neighbours(0, 9)
    assert found.tolist() == [1, 2]
    assert weights.sum() == pytest.approx(1.0)
    assert covisit.neighbours(0, 1)[0].tolist() == [1]


def test_a_full_table_gives_up_its_smallest() -> None:
    covisit = counted([[0, 1], [0, 1], [0, 2], [0, 3]], neighbours=2)
    assert covisit.neighbours(0, 9)[0].tolist() == [1, 3]


def test_a_table_at_its_bound_keeps_the_largest_as_it_grows() -> None:
    covisit = Covisit(MappedArrays.in_memory(layout(cells=16, fewest=2, most=8), 2))
    for history in ([0, 1], [0, 1], [1, 0]):
        covisit.fold(rows(*history), windows(history))
    assert covisit.table.rows.shape == (2, 8)
    changed = covisit.fold(rows(7), windows([0, 7])[1:])
    assert covisit.table.rows.shape == (8, 2)
    assert set(changed) == {0, 1, 7}
    assert set(covisit.neighbours(0, 9)[0]) == {1, 7}
    assert covisit.fold(rows(6), windows([0, 6])[1:]).tolist() == [0, 6]
    assert set(covisit.neighbours(0, 9)[0]) == {1, 6}


def test_a_table_grows_at_the_event_that_needs_it_not_at_the_batch_that_holds_it() -> None:
    users = [[0, 1], [0, 2], [0, 3], [0, 1], [0, 2], [0, 7]]
    items = rows(*(item for history in users for item in history))
    before = np.concatenate([windows(history) for history in users])
    packed = []
    for cuts in ([0, 12], [0, 11, 12]):
        covisit = Covisit(MappedArrays.in_memory(layout(cells=16, fewest=2, most=4), 4))
        for start, stop in pairwise(cuts):
            covisit.fold(items[start:stop], before[start:stop])
        packed.append([covisit.pack(row) for row in range(covisit.capacity)])
    assert packed[0] == packed[1]


def test_a_packed_item_reads_back() -> None:
    covisit = counted([[0, 1, 2], [3, 1]])
    other = Covisit.in_memory(1)
    for row in range(ROWS):
        other.load(row, covisit.pack(row))
    assert [other.pack(r) for r in range(ROWS)] == [covisit.pack(r) for r in range(ROWS)]
    assert len(covisit.pack(11)) == 8


def test_a_reader_follows_the_writer_also_past_its_capacity(tmp_path: Path) -> None:
    reader = Covisit.open(tmp_path)
    writer = Covisit.open(tmp_path, write=True)
    writer.fold(rows(0, 1), windows([0, 1]))
    assert reader.refresh()
    assert reader.neighbours(0, 3)[0].tolist() == [1]
    writer.fold(rows(5_000), windows([0, 5_000])[1:])
    assert reader.refresh()
    assert reader.neighbours(0, 3)[0].tolist() == [1, 5_000]
    assert reader.score(rows(0), np.ones(5_001, np.uint8), NOTHING, 5)[0].tolist() == [1, 5_000]
