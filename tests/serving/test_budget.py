"""`?budget_ms=` over the API, and what a request hears that cannot be answered in time."""

import asyncio
from time import perf_counter

from tests.serving.conftest import SmallSite


def test_a_budget_that_hardly_fits_anything_is_kept(site: SmallSite) -> None:
    for _ in range(3):
        site.slate(user_id="u1", limit=5)
    page = site.slate(user_id="u1", limit=5, budget_ms=1)
    assert page["step"] != "full"
    assert page["items"]
    text = site.client.get("/metrics").text
    assert f'palate_request_duration_seconds_count{{step="{page["step"]}",surface="home"}}' in text


def test_the_wait_for_a_turn_counts_as_time_of_the_answer(site: SmallSite) -> None:
    site.app.state["runtime"].pacer.timer = lambda: perf_counter() - 5.0  # it came so long ago
    assert site.slate(user_id="u1")["timing"]["total_ms"] >= 5_000
    text = site.client.get("/metrics").text
    total = 'palate_request_duration_seconds_sum{step="full",surface="home"} '
    assert float(text.partition(total)[2].split()[0]) >= 5.0


def test_a_wrong_budget_is_named(site: SmallSite) -> None:
    answer = site.client.get("/v1/recommendations/home", params={"budget_ms": 0})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "budget_ms"
    body = {"user_id": "u1", "budget_ms": 1_000_000}
    answer = site.client.post("/v1/recommendations/home", json=body)
    assert answer.json()["errors"][0]["pointer"] == "/budget_ms"


def test_who_is_turned_away_hears_when_to_come_back(site: SmallSite) -> None:
    gate = site.app.state["runtime"].pacer.gate
    gate.flying, held = 10_000, gate.flying

    async def crowd() -> None:
        gate._waiting.extend(asyncio.get_running_loop().create_future() for _ in range(512))

    with site.client.portal() as portal:
        portal.call(crowd)
    answer = site.client.get("/v1/recommendations/home", params={"user_id": "u1"})
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert answer.headers["content-type"].startswith("application/problem+json")
    gate._waiting.clear()
    gate.flying = held
    assert site.slate(user_id="u1")["items"]
    assert "palate_shed_total 1.0" in site.client.get("/metrics").text
