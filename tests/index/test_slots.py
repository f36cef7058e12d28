"""Rows told apart, against numpy's sets."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from palate.index.slots import free, once_each, outside, places_of, slot, summed

ROWS = st.lists(st.integers(0, 20_000), max_size=200)


def as_rows(numbers: list[int]) -> np.ndarray:
    return np.array(numbers, np.int32)


@settings(deadline=None)  # the first example compiles
@given(ROWS, ROWS)
def test_what_is_outside_is_what_a_set_does_not_hold(rows: list[int], excluded: list[int]) -> None:
    held = np.unique(as_rows(excluded)).astype(np.int32)
    expected = [row not in set(excluded) for row in rows]
    assert outside(as_rows(rows), held).tolist() == expected


def test_rows_with_the_same_bit_in_the_sieve_are_told_apart() -> None:
    assert outside(as_rows([5, 8197, 16389]), as_rows([8197])).tolist() == [True, False, True]


@settings(deadline=None)  # the first example compiles
@given(ROWS)
def test_sums_of_rows_are_those_of_a_count(rows: list[int]) -> None:
    worth = np.arange(1.0, len(rows) + 1.0)
    taken, sums = summed(as_rows(rows), worth)
    assert taken.tolist() == list(dict.fromkeys(rows))
    expected = np.bincount(as_rows(rows), worth, minlength=1)[taken] if rows else []
    assert sums.tolist() == np.asarray(expected, np.float32).tolist()


def test_a_full_table_still_finds_every_row() -> None:
    rows = as_rows(list(range(0, 64_000, 1_000)))
    table = free(len(rows))
    for place, row in enumerate(rows.tolist()):
        table[slot(table, rows, row)] = place
    assert [int(table[slot(table, rows, row)]) for row in rows.tolist()] == list(range(len(rows)))


@settings(deadline=None)  # the first example compiles
@given(held=st.lists(st.integers(0, 40), unique=True), rows=st.lists(st.integers(0, 40)))
def test_places_among_distinct_rows_and_whether_each_is_there_once(
    held: list[int], rows: list[int]
) -> None:
    places = [held.index(row) if row in held else -1 for row in rows]
    assert places_of(as_rows(held), as_rows(rows)).tolist() == places
    fine = len(set(rows)) == len(rows) and set(rows) <= set(held)
    assert once_each(as_rows(rows), as_rows(held)) == fine
