"""Every constraint of ours keeps the contract."""

from typing import Any

import pytest

import palate.reranking
from palate.testing.constraints import ConstraintContract
from palate.testing.discovery import components

FOUND = [each for each in components(palate.reranking, "watch") if each.__name__ != "Constraint"]


class TestEveryConstraint(ConstraintContract):
    @pytest.fixture(params=FOUND, ids=lambda found: found.__name__)
    def component(self, request: pytest.FixtureRequest) -> type[Any]:
        return request.param


def test_none_can_hide_from_discovery() -> None:
    assert {"Pin", "InWindow", "AtLeast"} <= {each.__name__ for each in FOUND}
