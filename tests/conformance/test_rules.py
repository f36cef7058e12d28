"""Every rule of ours keeps the contract."""

from typing import Any

import pytest

import palate.reranking
from palate.testing.discovery import components
from palate.testing.rules import RuleContract

FOUND = components(palate.reranking, "apply")


class TestEveryRule(RuleContract):
    @pytest.fixture(params=FOUND, ids=lambda found: found.__name__)
    def component(self, request: pytest.FixtureRequest) -> type[Any]:
        return request.param


def test_none_can_hide_from_discovery() -> None:
    assert {"Diversify", "AtMost", "BoostFresh", "Explore"} <= {f.__name__ for f in FOUND}
