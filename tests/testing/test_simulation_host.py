"""A site that is judged by its pages gives all of them, whole and on record."""

from pathlib import Path

from palate.settings_files import load
from palate.testing.simulation.host import UNHURRIED, site


def test_a_hosted_site_neither_hurries_nor_loses_traces(tmp_path: Path) -> None:
    serving = load(site(tmp_path / "site"), UNHURRIED).serving
    assert serving.budget_ms == 0
    assert serving.trace_rate == 1.0
    assert serving.traces_per_second >= 1e6
