"""What every re-ranking rule promises."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given

from palate.funnel.stages import Rule
from palate.funnel.types import Query, Slate
from palate.testing.queries import queries, shared, slates, with_columns
from palate.testing.tiny import tiny_stores


class RuleContract:
    """Everything a rule must do to compose a page."""

    @pytest.fixture
    def component(self) -> type[Rule]:
        raise NotImplementedError

    @shared
    @given(query=queries(), slate=slates())
    def test_never_invents_or_repeats(
        self, component: type[Rule], query: Query, slate: Slate
    ) -> None:
        rule = component.default(tiny_stores())
        out = rule.apply(query, with_columns(rule, slate)).rows.tolist()
        assert set(out) <= set(slate.rows.tolist())
        assert len(set(out)) == len(out)

    @shared
    @given(query=queries(), slate=slates())
    def test_applying_twice_drops_nothing_more(
        self, component: type[Rule], query: Query, slate: Slate
    ) -> None:
        rule = component.default(tiny_stores())
        once = rule.apply(query, with_columns(rule, slate))
        assert sorted(rule.apply(query, once).rows) == sorted(once.rows)

    @shared
    @given(query=queries(), slate=slates())
    def test_leaves_its_input_alone(
        self, component: type[Rule], query: Query, slate: Slate
    ) -> None:
        rule = component.default(tiny_stores())
        given_slate = with_columns(rule, slate)
        before = slate.rows.copy(), slate.scores.copy()
        rule.apply(query, given_slate)
        np.testing.assert_array_equal(before[0], given_slate.rows)
        np.testing.assert_array_equal(before[1], given_slate.scores)

    @shared
    @given(query=queries(), slate=slates())
    def test_columns_and_scores_stay_with_their_rows(
        self, component: type[Rule], query: Query, slate: Slate
    ) -> None:
        rule = component.default(tiny_stores())
        out = rule.apply(query, with_columns(rule, slate))
        again = tiny_stores().columns.read(out.rows, rule.reads)
        for name in rule.reads:
            np.testing.assert_array_equal(out.columns[name], again[name])
        assert len(out.scores) == len(out)

    @shared
    @given(query=queries(), slate=slates())
    def test_propensities_are_probabilities(
        self, component: type[Rule], query: Query, slate: Slate
    ) -> None:
        rule = component.default(tiny_stores())
        out = rule.apply(query, with_columns(rule, slate))
        if out.propensity is not None:
            assert (out.propensity > 0).all()
            assert (out.propensity <= 1).all()

    def test_says_what_it_is(self, component: type[Any]) -> None:
        assert component.__doc__
