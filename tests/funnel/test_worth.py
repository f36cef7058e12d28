"""What a rank is worth, and to whom."""

from dataclasses import replace

import numpy as np
import pytest

from palate.funnel.types import Pool
from palate.funnel.worth import SENSIBLE, worth
from palate.ranking.fusion import Fusion
from palate.retrieval.popular import Popular
from palate.retrieval.two_tower import TwoTower
from palate.surfaces.home import home
from palate.testing.tiny import tiny_stores, tiny_world, waited

LEARNT = {"two_tower": 2.0, "ials": 1.0, "popular": 0.0}
"""Weights that were found where everybody had a history."""
NAMES = ("two_tower", "ials", "popular")


def pool() -> Pool:
    ranks = np.array([[1, 2, 3], [0, 0, 1], [0, 1, 2]], np.int16)
    return Pool(np.arange(3, dtype=np.int32), np.ones((3, 3), np.float32), ranks, NAMES)


def test_a_stranger_hears_what_everybody_takes_whatever_was_learnt() -> None:
    told = worth(pool(), LEARNT, 0.0)
    assert not told[:, :2].any(), "nothing goes by a history that there is not"
    np.testing.assert_allclose(told[:, 2], SENSIBLE["popular"] / np.array([13.0, 11.0, 12.0]))


@pytest.mark.parametrize("known", [40.0, float("inf")])
def test_people_with_a_history_are_told_what_was_learnt(known: float) -> None:
    assert not worth(pool(), LEARNT, known)[:, 2].any()


def test_where_nothing_goes_by_a_history_strangers_are_told_the_same() -> None:
    names = ("trending", "popular")
    both = Pool(pool().rows, pool().scores[:, 1:], pool().ranks[:, 1:], names)
    weights = {"trending": 1.0, "popular": 0.01}
    told, known = worth(both, weights, 0.0), worth(both, weights)
    assert (told.argsort(axis=0) == known.argsort(axis=0)).all()
    np.testing.assert_allclose(told[:, 1], 1.5 * known[:, 1])


def test_a_strangers_page_is_in_the_order_of_what_is_popular() -> None:
    stores = tiny_stores()
    query = tiny_world().query("", size=8)
    generators = (Popular.default(stores), TwoTower.default(stores))
    whole = home(stores)
    page = replace(whole, generators=generators, ranker=Fusion(LEARNT), rules=(), credit=LEARNT)
    said = waited(generators[0].generate(query, 100)).rows
    shown = waited(page.answer(query)).slate
    assert shown.rows.tolist() == [row for row in said.tolist() if row in shown.rows][:8]
    assert shown.scores.min() > 0.0
