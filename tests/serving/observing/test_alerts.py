"""Each alert that we ship fires over series of a site in trouble, and over none of a sound one."""

from math import inf
from pathlib import Path

import pytest
import yaml
from tests.serving.observing.promql import Labels, firing

RULES = yaml.safe_load((Path(__file__).parents[3] / "deploy" / "alerts.yml").read_text("utf-8"))
ALERTS = {rule["alert"]: rule["expr"] for group in RULES["groups"] for rule in group["rules"]}
NOW, MINUTE = 7_200.0, 60.0

Told = dict[tuple[str, Labels], tuple[float, float]]
"""A value an hour ago and what it grew by each minute since."""


def told(name: str, start: float, grows: float = 0.0, **labels: str) -> Told:
    return {(name, frozenset(labels.items())): (start, grows)}


def answers(slow: float = 0.0, step: str = "full", a_minute: float = 6_000.0) -> Told:
    """`a_minute` answers, of which this share takes longer than 50 ms."""
    name, found = "palate_request_duration_seconds", told("", 0.0)
    for le, share in ((0.02, 1.0 - slow), (0.05, 1.0 - slow), (0.1, 1.0), (inf, 1.0)):
        labels = {"surface": "home", "step": step, "le": str(le)}
        found |= told(f"{name}_bucket", 0.0, a_minute * share, **labels)
    return found | told(f"{name}_count", 0.0, a_minute, surface="home", step=step)


def sound() -> Told:
    """A site with four workers on a good day."""
    quiet = (
        ("palate_workers", 4.0),
        ("palate_quality", 1.0),
        ("palate_event_lag_seconds", 0.2),
        ("palate_event_lag_unknown", 0.0),
        ("palate_events_refused", 3.0),
        ("palate_online_used_ratio", 0.4),
        ("palate_shed_total", 12.0),
    )
    found = answers()
    for name, value in quiet:
        found |= told(name, value)
    # Four workers, whose loops are held up for 1 % of the time each.
    held = told("palate_loop_block_seconds_sum", 5.0, 4 * 0.6, what="tick")
    busy = told("palate_loop_block_seconds_sum", 5.0, 120.0, what="funnel")
    full = told("palate_queue", 100.0, queue="traces")
    full |= told("palate_queue_bound", 4_000.0, queue="traces")
    lost = told("palate_background_dropped_total", 7.0, what="trace")
    lost |= told("palate_problems_total", 7.0, 60.0, status="404")
    return found | held | busy | full | lost


TROUBLE: dict[str, Told] = {
    "PalateSlow": answers(slow=0.02),
    "PalateStepsDown": answers(step="popular", a_minute=100.0),
    "PalateStreamBehind": told("palate_event_lag_seconds", 11.0),
    "PalateStreamUnseen": told("palate_event_lag_unknown", 1.0),
    "PalateEventsRefused": told("palate_events_refused", 3.0, 0.1),
    "PalateQueueNearlyFull": told("palate_queue", 3_300.0, queue="traces"),
    "PalateStateNearlyFull": told("palate_online_used_ratio", 0.81),
    "PalateLoopHeldUp": told("palate_loop_block_seconds_sum", 5.0, 4 * 1.5, what="tick"),
    "PalateSheds": told("palate_shed_total", 12.0, 1.0),
    "PalateQualityLow": told("palate_quality", 0.4),
    "PalateLoses": told("palate_background_dropped_total", 7.0, 1.0, what="trace"),
    "PalateFaults": told("palate_problems_total", 0.0, 1.0, status="500"),
    "PalateDown": {},
}


def fires(alert: str, series: Told) -> bool:
    minutes = range(int(NOW / MINUTE) + 1)
    held = {
        key: [(minute * MINUTE, start + grows * minute) for minute in minutes]
        for key, (start, grows) in series.items()
    }
    return bool(firing(ALERTS[alert], held, NOW))


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_fires_in_its_own_trouble_alone(alert: str) -> None:
    assert not fires(alert, sound())
    assert fires(alert, sound() | TROUBLE[alert] if TROUBLE[alert] else {})
    others = {name: each for name, each in TROUBLE.items() if name != alert and each}
    assert [name for name, each in others.items() if fires(alert, sound() | each)] == []


def test_what_is_no_expression_is_refused() -> None:
    for wrong in ("sum(palate_quality", "max(palate_quality) ? 3", "nothing(palate_quality)"):
        with pytest.raises((ValueError, IndexError)):
            firing(wrong, {}, NOW)
