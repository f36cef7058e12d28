"""`palate top` tells of two looks what happened between them."""

import pytest
from tests.serving.conftest import SmallSite

from palate.serving.observing.summary import quantile, read, summary


def test_what_happened_between_two_looks(site: SmallSite) -> None:
    site.slate(user_id="u1", limit=5)
    before = read(site.client.get("/metrics").text)
    for _ in range(4):
        site.slate(user_id="u1", limit=5)
    site.client.get("/v1/recommendations/nowhere")
    site.tick()
    found = summary(before, read(site.client.get("/metrics").text), 2.0)
    [answers] = found.answers
    assert (answers.name, answers.per_second) == ("full", 2.0)
    assert 0 < answers.p50 <= answers.p99
    assert {row.name: row.per_second for row in found.stages}["rank"] == 2.0
    assert found.rates["problems"] == 0.5
    assert found.gauges["quality"] == 1.0
    assert 0 < found.shares["profiles"] <= 1


def test_a_percentile_lies_inside_its_bucket() -> None:
    buckets = {0.01: 50.0, 0.02: 90.0, float("inf"): 100.0}
    assert quantile(buckets, 0.5) == pytest.approx(0.01)
    assert quantile(buckets, 0.7) == pytest.approx(0.015)
    assert quantile(buckets, 0.99) == pytest.approx(0.02)  # beyond the last bound: the bound
