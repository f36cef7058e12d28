"""What everybody would be shown counts less, and nothing else changes."""

from pathlib import Path

import numpy as np

from palate.models.everybody import Everybody

ROWS = np.array([0, 1, 0, 2, 0, 1], np.int32)
CLICKS = np.array([0.5, 0.2, 0.5, 0.1, 0.5, 0.2], np.float32)
EVERYBODY = Everybody.of(ROWS, CLICKS, 0.3)


def test_factors_fall_with_what_was_expected_over_all_lists() -> None:
    total = np.array([1.5, 0.4, 0.1])
    mean = np.exp(np.log(total).mean())
    np.testing.assert_allclose(EVERYBODY.factors, (total / mean) ** -0.3, rtol=1e-6)


def test_unknown_rows_and_what_brings_nothing_stay_as_they_are() -> None:
    rows, values = np.array([7, 1, 0], np.int32), np.array([0.4, 0.4, -0.2], np.float32)
    told = EVERYBODY(rows, values)
    assert told[0] == values[0]
    assert told[1] == np.float32(0.4) * EVERYBODY.factors[1]
    assert told[2] == values[2]
    assert Everybody(np.zeros(0, np.float32))(rows, values).tolist() == values.tolist()


def test_a_row_in_between_that_nobody_was_offered_has_factor_one() -> None:
    made = Everybody.of(np.array([0, 2], np.int32), np.array([0.3, 0.1], np.float32), 0.2)
    assert made.factors[1] == 1.0


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert Everybody.load(tmp_path) is None
    EVERYBODY.save(tmp_path)
    again = Everybody.load(tmp_path)
    assert again is not None
    np.testing.assert_array_equal(again.factors, EVERYBODY.factors)
