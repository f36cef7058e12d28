import time
from functools import partial
from typing import Any, NoReturn

import pytest
from litestar.testing import TestClient
from tests.serving.conftest import SmallSite

from palate.catalog.columns import ItemColumns
from palate.catalog.user import session_key, user_key
from palate.events.kinds import Kind
from palate.features.record import UserState
from palate.serving.app import create
from palate.serving.runtime import SETTLE
from palate.stores import open_sources
from palate.stores_offline import attributor
from palate.streaming.rebuild import compare
from palate.streaming.replay import Replay

ANNA = {"user_id": "anna", "country": "DE", "birth_year": 1990}


def test_put_makes_a_profile_and_tells_the_log_of_the_segment(site: SmallSite) -> None:
    answer = site.client.put("/v1/users/anna", json=ANNA)
    assert (answer.status_code, answer.json()) == (200, {"accepted": 1, "changed": 1})
    assert site.client.get("/v1/users/anna").json()["country"] == "DE"
    [event] = site.logged(user_id="anna", kind=Kind.PROFILE)
    assert event.value > 0


def test_patch_and_bulk(site: SmallSite) -> None:
    bulk = site.client.post("/v1/users", json={"users": [ANNA, {"user_id": "ben"}]})
    assert bulk.json() == {"accepted": 2, "changed": 2}
    assert site.client.patch("/v1/users/anna", json={"country": "FR"}).json() == {
        "user_id": "anna",
        "country": "FR",
        "language": "",
        "birth_year": 1990,
        "follows": [],
        "likes": [],
        "attributes": {},
    }
    assert site.client.patch("/v1/users/nobody", json={}).status_code == 404


def test_users_are_listed_page_by_page(site: SmallSite) -> None:
    first = site.client.get("/v1/users", params={"limit": 40}).json()
    rest = site.client.get("/v1/users", params={"limit": 40, "after": first["next"]}).json()
    names = [each["user_id"] for each in first["users"] + rest["users"]]
    assert (len(names), len(set(names)), names) == (48, 48, sorted(names))
    assert rest["next"] is None
    assert site.client.get("/v1/users", params={"limit": 0}).status_code == 422


def test_a_deleted_user_is_nobody_and_nowhere_named(site: SmallSite) -> None:
    assert site.stores.online.user(user_key("u0")) is not None
    assert site.client.delete("/v1/users/u0").status_code == 204
    site.worker.drain()
    site.settle()
    assert site.client.get("/v1/users/u0").status_code == 404
    assert site.stores.online.user(user_key("u0")) is None
    assert site.logged(user_id="u0") == []
    assert site.client.delete("/v1/users/u0").status_code == 404


def test_a_second_deletion_at_once_finds_nobody_and_the_first_is_done_all_the_same(
    site: SmallSite,
) -> None:
    assert site.client.delete("/v1/users/u0").status_code == 204
    assert site.client.delete("/v1/users/u0").status_code == 404
    site.worker.drain()
    site.settle()
    assert site.stores.online.user(user_key("u0")) is None
    assert site.logged(user_id="u0") == []


def test_a_deletion_that_broke_off_is_finished_by_a_repeat(
    site: SmallSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim(site)
    with monkeypatch.context() as broken:
        broken.setattr("palate.serving.forgetting._forgets", broken_off)
        assert site.client.delete("/v1/users/u0").status_code == 500
    assert site.client.delete("/v1/users/u0").status_code == 204
    site.worker.drain()
    site.settle()
    assert_forgotten(site)


@pytest.mark.parametrize("user", ["u0", "forgotten-soul"])
def test_a_deletion_that_broke_off_is_finished_by_the_next_worker(
    site: SmallSite, monkeypatch: pytest.MonkeyPatch, user: str
) -> None:
    claim(site, user)
    monkeypatch.setattr("palate.serving.forgetting._elsewhere", broken_off)
    monkeypatch.setattr("palate.serving.forgetting._renamed", broken_off)
    assert site.client.delete(f"/v1/users/{user}").status_code == 500
    monkeypatch.undo()
    site.worker.drain()
    with TestClient(create(site.settings, clock=site.clock, stores=site.stores)) as other:
        assert other.get("/livez").status_code == 200
        with other.portal() as portal:
            portal.call(other.app.state["runtime"].settle)
    assert_forgotten(site, user)


def test_a_worker_that_ends_leaves_to_the_next_what_waits_for_the_stream(site: SmallSite) -> None:
    claim(site)
    with TestClient(create(site.settings, clock=site.clock, stores=site.stores)) as other:
        assert other.delete("/v1/users/u0").status_code == 204
        began = time.perf_counter()
    assert time.perf_counter() - began < SETTLE
    site.worker.drain()
    with (
        TestClient(create(site.settings, clock=site.clock, stores=site.stores)) as following,
        following.portal() as portal,
    ):
        portal.call(following.app.state["runtime"].settle)
    assert_forgotten(site)


def claim(site: SmallSite, user: str = "u0") -> None:
    """Pages of a session that turns out to be the user's."""
    site.slate("home", session_id="s0")
    site.slate("home", user_id=user)
    site.send({"kind": "like", "user_id": user, "session_id": "s0", "item_id": "drama-1"})
    site.settle()


def broken_off(*_: object) -> NoReturn:
    raise RuntimeError("killed")


def assert_forgotten(site: SmallSite, user: str = "u0") -> None:
    assert site.stores.online.user(user_key(user)) is None
    assert site.logged(user_id=user) == site.logged(session_id="s0") == []
    visitors = {each.visitor for each in site.app.state["runtime"].store.newest(100)}
    assert not {f"user:{user}", "session:s0"} & visitors


def test_a_page_that_was_just_shown_is_forgotten_too(site: SmallSite) -> None:
    site.slate("home", user_id="u0")
    assert site.client.delete("/v1/users/u0").status_code == 204
    assert site.client.delete("/v1/users/u0").status_code == 404
    site.worker.drain()
    site.settle()
    assert site.logged(user_id="u0") == []


def test_rows_of_the_offline_store_lose_the_name_too(site: SmallSite) -> None:
    site.slate("home", user_id="u0")
    site.slate("home", session_id="s0")
    site.send({"kind": "like", "user_id": "u0", "session_id": "s0", "item_id": "drama-1"})
    site.settle()
    with open_sources(site.settings) as sources:
        site.clock.time += 10
        joins = attributor(sources, site.clock)
        joins.step()
        store = joins.store
        before = store.scan(store.held().of("shown")).collect()["user"].unique().to_list()
        assert {user_key("u0"), session_key("s0")} <= set(before)
        assert site.client.delete("/v1/users/u0").status_code == 204
        joins.step()
        for table, columns in (("shown", ["user"]), ("acts", ["user", "session"])):
            rows = store.scan(store.held().of(table)).collect()
            held = {key for column in columns for key in rows[column].to_list()}
            assert not {user_key("u0"), session_key("s0")} & held


def test_somebody_who_comes_back_at_once_begins_anew_under_their_name(site: SmallSite) -> None:
    site.client.delete("/v1/users/u0")
    site.send({"kind": "click", "user_id": "u0", "item_id": "drama-1"})
    site.settle()
    [event] = site.logged(user_id="u0")
    assert event.kind is Kind.CLICK
    raw = site.stores.online.user(user_key("u0"))
    assert raw is not None
    assert UserState.unpack(user_key("u0"), raw).total == 1


def test_after_a_deletion_a_rebuild_from_the_log_gives_the_same_state(site: SmallSite) -> None:
    site.send({"kind": "like", "session_id": "s1", "user_id": "u0", "item_id": "drama-1"})
    site.send({"kind": "click", "session_id": "s1", "item_id": "drama-2"})
    site.client.delete("/v1/users/u0")
    site.worker.drain()
    site.settle()
    assert site.stores.online.user(session_key("s1")) is None
    assert site.logged(session_id="s1") == []
    live = dict(site.stores.online.scan("users"))
    columns = ItemColumns.in_memory()
    columns.write(site.stores.items.changes(0, 10_000))
    replay = Replay(site.settings, columns)
    logged = site.stores.log.read(0, 100_000)
    replay.fold(logged, lambda ids: site.stores.items.rows(ids, create=True))
    names = {each.event.user_id for each in logged if each.event.user_id}
    again = {user_key(name) for name in names if replay.user(user_key(name)).total}
    assert again == {key for key in live if key in {user_key(name) for name in names}}


def follow(kind: str, user: str = "anna", **what: Any) -> dict[str, Any]:
    return {"kind": kind, "user_id": user, **what}


def test_a_follow_brings_the_makers_items_at_once_and_an_unfollow_takes_them_away(
    site: SmallSite,
) -> None:
    site.client.put("/v1/users/anna", json=ANNA)
    site.client.put("/v1/items/sung", json={"title": "Aria", "creator_id": "maria"})
    site.worker.drain()
    site.tick()
    of_maria = {"properties": {"creator_id": "maria"}}
    assert followed_on(site) == set()
    site.send(follow("follow", **of_maria))
    assert followed_on(site) == {"sung"}
    site.send(follow("unfollow", item_id="sung"))
    assert followed_on(site) == set()


def test_an_unfollow_wins_over_the_profile(site: SmallSite) -> None:
    site.client.put("/v1/items/sung", json={"title": "Aria", "creator_id": "maria"})
    site.client.put("/v1/users/anna", json=ANNA | {"follows": ["maria"]})
    site.worker.drain()
    site.tick()
    assert followed_on(site) == {"sung"}
    site.send(follow("unfollow", properties={"creator_id": "maria"}))
    assert followed_on(site) == set()


def test_what_a_session_followed_is_the_users_once_they_log_in(site: SmallSite) -> None:
    site.client.put("/v1/items/sung", json={"title": "Aria", "creator_id": "maria"})
    site.worker.drain()
    site.tick()
    site.send({"kind": "follow", "session_id": "s9", "item_id": "sung"})
    assert followed_on(site, session_id="s9") == {"sung"}
    site.send({"kind": "search", "session_id": "s9", "user_id": "anna"})
    assert followed_on(site) == {"sung"}
    assert followed_on(site, session_id="s9") == {"sung"}, "the session is theirs from then on"


def followed_on(site: SmallSite, **who: str) -> set[str]:
    """What stands on the whole of Home because its maker is followed."""
    page = site.slate("home", limit=100, **(who or {"user_id": "anna"}))
    return {e["item_id"] for e in page["items"] if e["reason"]["kind"] == "followed"}


@pytest.mark.parametrize("age", [-5, -0.5, 151, 1e30, "old", True])
def test_an_age_that_is_none_counts_as_unknown(site: SmallSite, age: Any) -> None:
    site.client.put("/v1/items/adults", json={"title": "Late", "min_age": 18})
    site.client.put("/v1/users/ben", json={"user_id": "ben", "attributes": {"age": age}})
    site.worker.drain()
    site.tick()
    found = {each["item_id"] for each in site.slate(user_id="ben", limit=50)["items"]}
    assert found
    assert "adults" not in found
    young = {"user_id": "ben", "filter": "user.age < 30"}
    assert site.client.get("/v1/recommendations/home", params=young).status_code == 200


def test_an_unknown_user_cannot_be_deleted(site: SmallSite) -> None:
    before = site.stores.log.count()
    assert site.client.delete("/v1/users/nobody").status_code == 404
    assert site.stores.log.count() == before


def test_a_deleted_user_has_no_history_when_the_answer_is_out(site: SmallSite) -> None:
    with site.followed():
        assert site.client.get("/v1/history", params={"user_id": "u1"}).json()["events"]
        assert site.client.delete("/v1/users/u1").status_code == 204
        assert site.client.get("/v1/history", params={"user_id": "u1"}).json()["events"] == []


def test_a_deletion_that_overtakes_the_stream_leaves_no_count_that_a_rebuild_does_not_make(
    site: SmallSite,
) -> None:
    """Who was folded under a name is not to go on, in the same log, under another."""
    site.client.put("/v1/users/anna", json=ANNA)
    site.worker.drain()
    site.client.post(
        "/v1/events", json=[{"kind": "click", "user_id": "anna", "item_id": "drama-1"}]
    )
    assert site.client.delete("/v1/users/anna").status_code == 204
    site.worker.drain()
    site.settle()
    assert site.logged(user_id="anna") == []
    rows_of = partial(site.stores.items.rows, create=True)
    assert compare(site.settings, site.stores.log, site.stores.online, rows_of).equal
