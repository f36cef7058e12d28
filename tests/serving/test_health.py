import dataclasses

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.serving.conftest import SmallSite

from palate.events.kinds import Event, Kind
from palate.stores import open_states
from palate.surfaces import plugins


def test_a_live_site_is_alive_and_ready(site: SmallSite) -> None:
    assert site.client.get("/livez").json() == {"status": "alive"}
    answer = site.client.get("/readyz")
    assert answer.status_code == 200
    body = answer.json()
    assert body == {
        "ready": True,
        "release": "none",
        "lag_seconds": 0.0,
        "items": 58,
        "remarks": [],
    }


def test_a_stream_that_lags_is_remarked_upon_but_ready(site: SmallSite) -> None:
    event = {"kind": "click", "user_id": "u1", "item_id": "drama-1"}
    site.client.post("/v1/events", json={"events": [event]})
    site.clock.time += 60
    body = site.client.get("/readyz").json()
    assert body["ready"] is True
    assert body["lag_seconds"] == 60
    assert "palate stream" in body["remarks"][0]
    site.worker.drain()
    assert site.client.get("/readyz").json()["lag_seconds"] == 0


def test_counters_that_nobody_has_made_anew_are_behind(site: SmallSite) -> None:
    event = {"kind": "click", "user_id": "u1", "item_id": "drama-1"}
    site.client.post("/v1/events", json={"events": [event]})
    site.worker.drain()
    site.clock.time += 60
    assert site.client.get("/readyz").json()["lag_seconds"] == 0
    with site.stores.states.anew():
        pass
    body = site.client.get("/readyz").json()
    assert body["lag_seconds"] >= 60
    assert "palate stream" in body["remarks"][0]


def test_counters_made_anew_are_seen_though_nobody_asks_for_a_page(site: SmallSite) -> None:
    event = {"kind": "click", "user_id": "u1", "item_id": "drama-1"}
    site.client.post("/v1/events", json={"events": [event]})
    shown = open_states(site.settings)
    watch = site.app.state["runtime"].watch
    stores = dataclasses.replace(watch.live.stores, states=shown)
    watch.live = dataclasses.replace(watch.live, stores=stores)
    site.worker.drain()
    site.stores.states.grow(2 * site.stores.states.capacity)
    site.send(event)
    site.clock.time += 60
    assert shown.position < site.stores.states.position
    site.tick()
    assert site.client.get("/readyz").json()["lag_seconds"] == 0


def test_what_was_set_aside_is_remarked_upon(site: SmallSite) -> None:
    lost = Event(event_id="x", kind=Kind.LIKE, time=float("inf"), user_id="u", item_id="drama-1")
    site.stores.log.append([lost], site.clock.time)
    site.worker.drain()
    body = site.client.get("/readyz").json()
    assert body["ready"]
    assert body["remarks"] == ["1 events were set aside: columns/refused.jsonl says why"]


def test_a_plug_in_that_is_left_out_is_remarked_upon(
    site: SmallSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugins, "left_out", lambda _: ["'mine' is left out"])
    body = site.client.get("/readyz").json()
    assert body["ready"]
    assert body["remarks"] == ["'mine' is left out"]


def test_a_sender_who_is_too_fast_is_told_when_to_come_again(site: SmallSite) -> None:
    commit = site.app.state["runtime"].commit
    commit.waiting = 49_999
    events = [{"kind": "click", "user_id": "u1", "item_id": f"drama-{n}"} for n in range(2)]
    answer = site.client.post("/v1/events", json={"events": events})
    commit.waiting = 0
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert "wait for the disk" in answer.json()["detail"]
    assert site.client.post("/v1/events", json={"events": events}).status_code == 202


def test_metrics_have_the_names_that_boards_rely_on(site: SmallSite) -> None:
    site.slate(user_id="u1", limit=5)
    site.send({"kind": "click", "user_id": "u1", "item_id": "drama-1"})
    site.settle()
    site.tick()
    text = site.client.get("/metrics").text
    samples = {
        (sample.name, *(sample.labels[name] for name in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert samples["palate_request_duration_seconds_count", "full", "home"] == 1
    assert samples["palate_stage_duration_seconds_count", "rank"] == 1
    assert samples["palate_candidates_count", "covisit"] == 1
    assert samples["palate_events_total", "click"] == 1
    assert samples["palate_events_total", "impression"] == 1
    assert samples["palate_event_lag_seconds",] >= 0
    assert samples["palate_event_lag_positions",] >= 0
    assert samples["palate_queue", "events"] == 0
    assert samples["palate_events_refused",] == 0
    assert samples["palate_release_info", "none"] == 1
    assert "# TYPE palate_degraded_total counter" in text
