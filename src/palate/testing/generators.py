"""What every generator promises. Subclass, give a `component` fixture, done."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from palate.funnel.stages import Generator
from palate.funnel.types import Candidates, Query
from palate.testing.queries import WORLD_SIZE, queries, shared
from palate.testing.tiny import tiny_stores, waited


def proposed(generator: Generator, query: Query, limit: int) -> Candidates:
    """What it says, waited for."""
    return waited(generator.generate(query, limit))


class GeneratorContract:
    """Everything a generator must do to stand in a surface."""

    @pytest.fixture
    def component(self) -> type[Generator]:
        raise NotImplementedError

    @shared
    @given(query=queries(), limit=st.integers(1, 80))
    def test_proposes_known_distinct_servable_items(
        self, component: type[Generator], query: Query, limit: int
    ) -> None:
        found = proposed(component.default(tiny_stores()), query, limit)
        rows = found.rows.tolist()
        assert len(rows) <= limit
        assert len(set(rows)) == len(rows)
        assert all(0 <= row < WORLD_SIZE for row in rows)
        assert tiny_stores().columns.servable[found.rows].all()

    @shared
    @given(query=queries())
    def test_never_proposes_what_is_excluded(
        self, component: type[Generator], query: Query
    ) -> None:
        found = proposed(component.default(tiny_stores()), query, 80)
        assert not set(found.rows.tolist()) & set(query.excluded.tolist())

    @shared
    @given(query=queries())
    def test_never_proposes_what_the_requests_filter_refuses(
        self, component: type[Generator], query: Query
    ) -> None:
        found = proposed(component.default(tiny_stores()), query, 80)
        assert query.matches(found.rows).all()

    @shared
    @given(query=queries())
    def test_scores_are_finite_aligned_and_fall(
        self, component: type[Generator], query: Query
    ) -> None:
        found = proposed(component.default(tiny_stores()), query, 80)
        assert found.rows.dtype == np.int32
        assert found.scores.dtype == np.float32
        assert found.scores.shape == found.rows.shape
        assert np.isfinite(found.scores).all()
        assert (np.diff(found.scores) <= 1e-6).all()

    @shared
    @given(query=queries())
    def test_same_query_same_answer(self, component: type[Generator], query: Query) -> None:
        generator = component.default(tiny_stores())
        once, again = (proposed(generator, query, 50) for _ in range(2))
        np.testing.assert_array_equal(once.rows, again.rows)
        np.testing.assert_array_equal(once.scores, again.scores)

    @shared
    @given(query=queries())
    def test_explains_what_it_proposes(self, component: type[Generator], query: Query) -> None:
        generator = component.default(tiny_stores())
        for row in proposed(generator, query, 5).rows.tolist():
            reason = generator.explain(query, row)
            assert all(0 <= because < WORLD_SIZE for because in reason.rows)
            assert not reason.weights or len(reason.weights) == len(reason.rows)

    @shared
    @given(query=queries())
    def test_explains_a_page_as_it_explains_each(
        self, component: type[Generator], query: Query
    ) -> None:
        generator = component.default(tiny_stores())
        together = getattr(generator, "explain_all", None)
        if together is not None:
            rows = proposed(generator, query, 30).rows.tolist()
            assert together(query, rows) == [generator.explain(query, row) for row in rows]

    def test_says_what_it_is(self, component: type[Any]) -> None:
        assert component.__doc__
