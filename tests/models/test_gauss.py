"""Features on one scale, whatever their unit."""

from pathlib import Path

import numpy as np
import pytest

from palate.arrays import by_column
from palate.models.gauss import KNOTS, TOGETHER, Gauss, alike
from palate.training.ranking.network import CLIP, spread_of

DICE = np.random.default_rng(2)


def test_values_of_any_scale_come_out_alike_and_in_their_order() -> None:
    counts = np.floor(np.exp(DICE.normal(size=4_000) * 3)).astype(np.float32)
    rows = np.stack([counts, counts * 1e-6, counts * 1e3], axis=1)
    scaled = spread_of(rows)(rows)
    np.testing.assert_allclose(scaled[:, 0], scaled[:, 1], atol=1e-3)
    np.testing.assert_allclose(scaled[:, 0], scaled[:, 2], atol=1e-3)
    order = np.argsort(counts, kind="stable")
    assert (np.diff(scaled[order, 0]) >= 0).all()
    assert abs(float(scaled[:, 0].mean())) < 0.2
    assert 0.7 < float(scaled[:, 0].std()) < 1.3


def test_the_compiled_loop_is_straight_lines_between_the_knots() -> None:
    rows = DICE.normal(size=(500, 7)).astype(np.float32)
    curves = spread_of(rows)
    assert curves.places.shape == (7, KNOTS)
    expected = [np.interp(rows[:, f], curves.places[f], curves.values[f]) for f in range(7)]
    np.testing.assert_allclose(curves(rows), np.stack(expected, axis=1), atol=1e-5)


def test_what_lies_beyond_the_seen_is_cut_and_values_next_to_nothing_apart_stay_numbers() -> None:
    rows = np.array([[0.0], [1e-42], [3e-41], [1.0], [2.0]], np.float32)
    wild = np.array([[-1e6], [1e-42], [2e-41], [1e6], [1e-38]], np.float32)
    scaled = spread_of(rows)(wild)
    assert np.isfinite(scaled).all()
    assert np.abs(scaled).max() <= CLIP
    np.testing.assert_array_equal(scaled[[0, 3]], spread_of(rows)(rows[[0, 4]]))


def test_curves_come_back_from_disk_as_they_were(tmp_path: Path) -> None:
    assert Gauss.load(tmp_path) is None
    curves = spread_of(DICE.normal(size=(50, 3)).astype(np.float32))
    curves.save(tmp_path)
    again = Gauss.load(tmp_path)
    assert again is not None
    for ours, theirs in zip(curves, again, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_rows_beyond_what_is_turned_at_once_and_tables_laid_by_column_come_out_alike() -> None:
    rows = DICE.normal(size=(TOGETHER + 30, 3)).astype(np.float32)
    curves = spread_of(rows)
    whole = curves(rows)
    np.testing.assert_array_equal(curves(np.asfortranarray(rows)), whole)
    np.testing.assert_array_equal(curves(rows[-40:]), whole[-40:])


def test_some_columns_of_the_first_rows_alone() -> None:
    rows = DICE.normal(size=(20, 5)).astype(np.float32)
    curves = spread_of(rows)
    which = np.array([4, 1])
    some = curves.ramps().some(by_column(rows), which, 3)
    np.testing.assert_array_equal(some, curves(rows)[:3, which])


@pytest.mark.parametrize(("value", "same"), [(2.0, True), (2.5, False), (np.nan, False)])
def test_columns_are_alike_where_each_holds_one_number(value: float, *, same: bool) -> None:
    columns = np.full((3, 40), 2.0, np.float32)
    columns[1] = np.arange(40)
    columns[2, -1] = value
    assert alike(columns, np.array([0, 2])) is same
