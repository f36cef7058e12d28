from collections.abc import Callable

import pytest
from tests.serving.conftest import SmallSite

from palate.testing.tiny import NOW

CLICK = {"kind": "click", "user_id": "u1", "item_id": "drama-1"}


def test_events_are_acknowledged_when_the_log_holds_them(site: SmallSite) -> None:
    answer = site.client.post("/v1/events", json={"events": [CLICK | {"event_id": "a"}]})
    assert (answer.status_code, answer.json()) == (202, {"accepted": 1, "duplicates": 0})
    [event] = site.logged(event_id="a")
    assert (event.user_id, event.item_id, event.time) == ("u1", "drama-1", site.clock.time)


def test_a_repeated_event_changes_nothing(site: SmallSite) -> None:
    twice = {"events": [CLICK | {"event_id": "a"}]}
    site.client.post("/v1/events", json=twice)
    assert site.client.post("/v1/events", json=twice).json() == {"accepted": 0, "duplicates": 1}
    assert len(site.logged(event_id="a")) == 1


def test_an_idempotency_key_makes_a_batch_without_ids_count_once(site: SmallSite) -> None:
    headers, before = {"Idempotency-Key": "batch-7"}, site.stores.log.count()
    for _ in range(2):
        site.client.post("/v1/events", json={"events": [CLICK, CLICK]}, headers=headers)
    assert site.stores.log.count() == before + 2


def test_one_wrong_event_refuses_the_batch_and_is_named(site: SmallSite) -> None:
    before = site.stores.log.count()
    batch = {"events": [CLICK, CLICK | {"kind": "klick"}, {"kind": "like", "item_id": "x"}]}
    answer = site.client.post("/v1/events", json=batch)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    pointers = [error["pointer"] for error in answer.json()["errors"]]
    assert pointers == ["/events/1/kind", "/events/2/user_id"]
    assert site.stores.log.count() == before


def test_partial_stores_the_right_ones_and_lists_the_rest(site: SmallSite) -> None:
    batch = {"events": [CLICK, CLICK | {"kind": "klick"}]}
    answer = site.client.post("/v1/events", params={"partial": "true"}, json=batch)
    assert answer.status_code == 202
    body = answer.json()
    assert (body["accepted"], [each["pointer"] for each in body["rejected"]]) == (
        1,
        ["/events/1/kind"],
    )


def test_internal_kinds_cannot_be_sent(site: SmallSite) -> None:
    answer = site.client.post("/v1/events", json={"events": [CLICK | {"kind": "forget"}]})
    assert answer.status_code == 422


def test_too_many_events_are_refused_with_the_number(site_of: Callable[..., SmallSite]) -> None:
    site = site_of(max_events=2)
    answer = site.client.post("/v1/events", json={"events": [CLICK] * 3})
    assert answer.status_code == 422
    assert "at most 2" in answer.json()["detail"]


def test_too_large_a_body_is_refused_with_the_number(site_of: Callable[..., SmallSite]) -> None:
    site = site_of(max_body_bytes=1000)
    answer = site.client.post("/v1/events", json={"events": [CLICK] * 100})
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"
    assert "1000 bytes" in answer.json()["detail"]


@pytest.mark.parametrize("body", [b"", b"{", b"[1", b"\xff", b'{"events": 7}', b'"x"', b"null"])
def test_what_is_no_batch_is_refused(site: SmallSite, body: bytes) -> None:
    answer = site.client.post("/v1/events", content=body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


def test_an_unknown_item_is_accepted(site: SmallSite) -> None:
    site.send(CLICK | {"item_id": "never-heard-of"})
    assert site.stores.items.rows(["never-heard-of"], create=False)[0] >= 0


def test_a_session_becomes_the_user(site: SmallSite) -> None:
    site.send({"kind": "view", "session_id": "s1", "item_id": "space-1", "value": 1.0})
    site.send({"kind": "click", "session_id": "s1", "user_id": "new", "item_id": "space-2"})
    reasons = str([e["reason"] for e in site.slate(user_id="new")["items"]])
    assert "space-1" in reasons


def test_a_session_stays_the_users_and_is_answered_as_the_user(site: SmallSite) -> None:
    site.send({"kind": "click", "session_id": "s1", "user_id": "new", "item_id": "space-2"})
    site.send({"kind": "view", "session_id": "s1", "item_id": "space-1", "value": 1.0})
    pages = [site.slate(limit=5, **who) for who in ({"user_id": "new"}, {"session_id": "s1"})]
    told = [[e["item_id"] for e in page["items"] if not e["explore"]] for page in pages]
    assert told[0] == told[1]
    assert not {"space-1", "space-2"} & set(told[0])
    assert "space-1" in str([entry["reason"] for entry in pages[1]["items"]])


def test_a_beacon_of_a_page_counts_no_further_showing(site: SmallSite) -> None:
    page = site.slate(user_id="u1", limit=6, region="DE", age=40)
    site.settle()
    site.worker.drain()
    items = [entry["item_id"] for entry in page["items"]]
    [row] = site.stores.items.rows(items[:1], create=False)

    def shown() -> float:
        return float(site.stores.states.decayed("shown_total", NOW)[row])

    before = shown()
    told = {"recommendation_id": page["recommendation_id"], "surface": "home", "items": items}
    site.send({"kind": "impression", "user_id": "u1", "event_id": "beacon"} | told)
    assert shown() == before
    assert site.logged(event_id="beacon")[0].reports
