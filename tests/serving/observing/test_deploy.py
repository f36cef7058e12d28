"""The dashboard and the alert rules that we ship ask for metrics that there are."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from tests.serving.conftest import SmallSite

DEPLOY = Path(__file__).parents[3] / "deploy"
SUFFIXES = ("_bucket", "_count", "_sum")


def asked() -> dict[str, list[str]]:
    """Every expression that we ship, by where it stands."""
    rules = yaml.safe_load((DEPLOY / "alerts.yml").read_text("utf-8"))
    found = {r["alert"]: [r["expr"]] for group in rules["groups"] for r in group["rules"]}
    board = json.loads((DEPLOY / "grafana.json").read_text("utf-8"))
    return found | {p["title"]: [t["expr"] for t in p["targets"]] for p in board["panels"]}


def families(site: SmallSite) -> dict[str, Any]:
    site.slate(user_id="u1", limit=5)
    site.send({"kind": "click", "user_id": "u1", "item_id": "drama-1"})
    site.client.get("/v1/recommendations/nowhere")
    site.settle()
    site.tick()
    text = site.client.get("/metrics").text
    return {each.name: each for each in text_string_to_metric_families(text)}


@pytest.mark.parametrize("place", sorted(asked()))
def test_what_is_asked_for_is_there(site: SmallSite, place: str) -> None:
    known = families(site)
    for expression in asked()[place]:
        names = set(re.findall(r"palate_\w+", expression))
        assert names
        for name in names:
            family = re.sub(r"(_bucket|_count|_sum|_total)$", "", name)
            assert family in known, f"{place} asks for {name}"
            kind = known[family].type
            assert (kind == "counter") == name.endswith("_total")
            assert (kind == "histogram") == name.endswith(SUFFIXES)


def test_labels_are_few(site: SmallSite) -> None:
    """No label has users, items or rules in it: a site of any size has as many series."""
    allowed = {
        *("surface", "step", "stage", "generator", "reason", "kind", "what", "release"),
        *("status", "cache", "outcome", "queue", "le"),
    }
    for family in families(site).values():
        for sample in family.samples:
            assert set(sample.labels) <= allowed, sample


def test_every_rule_says_what_to_do() -> None:
    rules = yaml.safe_load((DEPLOY / "alerts.yml").read_text("utf-8"))
    for group in rules["groups"]:
        for rule in group["rules"]:
            assert rule["annotations"]["summary"]
            assert rule["annotations"]["action"]
            assert rule["labels"]["severity"] in {"warning", "critical"}
