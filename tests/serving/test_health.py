from prometheus_client.parser import text_string_to_metric_families
from tests.serving.conftest import SmallSite


def test_a_live_site_is_alive_and_ready(site: SmallSite) -> None:
    assert site.client.get("/livez").json() == {"status": "alive"}
    answer = site.client.get("/readyz")
    assert answer.status_code == 200
    body = answer.json()
    assert body == {
        "ready": True,
        "release": "none",
        "lag_seconds": 0.0,
        "items": 59,
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
    assert samples["palate_release_info", "none"] == 1
    assert "# TYPE palate_degraded_total counter" in text
