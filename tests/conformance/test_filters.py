"""Every filter of ours keeps the contract."""

from typing import Any

import pytest

import palate.reranking
from palate.testing.discovery import components
from palate.testing.filters import FilterContract

FOUND = components(palate.reranking, "keep")


class TestEveryFilter(FilterContract):
    @pytest.fixture(params=FOUND, ids=lambda found: found.__name__)
    def component(self, request: pytest.FixtureRequest) -> type[Any]:
        return request.param


def test_none_can_hide_from_discovery() -> None:
    assert {"HideSeen", "HidePolicy", "HideSeed"} <= {found.__name__ for found in FOUND}
