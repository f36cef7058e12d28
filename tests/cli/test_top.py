"""Watching a site from the shell."""

from tests.cli.running import palate


def test_a_site_that_does_not_run_is_one_line() -> None:
    told = palate("top", "--url", "http://127.0.0.1:1", "--once")
    assert told.returncode == 1
    assert told.stderr.startswith("palate: http://127.0.0.1:1/metrics does not answer")
    assert "palate serve" in told.stderr
