"""Sums of 32 bits: exact while they can be, right on average beyond."""

import numpy as np
import pytest

from palate.features.counting import grown, rounded
from palate.features.folds import DAY

LIMIT = 2.0**24
"""From here on, a float32 cannot hold every whole number."""
START = 1.7e9


def test_whole_numbers_are_exact_as_long_as_they_fit() -> None:
    held = np.float32(0)
    for n in range(1, 2_000):
        held = grown(held, START, 0.0, 1.0, START + n)
        assert held == n
    assert grown(np.float32(LIMIT - 1), START, 0.0, 1.0, START) == LIMIT
    assert rounded(0.1, START) in {np.float32(0.1), np.nextafter(np.float32(0.1), np.float32(1))}


def test_a_sum_that_is_too_large_for_every_number_goes_on_growing() -> None:
    held, events = np.float32(LIMIT), 40_000
    assert np.float32(held + np.float32(1)) == held, "that is what the toss is for"
    for n in range(events):
        held = grown(held, START, 0.0, 1.0, START + 0.37 * n)
    assert float(held) - LIMIT == pytest.approx(events, rel=0.02)


@pytest.mark.parametrize("start", [1e6, 3e7])
def test_what_many_take_every_second_fades_as_declared(start: float) -> None:
    """30 days of half-life and ten events a second: rounded to the nearest, nothing would fade."""
    rate, step, events = 1.0 / (30 * DAY), 0.1, 40_000
    held, exact = np.float32(start), start
    for n in range(1, events):
        time = START + step * n
        held = grown(held, time - step, rate, 0.0, time)
        exact *= 2.0 ** (-step * rate)
    assert start - float(held) == pytest.approx(start - exact, rel=0.05)


def test_a_toss_falls_the_same_way_each_time() -> None:
    assert {float(rounded(LIMIT + 0.5, START)) for _ in range(9)} == {rounded(LIMIT + 0.5, START)}
    both = {float(rounded(LIMIT + 1.0, START + n)) for n in range(99)}
    assert both == {LIMIT, LIMIT + 2.0}


def test_nothing_grows_beyond_what_can_be_held() -> None:
    largest = np.finfo(np.float32).max
    assert grown(largest, START, 0.0, float(largest), START) == largest
    assert grown(-largest, START, 0.0, -float(largest), START) == -largest


def test_the_first_event_may_be_older_than_1970() -> None:
    assert grown(np.float32(0), 0.0, 1.0 / DAY, 1.0, -9e8) == 1.0
