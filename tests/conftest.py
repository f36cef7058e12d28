"""What holds for all tests."""

import pytest
from hypothesis import settings

settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
"""A machine that is busy with something else fails no test."""

LONGEST = (
    "docs/test_guides.py",
    "cli/test_train.py",
    "training/",
    "e2e/test_chaos.py",
    "e2e/",
    "cli/",
    "streaming/",
)
"""Begun first, so that no process is left with a long file when the others have ended."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first; the rest stays in its order."""

    def turn(item: pytest.Item) -> int:
        path = item.nodeid.removeprefix("tests/")
        return next((n for n, begun in enumerate(LONGEST) if path.startswith(begun)), len(LONGEST))

    items.sort(key=turn)
