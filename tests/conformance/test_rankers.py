"""Every ranker of ours keeps the contract."""

from typing import Any

import pytest

import palate.ranking
from palate.testing.discovery import components
from palate.testing.rankers import RankerContract

FOUND = components(palate.ranking, "score")


class TestEveryRanker(RankerContract):
    @pytest.fixture(params=FOUND, ids=lambda found: found.__name__)
    def component(self, request: pytest.FixtureRequest) -> type[Any]:
        return request.param


def test_none_can_hide_from_discovery() -> None:
    assert {"Fusion", "Network"} <= {found.__name__ for found in FOUND}
