"""What every constraint on a page promises."""

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from palate.funnel.types import Query, Slate
from palate.reranking.editorial.compose import Compose
from palate.reranking.editorial.constraint import Constraint
from palate.testing.queries import queries, shared, slates, with_columns
from palate.testing.tiny import tiny_stores


class ConstraintContract:
    """Everything a constraint must do to be kept by `Compose` and by exploration."""

    @pytest.fixture
    def component(self) -> type[Constraint]:
        raise NotImplementedError

    @shared
    @given(query=queries(), slate=slates())
    def test_the_page_is_as_long_as_without_it(
        self, component: type[Constraint], query: Query, slate: Slate
    ) -> None:
        rule = Compose((component.default(tiny_stores()),))
        out = rule.apply(query, with_columns(rule, slate))
        assert sorted(out.rows.tolist()) == sorted(slate.rows.tolist())

    @shared
    @given(query=queries(), slate=slates())
    def test_a_page_that_is_in_order_stays_as_it_is(
        self, component: type[Constraint], query: Query, slate: Slate
    ) -> None:
        rule = Compose((component.default(tiny_stores()),))
        once = rule.apply(query, with_columns(rule, slate))
        if not once.relaxed:
            page = rule.apply(query, once).top(query.size)
            assert page.rows.tolist() == once.top(query.size).rows.tolist()

    @shared
    @given(query=queries(), slate=slates(), draw=st.randoms(use_true_random=False))
    def test_exploration_may_take_any_slot_with_whom_it_admits(
        self, component: type[Constraint], query: Query, slate: Slate, draw: Random
    ) -> None:
        constraint = component.default(tiny_stores())
        rule = Compose((constraint,))
        composed = rule.apply(query, with_columns(rule, slate))
        page = min(query.size, len(slate))
        slots = [n for n in range(page) if int(composed.rows[n]) not in composed.marks][1::3]
        admitted = constraint.admits(query, composed, slots)
        assert admitted.dtype == np.bool_
        guests = [at for at in range(page, len(slate)) if admitted[at]]
        draw.shuffle(guests)
        order = list(range(len(slate)))
        for slot, guest in zip(slots, guests, strict=False):
            order[slot], order[guest] = guest, slot
        explored = composed.take(np.array(order, np.intp))
        if not composed.relaxed:
            again = rule.apply(query, explored.top(page))
            assert not again.relaxed
            assert again.rows.tolist() == explored.top(page).rows.tolist()
