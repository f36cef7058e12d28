"""Traces of a site whose release holds a network: heads, feature values, and what they moved."""

from contextlib import closing

import numpy as np
import pytest
import torch
from tests.serving.conftest import SmallSite

from palate.features.vector import layout_hash
from palate.models.ranker import HEADS, RankerFacts
from palate.releases.directory import ReleaseDirectory
from palate.releases.manifest import Manifest
from palate.stores import open_waiting
from palate.training.ranking.export import export_ranker
from palate.training.ranking.fitting import Fitted
from palate.training.ranking.network import RankerNetwork, Shape, spread_of

FEATURES = ("covisit_score", "covisit_rank", "popular_score", "popular_rank")


@pytest.fixture
def ranked(site: SmallSite) -> SmallSite:
    """The site with a release that ranks."""
    releases = ReleaseDirectory(site.settings.path(site.settings.stores.releases))
    staging = releases.begin()
    dice = np.random.Generator(np.random.PCG64(2))
    rows = dice.normal(size=(40, len(FEATURES))).astype(np.float32)
    torch.manual_seed(0)
    (staging / "ranker").mkdir()
    facts = RankerFacts(features=FEATURES, means=(0.0,) * len(FEATURES), knots={}, heads=HEADS)
    network = RankerNetwork(Shape(len(FEATURES)))
    torch.nn.init.normal_(network.straight.weight)
    nothing = np.zeros((0, 0), np.float32)
    learnt = Fitted(network, spread_of(rows), nothing, np.arange(len(FEATURES)))
    export_ranker(staging / "ranker", learnt, facts)
    manifest = Manifest(
        created=1.0, version="test", features=FEATURES, layout=layout_hash(FEATURES)
    )
    releases.promote(releases.publish(staging, manifest))
    look(site)
    return site


def look(site: SmallSite) -> None:
    with site.client.portal() as portal:
        portal.call(site.app.state["runtime"].watch.look)


def test_what_a_page_was_ranked_by_waits_for_the_join(ranked: SmallSite) -> None:
    page = ranked.slate(user_id="u0", limit=5)
    ranked.settle()
    with closing(open_waiting(ranked.settings)) as waiting:
        kept = waiting.find([page["recommendation_id"]])[page["recommendation_id"]]
    trace = ranked.client.get(f"/v1/traces/{page['recommendation_id']}").json()
    assert kept.names == FEATURES
    assert kept.features.shape == (len(page["items"]), len(FEATURES))
    for item, values in zip(trace["items"], kept.features, strict=True):
        told = {each["name"]: each["value"] for each in item["features"]}
        for name, value in zip(FEATURES, values.tolist(), strict=True):
            assert told[name] == pytest.approx(None if np.isnan(value) else value, nan_ok=True)


def test_a_trace_tells_heads_and_contributions(ranked: SmallSite) -> None:
    page = ranked.slate(user_id="u0", limit=5)
    trace = ranked.client.get(f"/v1/traces/{page['recommendation_id']}").json()
    assert trace["remarks"] == []
    item = trace["items"][0]
    assert set(item["heads"]) == set(HEADS)
    assert all(0 <= share <= 1 for share in item["heads"].values())
    weights = ranked.settings.ranking.value
    value = sum(weights.get(head, 0.0) * share for head, share in item["heads"].items())
    assert item["ranker_score"] == pytest.approx(value, abs=1e-5)
    assert {feature["name"] for feature in item["features"]} == set(FEATURES)
    parts = [abs(feature["contribution"]) for feature in item["features"]]
    assert parts == sorted(parts, reverse=True)
    assert parts[0] > 0


def test_once_another_release_is_live_only_values_are_told(ranked: SmallSite) -> None:
    page = ranked.slate(user_id="u0", limit=5)
    ranked.settle()
    releases = ReleaseDirectory(ranked.settings.path(ranked.settings.stores.releases))
    releases.promote(releases.publish(releases.begin(), Manifest(created=2.0, version="test")))
    look(ranked)
    trace = ranked.client.get(f"/v1/traces/{page['recommendation_id']}").json()
    assert "no longer live" in trace["remarks"][0]
    item = trace["items"][0]
    assert item["heads"] == {}
    assert [feature["name"] for feature in item["features"]] == list(FEATURES)
    assert all(feature["contribution"] is None for feature in item["features"])
