"""Every generator of ours keeps the contract."""

from typing import Any

import pytest

import palate.retrieval
from palate.testing.discovery import components
from palate.testing.generators import GeneratorContract

FOUND = components(palate.retrieval, "generate")


class TestEveryGenerator(GeneratorContract):
    @pytest.fixture(params=FOUND, ids=lambda found: found.__name__)
    def component(self, request: pytest.FixtureRequest) -> type[Any]:
        return request.param


def test_none_can_hide_from_discovery() -> None:
    names = {found.__name__ for found in FOUND}
    assert {"Covisit", "TwoTower", "Content", "Trending", "Popular", "Fresh"} <= names
