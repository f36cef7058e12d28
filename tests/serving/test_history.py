from tests.serving.conftest import SmallSite


def test_what_a_visitor_did_is_told_newest_first(site: SmallSite) -> None:
    who = {"session_id": "s9"}
    site.send({"kind": "click", **who, "item_id": "space-1"})
    site.send({"kind": "rating", "value": 4.0, **who, "item_id": "space-2"})
    found = site.client.get("/v1/history", params=who).raise_for_status().json()["events"]
    assert [(e["kind"], e["item_id"], e["value"]) for e in found] == [
        ("rating", "space-2", 4.0),
        ("click", "space-1", None),
    ]
    assert found[0]["title"].startswith("Space")
    assert found[0]["time"].endswith("+00:00")
    few = site.client.get("/v1/history", params=who | {"limit": "1"}).json()["events"]
    assert few == found[:1]


def test_somebody_new_has_no_history_and_nobody_is_refused(site: SmallSite) -> None:
    assert site.client.get("/v1/history", params={"user_id": "new"}).json() == {"events": []}
    refused = site.client.get("/v1/history")
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "user_id"
    assert site.client.get("/v1/history?user_id=u1&limit=201").status_code == 422
