"""What every ranker promises."""

import numpy as np
import pytest
from hypothesis import given

from palate.funnel.stages import Ranker
from palate.funnel.types import Pool, Query
from palate.testing.queries import pools, queries, shared
from palate.testing.tiny import tiny_stores


class RankerContract:
    """Everything a ranker must do to decide an order."""

    @pytest.fixture
    def component(self) -> type[Ranker]:
        raise NotImplementedError

    @shared
    @given(query=queries(), pool=pools())
    def test_gives_one_finite_number_per_row(
        self, component: type[Ranker], query: Query, pool: Pool
    ) -> None:
        ranker = component.default(tiny_stores())
        scores = ranker.score(query, pool, np.zeros((len(pool), len(ranker.reads)), np.float32))
        assert scores.shape == (len(pool),)
        assert np.isfinite(scores).all()

    @shared
    @given(query=queries(), pool=pools())
    def test_an_item_is_worth_the_same_wherever_it_stands(
        self, component: type[Ranker], query: Query, pool: Pool
    ) -> None:
        ranker = component.default(tiny_stores())
        features = np.zeros((len(pool), len(ranker.reads)), np.float32)
        forward = ranker.score(query, pool, features)
        order = np.arange(len(pool))[::-1].copy()
        backward = ranker.score(query, pool.take(order), features)
        np.testing.assert_allclose(forward, backward[::-1], rtol=1e-5)
