"""End to end: real processes, real files, a real browser."""

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Name the tests that need a browser, so that a machine without one can leave them out."""
    config.addinivalue_line("markers", "browser: drives /usr/bin/chromium")
