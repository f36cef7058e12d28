"""From votes and heads to one number per item."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from palate.arrays import Floats
from palate.errors import BadInput
from palate.funnel.types import Pool
from palate.models.ranker import HEADS, RankerFacts, RankerModel, Said, Taste
from palate.ranking.fusion import SENSIBLE, Fusion
from palate.ranking.network import Network, best_ranker
from palate.ranking.value import weights_of
from palate.stores import with_release
from palate.testing.tiny import tiny_stores, tiny_world

NO_FEATURES = np.empty((2, 0), np.float32)
POOL = Pool(
    np.array([1, 2], np.int32),
    np.array([[0.5, np.nan], [np.nan, 9.0]], np.float32),
    np.array([[1, 0], [0, 1]], np.int16),
    ("covisit", "popular"),
)


class Learnt:
    """A release of which only the weights and the ranker matter here."""

    content = None

    def __init__(self, fusion: dict[str, float], ranker: Any = None) -> None:
        self.fusion, self.ranker, self.two_tower = fusion, ranker, None


FACTS = RankerFacts(
    features=("item_age_days",),
    means=(0.0,),
    knots={},
    heads=("click", "positive", "negative"),
)


def told(features: Floats, _: Taste | None) -> Said:
    """A ranker that answers what it is told to."""
    return Said(np.tile(np.array([[0.5, 0.2, 0.1]], np.float32), (len(features), 1)))


def test_fusion_weighs_a_vote_by_who_gives_it_and_at_which_rank() -> None:
    beside = replace(tiny_world().query(), seed_item=0)
    scores = Fusion({"covisit": 2.0, "popular": 1.0}).score(beside, POOL, NO_FEATURES)
    np.testing.assert_allclose(scores, [2 / 11, 1 / 11], rtol=1e-6)


def test_fusion_takes_the_weights_that_were_learnt() -> None:
    learnt: Any = Learnt({"covisit": 0.25})
    assert Fusion.default(with_release(tiny_stores(), learnt)).weights == {"covisit": 0.25}
    assert Fusion.default(tiny_stores()).weights == SENSIBLE


def test_the_value_formula_weighs_the_heads() -> None:
    learnt: Any = Learnt({}, RankerModel(FACTS, told))
    ranker = best_ranker(with_release(tiny_stores(), learnt))
    assert isinstance(ranker, Network)
    assert ranker.reads == ("item_age_days",)
    scores = ranker.score(tiny_world().query(), POOL, np.zeros((2, 1), np.float32))
    np.testing.assert_allclose(scores, [0.5 + 0.3 * 0.2 - 0.3 * 0.1] * 2, rtol=1e-6)


def test_a_release_that_went_is_not_held_by_what_the_next_one_sees() -> None:
    stores = tiny_stores()
    assert with_release(stores, None).sight is not stores.sight


def test_without_a_learnt_ranker_fusion_ranks() -> None:
    assert isinstance(best_ranker(tiny_stores()), Fusion)
    refused: Any = Learnt({"covisit": 1.0}, None)
    assert isinstance(best_ranker(with_release(tiny_stores(), refused)), Fusion)


@pytest.mark.parametrize("formula", [{"clicks": 1.0}, {}, {"click": 0.0}])
def test_a_formula_that_names_no_head_says_which_there_are(formula: dict[str, float]) -> None:
    with pytest.raises(BadInput, match="click, view, positive, negative"):
        weights_of(formula, HEADS)
