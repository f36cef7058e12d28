"""What a rank is worth, and to whom."""

from dataclasses import replace

import numpy as np
import pytest

from palate.features.record import UserState
from palate.funnel.types import Pool
from palate.funnel.worth import PATIENCE, SENSIBLE, credits_of, heard, weights_of, worth
from palate.ranking.fusion import Fusion
from palate.retrieval.fresh import Fresh
from palate.retrieval.popular import Popular
from palate.retrieval.two_tower import TwoTower
from palate.surfaces.home import home
from palate.testing.tiny import tiny_row, tiny_stores, tiny_world, waited

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


FITTED = {"two_tower": 1.0, "covisit": 1.0, "popular": 0.0, "trending": 0.0, "fresh": 0.5}
"""As training found them for MovieLens-1M: of what strangers hear, only the newest is left."""


@pytest.mark.parametrize("visitor", ["", "one click", "u1"])
def test_reasons_credit_who_gave_most_to_this_visitor(visitor: str) -> None:
    whole = home(tiny_stores())
    funnel = replace(whole, ranker=Fusion(FITTED), rules=(), credit=FITTED)
    query = tiny_world().query(visitor.replace("one click", "u1"), size=12)
    if visitor == "one click":
        query = replace(query, user=_thin(query.user))
    told = waited(funnel.answer(query))
    found = told.trace.pool
    assert found is not None
    at = {row: n for n, row in enumerate(found.rows.tolist())}
    weights = credits_of(found.generators, FITTED, *heard(query))
    votes = np.where(found.ranks > 0, weights / (PATIENCE + found.ranks), 0.0)
    for row, reason in zip(told.slate.rows.tolist(), told.reasons, strict=True):
        gave = dict(zip(found.generators, votes[at[row]].tolist(), strict=True))
        giver = reason.generator if reason.generator in gave else "covisit"
        assert gave[giver] == max(gave.values()), (row, reason, gave)


def test_a_reason_is_the_first_click_though_the_order_hardly_goes_by_it() -> None:
    names = ("covisit", "popular", "followed")
    told = [credits_of(names, SENSIBLE, known, "newcomer").tolist() for known in (0.0, 1.0)]
    order = weights_of(names, SENSIBLE, 1.0, "newcomer")
    assert told[0][0] == 0.0, "a stranger has no history to be a reason"
    assert told[1][0] == pytest.approx(SENSIBLE["covisit"])
    assert told[1][0] > 3 * order[0]
    assert told[1][1] == order[1]
    assert told[0][2] == pytest.approx(SENSIBLE["followed"]), "who is followed is said"


def _thin(user: UserState) -> UserState:
    """As they were after one act."""
    lists = ("history", "times", "values", "kinds", "signals")
    return replace(user, **{name: getattr(user, name)[:1] for name in lists})


@pytest.mark.parametrize(
    ("item", "kind"), [("drama-0", "fresh"), ("drama-8", "newest"), ("space-9", "newest")]
)
def test_only_what_is_young_is_said_to_be_new(item: str, kind: str) -> None:
    fresh = Fresh.default(tiny_stores())
    assert fresh.explain(tiny_world().query("u1"), tiny_row(item)).kind == kind
