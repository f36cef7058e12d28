import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
from tests.serving.conftest import SmallSite

from palate.funnel.types import Answer, Slate, Trace
from palate.serving.tracing.store import TraceRecord, TraceStore, record_of


def test_a_trace_tells_what_every_stage_did(site: SmallSite) -> None:
    page = site.slate(user_id="u0", limit=5)
    trace = site.client.get(f"/v1/traces/{page['recommendation_id']}").json()
    assert trace["visitor"] == "user:u0"
    assert (trace["surface"], trace["step"], trace["release"]) == ("home", "full", "none")
    stages = [stage["name"] for stage in trace["stages"]]
    assert {"generate.covisit", "merge", "rank", "filter.hide_policy"} <= set(stages)
    assert trace["candidates"] > 5
    assert trace["removed"]


def test_each_item_of_a_trace_says_who_found_it_and_where_it_ranked(site: SmallSite) -> None:
    page = site.slate(user_id="u0", limit=5)
    trace = site.client.get(f"/v1/traces/{page['recommendation_id']}").json()
    assert [i["item_id"] for i in trace["items"]] == [i["item_id"] for i in page["items"]]
    assert [i["position"] for i in trace["items"]] == [1, 2, 3, 4, 5]
    first = trace["items"][0]
    assert first["title"].startswith("Action")
    assert first["reason"] == page["items"][0]["reason"]
    assert "covisit" in [found["generator"] for found in first["found_by"]]
    assert all(found["rank"] >= 1 for found in first["found_by"])
    assert first["ranker_rank"] >= 1
    assert first["ranker_score"] is not None


def test_positions_go_on_over_pages(site: SmallSite) -> None:
    page = site.slate(user_id="u0", limit=3)
    second = site.slate(user_id="u0", limit=3, cursor=page["next"])
    trace = site.client.get(f"/v1/traces/{second['recommendation_id']}").json()
    assert [i["position"] for i in trace["items"]] == [4, 5, 6]


def test_without_a_trace_rate_none_is_kept(site_of: Callable[..., SmallSite]) -> None:
    site = site_of(trace_rate=0.0)
    page = site.slate(user_id="u0", limit=3)
    site.settle()
    answer = site.client.get(f"/v1/traces/{page['recommendation_id']}")
    assert answer.status_code == 404
    assert "newest 2000" in answer.json()["detail"]


def test_a_deleted_users_traces_go_too(site: SmallSite) -> None:
    theirs, other = site.slate(user_id="u0", limit=3), site.slate(user_id="u1", limit=3)
    site.client.delete("/v1/users/u0")
    gone = site.client.get(f"/v1/traces/{theirs['recommendation_id']}")
    kept = site.client.get(f"/v1/traces/{other['recommendation_id']}")
    assert (gone.status_code, kept.status_code) == (404, 200)


def test_the_store_keeps_the_newest_and_lets_the_rest_go(tmp_path: Path) -> None:
    store = TraceStore(tmp_path / "traces.db", most=10)
    for n in range(200):
        store.put([_record(f"t{n}")])
    store.put([_record(f"u{n}") for n in range(64)])
    assert store.find("t0") is None
    assert store.find("u0") is None
    assert store.find("u63") is not None
    store.close()


def test_several_workers_share_one_store(tmp_path: Path) -> None:
    stores = [TraceStore(tmp_path / "traces.db", most=1000) for _ in range(3)]

    def write(store: TraceStore, name: str) -> None:
        for n in range(30):
            store.put([_record(f"{name}{n}")])

    threads = [
        threading.Thread(target=write, args=(store, f"w{n}-")) for n, store in enumerate(stores)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = stores[0].find("w2-29")
    assert found is not None
    assert found.recommendation_id == "w2-29"


def _record(name: str) -> TraceRecord:
    slate = Slate(np.array([1], np.int32), np.array([0.5], np.float32))
    return record_of(
        Answer(slate, (), "full", Trace()),
        (),
        recommendation_id=name,
        time=0.0,
        surface="home",
        visitor="",
        release="none",
        milliseconds=1.0,
        first_position=1,
        reasons=[],
    )


def test_a_trace_that_cannot_be_written_does_not_end_those_that_follow(site: SmallSite) -> None:
    def broken() -> TraceRecord:
        raise KeyError("a row that no rule was given")

    with site.client.portal() as portal:
        portal.call(lambda: site.app.state["runtime"].traces.note("broken", broken))
    site.settle()
    answered = site.slate(limit=3)["recommendation_id"]
    site.settle()
    store = TraceStore(site.settings.path("traces.db"), 10)
    assert store.find("broken") is None
    assert store.find(answered) is not None
    store.close()
