from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palate.arrays import Rows
from palate.catalog.alike import UNKNOWN, Alike
from palate.errors import CorruptStore
from palate.mapped.files import MappedArrays
from palate.models.covisit import DAY, Covisit
from palate.models.covisit_history import Acts, counted, firsts
from palate.models.covisit_reading import Scaled
from palate.models.covisit_table import layout
from palate.settings import CovisitSettings

ROWS = 12
EVERYTHING = np.ones(ROWS, np.uint8)
NOTHING = np.empty(0, np.int32)
PLAIN = CovisitSettings()
FADING = CovisitSettings(half_life_days=2, window=4, decay=0.8)
"""An epoch of 64 days: the histories below pass through several."""

histories = st.lists(
    st.lists(st.integers(0, ROWS - 1), min_size=1, max_size=14, unique=True),
    min_size=1,
    max_size=6,
)
both = st.sampled_from([PLAIN, FADING])


def rows(*values: int) -> Rows:
    return np.array(values, np.int32)


def when(users: list[list[int]]) -> list[list[float]]:
    """Days: everybody's events are a week apart and begin at their own time."""
    return [[30.0 * u + 7.0 * n for n in range(len(h))] for u, h in enumerate(users)]


def flat(users: list[list[int]]) -> tuple[np.ndarray, Rows, np.ndarray]:
    """All events, user after user, and therefore not in order of time."""
    whose = np.repeat(np.arange(len(users)), [len(h) for h in users])
    times = np.concatenate([np.array(each) for each in when(users)]) * DAY
    return whose, rows(*(item for h in users for item in h)), times


def windows_of(whose: np.ndarray, items: Rows, times: np.ndarray, window: int) -> np.ndarray:
    return firsts(Acts.taking(whose, items, times), window)[1]


def table(users: list[list[int]], setup: CovisitSettings = PLAIN) -> Covisit:
    return counted(Acts.taking(*flat(users)), setup)


def small(cells: int, fewest: int, most: int, capacity: int) -> Covisit:
    return Covisit(MappedArrays.in_memory(layout(cells, fewest, most), capacity), PLAIN)


def fold(covisit: Covisit, *users: list[int]) -> Rows:
    whose, items, times = flat(list(users))
    return covisit.fold(items, windows_of(whose, items, times, covisit.settings.window), times)


def by_definition(users: list[list[int]], s: CovisitSettings) -> tuple[np.ndarray, np.ndarray]:
    """C[a, b] and n_a as the model's docstring defines them, as of the newest event of all."""
    pairs, counts = np.zeros((ROWS, ROWS)), np.zeros(ROWS)
    now = max(max(each) for each in when(users))
    for history, days in zip(users, when(users), strict=True):
        for at, item in enumerate(history):
            worth = 0.5 ** ((now - days[at]) / s.half_life_days) if s.half_life_days else 1.0
            counts[item] += worth
            for g in range(1, min(at, s.window) + 1):
                before = history[at - g]
                pairs[before, item] += worth * g**-s.gamma
                pairs[item, before] += worth * s.back * g**-s.gamma
    return pairs, counts


def scores(users: list[list[int]], history: Rows, s: CovisitSettings) -> np.ndarray:
    pairs, counts = by_definition(users, s)
    damped = np.maximum(counts, 1) ** -s.beta
    return sum(
        s.decay**step * (counts[row] + 2) ** -s.alpha * damped * pairs[row]
        for step, row in enumerate(history[: s.history])
    )


def shares_are_exact(covisit: Covisit, history: Rows, alike: Alike = UNKNOWN) -> None:
    """Each share of a score is what its item gives by itself, of what all of them give."""
    past, alone = covisit.scaled(history), np.zeros((ROWS, ROWS))
    for step, item in enumerate(past.rows):
        one = Scaled(*(each[step : step + 1] for each in past))
        given_to, gave = covisit.score_of(one, EVERYTHING, NOTHING, ROWS, alike)
        alone[given_to, item] += gave
    found, values = covisit.score_of(past, EVERYTHING, NOTHING, ROWS, alike)
    told = covisit.shares(past, found, len(history), alike)
    for row, value, (because, shares) in zip(found, values, told, strict=True):
        assert list(shares) == sorted(shares, reverse=True)
        gave = value * np.bincount(because, shares, ROWS)
        np.testing.assert_allclose(gave, alone[row], rtol=1e-5, atol=1e-9)


@settings(deadline=None, max_examples=60)
@given(histories, both)
def test_scores_are_the_definitions_to_a_millionth(
    users: list[list[int]], setup: CovisitSettings
) -> None:
    history = rows(*users[-1][::-1])
    wanted = scores(users, history, setup)
    found, values = table(users, setup).score(history, EVERYTHING, NOTHING, ROWS)
    assert set(found) == set(np.flatnonzero(wanted > 0))
    np.testing.assert_allclose(values, wanted[found], rtol=1e-6, atol=1e-9)
    assert (np.diff(values) <= 0).all()


@settings(deadline=None, max_examples=50)
@given(histories, both)
def test_the_scores_of_everything_are_the_same_scores(
    users: list[list[int]], setup: CovisitSettings
) -> None:
    covisit, history = table(users, setup), rows(*users[-1][::-1])
    found, values = covisit.score(history, EVERYTHING, NOTHING, ROWS)
    dense = covisit.everything(history, ROWS + 3)
    np.testing.assert_allclose(dense[found], values, rtol=1e-6)
    assert np.count_nonzero(dense) == len(found)


@settings(deadline=None, max_examples=50)
@given(histories, both)
def test_reasons_add_up_to_the_score(users: list[list[int]], setup: CovisitSettings) -> None:
    shares_are_exact(table(users, setup), rows(*users[0][::-1]))


@settings(deadline=None, max_examples=50)
@given(histories, both)
def test_it_does_not_matter_how_the_counting_was_cut(
    users: list[list[int]], setup: CovisitSettings
) -> None:
    one, other = Covisit.in_memory(setup, 4), Covisit.in_memory(setup, 4)
    whose, items, times = flat(users)
    windows = windows_of(whose, items, times, setup.window)
    changed = one.fold(items, windows, times)
    parts = [
        other.fold(items[at : at + 1], windows[at : at + 1], times[at : at + 1])
        for at in range(len(items))
    ]
    assert set(changed) == set(np.concatenate(parts))
    packed = [[each.pack(r) for r in range(each.capacity)] for each in (one, other)]
    assert packed[0] == packed[1]


def test_a_count_loses_half_its_worth_in_a_half_life() -> None:
    setup = CovisitSettings(half_life_days=7, alpha=0, beta=0)
    covisit = Covisit.in_memory(setup)
    fold(covisit, [0, 1])
    fresh = covisit.everything(rows(0), 2)[1]
    later = np.array([14.0 * DAY])
    covisit.fold(rows(5), windows_of(np.array([9]), rows(5), later, setup.window), later)
    assert covisit.everything(rows(0), 2)[1] == pytest.approx(fresh / 2, rel=1e-6)


def test_a_repeated_item_counts_once_and_nobody_else_is_in_ones_window() -> None:
    whose, items = np.array([1, 2, 1, 1]), rows(3, 4, 3, 5)
    covisit = counted(Acts.taking(whose, items, np.zeros(4)), PLAIN)
    assert covisit.table.counts[covisit.slots[:6]].tolist() == [0, 0, 0, 1, 1, 1]
    assert covisit.neighbours(3, 9)[0].tolist() == [5]
    assert covisit.neighbours(4, 9)[0].tolist() == []


def test_what_is_excluded_or_not_servable_is_not_proposed() -> None:
    covisit = table([[0, 1, 2, 3]])
    servable = EVERYTHING.copy()
    servable[2] = 0
    found, _ = covisit.score(rows(0), servable, rows(1), ROWS)
    assert found.tolist() == [3]


def test_equal_scores_go_by_row_also_at_the_cut() -> None:
    covisit = table([[0, 5], [0, 3], [0, 7]])
    found, values = covisit.score(rows(0), EVERYTHING, NOTHING, 2)
    assert found.tolist() == [3, 5]
    assert values[0] == values[1]


def test_an_unknown_item_has_no_neighbours_and_gives_no_score() -> None:
    covisit = table([[0, 1]])
    assert len(covisit.neighbours(-1, 5)[0]) == len(covisit.neighbours(10**6, 5)[0]) == 0
    assert len(covisit.score(rows(-1, 10**6), EVERYTHING, NOTHING, 5)[0]) == 0
    assert covisit.shares(covisit.scaled(rows(0)), rows(10**6)) == [((), ())]


def test_neighbours_are_the_best_first_and_weigh_one_together() -> None:
    covisit = table([[0, 1], [0, 1], [0, 2]])
    found, weights = covisit.neighbours(0, 9)
    assert found.tolist() == [1, 2]
    assert weights.sum() == pytest.approx(1.0)
    assert covisit.neighbours(0, 1)[0].tolist() == [1]


@pytest.mark.parametrize("at_once", [True, False])
def test_a_full_row_gives_up_its_smallest_quarter(at_once: bool) -> None:  # noqa: FBT001
    covisit = small(0, 8, 8, ROWS)
    users = [[0, n] for n in (1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 7, 8, 9)]
    for part in [users] if at_once else [[each] for each in users]:
        fold(covisit, *part)
    assert sorted(covisit.neighbours(0, 9)[0].tolist()) == [1, 2, 3, 4, 5, 8, 9]


def test_a_table_at_its_bound_keeps_the_largest_as_it_grows() -> None:
    covisit = small(16, 2, 8, 2)
    fold(covisit, [0, 1], [0, 1], [1, 0])
    assert covisit.table.rows.shape[1] == 8
    changed = fold(covisit, [0, 7])
    assert (covisit.capacity, covisit.table.rows.shape[1]) == (8, 2)
    assert set(changed) == {0, 1, 7}
    assert set(covisit.neighbours(0, 9)[0]) == {1, 7}
    assert fold(covisit, [0, 6]).tolist() == [0, 6]
    assert set(covisit.neighbours(0, 9)[0]) == {1, 6}


def test_only_items_that_were_taken_have_room_for_neighbours() -> None:
    covisit = small(0, 4, 8, 1_000)
    fold(covisit, [900, 3], [3, 17])
    assert covisit.taken.tolist() == covisit.allotted.tolist() == [3, 17, 900]
    assert covisit.table.rows.shape == (64, 8)
    assert covisit.table.sizes.sum() == 4
    assert not covisit.table.sizes[0]
    assert covisit.table.counts[0] == 0
    assert covisit.pack(5) == small(0, 4, 8, 1).pack(0)


def test_a_table_grows_at_the_event_that_needs_it_not_at_the_batch_that_holds_it() -> None:
    whose, items, times = flat([[0, 1], [0, 2], [0, 3], [0, 1], [0, 2], [0, 7]])
    windows = windows_of(whose, items, times, PLAIN.window)
    packed = []
    for cuts in ([0, 12], [0, 11, 12]):
        covisit = small(16, 2, 4, 4)
        for start, stop in pairwise(cuts):
            part = slice(start, stop)
            covisit.fold(items[part], windows[part], times[part])
        packed.append([covisit.pack(row) for row in range(covisit.capacity)])
    assert packed[0] == packed[1]


@pytest.mark.parametrize("setup", [PLAIN, FADING])
def test_a_packed_item_reads_back(setup: CovisitSettings) -> None:
    covisit = table([[0, 1, 2], [3, 1]], setup)
    other = Covisit.in_memory(setup, 1)
    for row in range(covisit.capacity):
        other.load(row, covisit.pack(row))
    assert [other.pack(r) for r in range(4)] == [covisit.pack(r) for r in range(4)]
    history = rows(0, 3)
    assert (other.everything(history, 4) == covisit.everything(history, 4)).all()


@pytest.mark.parametrize(
    "change",
    [{"window": 3}, {"gamma": 1}, {"back": 0.1}, {"half_life_days": 9}, {"neighbours": 64}],
)
def test_a_record_that_was_counted_with_other_settings_is_refused(change: dict[str, float]) -> None:
    covisit = table([[0, 1]])
    other = Covisit.in_memory(msgspec.structs.replace(PLAIN, **change))
    with pytest.raises(CorruptStore, match=r"other \[covisit\] settings"):
        other.load(0, covisit.pack(0))


def test_settings_that_only_read_take_over_what_was_counted() -> None:
    covisit = table([[0, 1], [2, 1]])
    reading = CovisitSettings(alpha=0.9, beta=0.9, decay=0.1, history=1)
    other = Covisit.in_memory(reading, 4)
    for row in range(3):
        other.load(row, covisit.pack(row))
    wanted = scores([[0, 1], [2, 1]], rows(0, 2), reading)
    np.testing.assert_allclose(other.everything(rows(0, 2), ROWS), wanted, rtol=1e-6)


def test_a_record_that_is_cut_short_is_refused() -> None:
    covisit = table([[0, 1]])
    with pytest.raises(CorruptStore, match="cut short"):
        covisit.load(0, covisit.pack(0)[:-3])


def test_a_reader_follows_the_writer_also_past_its_capacity(tmp_path: Path) -> None:
    reader = Covisit.open(tmp_path)
    writer = Covisit.open(tmp_path, write=True)
    fold(writer, [0, 1])
    assert reader.refresh()
    assert reader.neighbours(0, 3)[0].tolist() == [1]
    fold(writer, [0, 5_000])
    assert reader.refresh()
    assert reader.neighbours(0, 3)[0].tolist() == [1, 5_000]
    assert reader.score(rows(0), np.ones(5_001, np.uint8), NOTHING, 5)[0].tolist() == [1, 5_000]


ALIKE = Alike(
    np.array([[7, 3], [0, -1], *([[-1, -1]] * 5), [0, 11]], np.int32),
    np.array([[0.9, 0.4], [0.5, 0.0], *([[0.0, 0.0]] * 5), [0.9, 0.2]], np.float32),
)
"""Of 0, 1 and 7; row 11 is one that no table of a few items holds."""
LIKENESS = msgspec.structs.replace(PLAIN, content_weight=0.5)
FADING_LIKENESS = msgspec.structs.replace(FADING, content_weight=0.5)


def with_likeness(users: list[list[int]], history: Rows, s: CovisitSettings) -> np.ndarray:
    pairs, counts = by_definition(users, s)
    for row, (others, cosines) in enumerate(zip(*ALIKE, strict=True)):
        pairs[row, others[others >= 0]] += s.content_weight * cosines[others >= 0]
    damped = np.maximum(counts, 1) ** -s.beta
    return sum(
        s.decay**step * (counts[row] + 2) ** -s.alpha * damped * pairs[row]
        for step, row in enumerate(history[: s.history])
    )


@settings(deadline=None, max_examples=50)
@given(histories, st.sampled_from([LIKENESS, FADING_LIKENESS]))
def test_what_is_described_alike_counts_as_pairs_and_reasons_still_add_up(
    users: list[list[int]], setup: CovisitSettings
) -> None:
    covisit, history = table(users, setup), rows(7, *users[0][::-1], 0)
    wanted = with_likeness(users, history, setup)
    found, values = covisit.score(history, EVERYTHING, NOTHING, ROWS, ALIKE)
    assert set(found) == set(np.flatnonzero(wanted > 0))
    np.testing.assert_allclose(values, wanted[found], rtol=1e-6)
    np.testing.assert_allclose(covisit.everything(history, ROWS, ALIKE), wanted, rtol=1e-6)
    shares_are_exact(covisit, history, ALIKE)


def test_an_item_that_nobody_took_has_the_neighbours_that_are_described_like_it() -> None:
    covisit = Covisit.in_memory(LIKENESS, capacity=2)
    found, _ = covisit.score(rows(7), EVERYTHING, NOTHING, ROWS, ALIKE)
    assert found.tolist() == [0, 11]
    assert not covisit.counted_together(7, 0)


def test_without_a_weight_likeness_says_nothing_and_records_stay_readable() -> None:
    users = [[0, 1, 2]]
    for each, other in zip(
        table(users).score(rows(0), EVERYTHING, NOTHING, ROWS, ALIKE),
        table(users).score(rows(0), EVERYTHING, NOTHING, ROWS),
        strict=True,
    ):
        np.testing.assert_array_equal(each, other)
    assert Covisit.in_memory(LIKENESS).counted(table(users).pack(0))
