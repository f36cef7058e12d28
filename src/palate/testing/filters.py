"""What every filter promises."""

import numpy as np
import pytest
from hypothesis import given

from palate.arrays import Mask, Rows
from palate.funnel.stages import Filter
from palate.funnel.types import Query, Slate
from palate.testing.queries import queries, shared, slates
from palate.testing.tiny import tiny_stores


def kept(part: Filter, query: Query, rows: Rows) -> Mask:
    """The mask, with the columns that the engine would read."""
    return part.keep(query, rows, tiny_stores().columns.read(rows, part.reads))


class FilterContract:
    """Everything a filter must do to be trusted with policy."""

    @pytest.fixture
    def component(self) -> type[Filter]:
        raise NotImplementedError

    @shared
    @given(query=queries(), slate=slates())
    def test_answers_one_truth_per_row(
        self, component: type[Filter], query: Query, slate: Slate
    ) -> None:
        mask = kept(component.default(tiny_stores()), query, slate.rows)
        assert mask.dtype == np.bool_
        assert mask.shape == slate.rows.shape

    @shared
    @given(query=queries(), slate=slates())
    def test_judges_each_row_alone(
        self, component: type[Filter], query: Query, slate: Slate
    ) -> None:
        part = component.default(tiny_stores())
        together = kept(part, query, slate.rows)
        alone = [bool(kept(part, query, slate.rows[i : i + 1])[0]) for i in range(len(slate))]
        assert together.tolist() == alone

    @shared
    @given(query=queries())
    def test_keeps_nothing_that_it_excludes(self, component: type[Filter], query: Query) -> None:
        part = component.default(tiny_stores())
        assert not kept(part, query, part.excludes(query)).any()

    @shared
    @given(query=queries(), slate=slates())
    def test_leaves_its_input_alone(
        self, component: type[Filter], query: Query, slate: Slate
    ) -> None:
        before = slate.rows.copy()
        kept(component.default(tiny_stores()), query, slate.rows)
        np.testing.assert_array_equal(before, slate.rows)
