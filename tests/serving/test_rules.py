"""Rules over HTTP: a change is checked, logged, and obeyed by the next list, without a restart."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from litestar.testing import TestClient
from msgspec.structs import replace
from tests.serving.conftest import Json, SmallSite

from palate.rules.protocol import By
from palate.serving.app import create
from palate.serving.bodies import Ask
from palate.serving.steering.placements import Placements
from palate.serving.tracing.store import repeatable
from palate.stores import open_rules
from palate.testing.tiny import DAY, NOW

PIN = {"kind": "pin", "items": ["romance-5"], "slots": [1], "label": "Our choice"}
U1 = {"user_id": "u1", "limit": 10}


def put(site: SmallSite, name: str, rule: Json, **headers: str) -> Json:
    answer = site.client.put(f"/v1/rules/{name}", json=rule, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


def ids(slate: Json) -> list[str]:
    return [entry["item_id"] for entry in slate["items"]]


def refused(answer: Any, status: int = 422) -> list[str]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("application/problem+json")
    return [each["pointer"] for each in answer.json()["errors"]]


def test_the_next_list_obeys_a_pin_that_no_generator_proposed(site: SmallSite) -> None:
    before = site.slate(**U1)
    assert ids(before)[0] != "romance-5"
    put(site, "choice", PIN)
    after = site.slate(**U1)
    entry = after["items"][0]
    assert (entry["item_id"], entry["position"]) == ("romance-5", 1)
    assert (entry["reason"]["kind"], entry["reason"]["rule"]) == ("editorial", "choice")
    assert entry["reason"]["text"] == "Our choice"
    assert len(after["items"]) == len(set(ids(after))) == 10
    site.client.delete("/v1/rules/choice")
    assert ids(site.slate(**U1))[0] != "romance-5"


def test_sponsored_items_are_marked_as_such(site: SmallSite) -> None:
    put(site, "ad", PIN | {"sponsored": True, "label": "Acme", "slots": [3]})
    entry = site.slate(**U1)["items"][2]
    assert entry["item_id"] == "romance-5"
    assert entry["reason"]["kind"] == "sponsored"
    assert entry["reason"]["text"] == "Sponsored: Acme"


def test_a_worker_that_could_not_read_the_rules_recommends_nothing_until_it_can(
    site: SmallSite,
) -> None:
    site.client.post("/v1/rules", json={"id": "b", "kind": "block", "items": ["drama-1"]})
    book = site.settings.path("rules.db")
    with closing(sqlite3.connect(book)) as file, file:
        [[whole]] = file.execute("select rules from book").fetchall()
        file.execute("update book set rules = '[{'")
    other = create(site.settings, clock=site.clock, stores=site.stores)
    with TestClient(other, raise_server_exceptions=False) as client:
        for path in ("/v1/recommendations/home", "/v1/pages/home", "/readyz"):
            answer = client.get(path)
            assert answer.status_code == 503, path
            assert "rules of this site were not read yet" in answer.text
            assert "rules.db does not read back" in answer.text
        assert client.get("/livez").status_code == 200
        with closing(sqlite3.connect(book)) as file, file:
            file.execute("update book set rules = ?", (whole,))
        other.state["runtime"].rules.look_now(site.stores)
        assert client.get("/readyz").status_code == 200
        slate = client.get("/v1/recommendations/home", params={"limit": 50}).json()
        assert slate["items"]
        assert "drama-1" not in ids(slate)


def test_another_worker_picks_a_change_up_by_itself(site: SmallSite) -> None:
    rules = site.app.state["runtime"].rules
    other = open_rules(site.settings)
    from_elsewhere = site.client.put("/v1/rules/choice", json=PIN | {"enabled": False}).json()
    book = other.read()
    assert book.version == from_elsewhere["version"]
    other.edit(lambda old: tuple(replace(each, enabled=True) for each in old), By("ben", NOW))
    other.close()
    rules.look_now(site.stores)
    assert rules.version == 2
    assert ids(site.slate(**U1))[0] == "romance-5"


@pytest.mark.parametrize("hidden", ["action-9", "comedy-9", "drama-9", "horror-9"])
def test_a_pin_never_shows_what_policy_hides(site: SmallSite, hidden: str) -> None:
    put(site, "choice", PIN | {"items": [hidden, "romance-5"]})
    found = ids(site.slate(**U1, region="DE", age=10))
    assert hidden not in found
    assert found[0] == "romance-5", "the next of the rule's items takes the place"


def test_dates_audience_and_surface_say_when_a_rule_acts(site: SmallSite) -> None:
    put(site, "choice", PIN | {"audience": 'user.country == "US"'})
    assert ids(site.slate(**U1))[0] == "romance-5", "u1 is of the US"
    assert ids(site.slate(user_id="u0", limit=10))[0] != "romance-5"
    put(site, "choice", PIN | {"audience": 'context.device == "tv"'})
    body = {"surface": "home", "user_id": "u0", "context": {"device": "tv"}}
    answer = site.client.post("/v1/recommendations", json=body).json()
    assert ids(answer)[0] == "romance-5"
    put(site, "choice", PIN | {"surfaces": ["trending"]})
    assert ids(site.slate(**U1))[0] != "romance-5"
    assert ids(site.slate("trending", **U1))[0] == "romance-5"
    put(site, "choice", PIN | {"starts": "2023-11-15T00:00:00Z", "ends": "2023-11-16T00:00:00Z"})
    assert ids(site.slate(**U1))[0] != "romance-5"
    site.clock.time += DAY / 2
    assert ids(site.slate(**U1))[0] == "romance-5"
    site.clock.time += DAY
    assert ids(site.slate(**U1))[0] != "romance-5"


def test_slots_count_over_pages(site: SmallSite) -> None:
    put(site, "choice", PIN | {"items": ["romance-5", "romance-6"], "slots": [2, 7]})
    first = site.slate(user_id="u1", limit=5)
    second = site.slate(user_id="u1", limit=5, cursor=first["next"])
    assert first["items"][1]["item_id"] == "romance-5"
    assert second["items"][1]["item_id"] == "romance-6"
    assert not set(ids(first)) & set(ids(second))


def test_a_visitor_is_shown_a_pin_so_many_times(site: SmallSite) -> None:
    put(site, "choice", PIN | {"per_visitor": 2, "per_days": 1})
    for shown in (True, True, False):
        assert (ids(site.slate(**U1))[0] == "romance-5") is shown
        site.settle()
        site.worker.drain()
    site.clock.time += DAY + 1
    assert ids(site.slate(**U1))[0] == "romance-5"


CAMPAIGN = {
    "id": "ad", "kind": "pin", "items": ["romance-5"], "slots": [1], "sponsored": True,
    "impressions": 3,
}  # fmt: skip


def first(site: SmallSite, user: str, surface: str = "home") -> str:
    return str(site.slate(surface, user_id=user, limit=3)["items"][0]["item_id"])


def test_a_campaign_is_shown_so_many_times_altogether(site: SmallSite) -> None:
    site.client.post("/v1/rules", json=CAMPAIGN)
    shown = [first(site, user) for user in ("u0", "u1", "u2", "u3", "u7")]
    assert [item == "romance-5" for item in shown] == [True, True, True, False, False]
    assert site.client.get("/v1/rules").json()["placed"] == {"ad": 3}
    look(site)
    site.client.delete("/v1/rules/ad")
    site.client.post("/v1/rules", json=CAMPAIGN)
    look(site)
    assert first(site, "u8") == "romance-5", "a campaign that begins anew counts anew"


def test_workers_hear_of_what_others_placed(site: SmallSite) -> None:
    site.client.post("/v1/rules", json=CAMPAIGN)
    other = Placements(open_rules(site.settings))
    other.note(["ad", "ad"])
    other.settle()
    look(site)
    assert first(site, "u0") == "romance-5"
    assert first(site, "u1") != "romance-5"
    look(site)
    other.settle()
    assert other.spent("ad") == 3


def look(site: SmallSite) -> None:
    """What a worker does twice a second."""
    site.app.state["runtime"].rules.look_now(site.stores)


def test_on_a_whole_page_a_pin_stands_in_its_row_and_counts(site: SmallSite) -> None:
    site.client.post("/v1/rules", json=CAMPAIGN | {"impressions": 1, "surfaces": ["home"]})
    found = [
        [
            (row["surface"], entry["position"], entry["reason"]["kind"])
            for row in site.client.get("/v1/pages/home", params={"user_id": user}).json()["rows"]
            for entry in row["items"]
            if entry["item_id"] == "romance-5"
        ]
        for user in ("u0", "u1")
    ]
    assert found[0] == [("home", 1, "sponsored")]
    assert all(kind != "sponsored" for _, _, kind in found[1]), "its one impression is spent"
    assert site.client.get("/v1/rules").json()["placed"] == {"ad": 1}


def test_boost_and_bury_move_what_matches(site: SmallSite) -> None:
    put(site, "drama", {"kind": "boost", "where": '"drama" in categories', "by": 5})
    dramas = [each.startswith("drama") for each in ids(site.slate(**U1))]
    assert all(dramas[:3])
    put(site, "drama", {"kind": "bury", "where": '"comedy" in categories', "by": 5})
    assert not ids(site.slate(**U1))[0].startswith("comedy")


def test_block_lists_and_content_policy_have_the_last_word(site: SmallSite) -> None:
    top = ids(site.slate(**U1))[:2]
    put(site, "gone", {"kind": "block", "items": top})
    assert not set(top) & set(ids(site.slate(**U1)))
    put(site, "gone", {"kind": "block", "where": '"comedy" in categories'})
    assert not [each for each in ids(site.slate(**U1)) if each.startswith("comedy")]
    put(site, "gone", {"kind": "restrict", "where": '"comedy" in categories', "min_age": 18})
    young = ids(site.slate(session_id="s", limit=40))
    assert not [each for each in young if each.startswith("comedy")], "of unknown age"
    old = ids(site.slate(session_id="s", limit=40, age=30))
    assert [each for each in old if each.startswith("comedy")]


def test_what_was_seen_may_come_back(site: SmallSite) -> None:
    history = site.client.get("/v1/history", params={"user_id": "u1"}).json()["events"]
    taken = {each["item_id"] for each in history}
    assert not taken & set(ids(site.slate(user_id="u1", limit=50)))
    put(site, "again", {"kind": "seen", "policy": "show"})
    assert taken & set(ids(site.slate(user_id="u1", limit=50)))
    put(site, "again", {"kind": "seen", "policy": "hide_days", "days": 2.5})
    back = taken & set(ids(site.slate(user_id="u1", limit=50)))
    assert back
    assert back != taken
    put(site, "again", {"kind": "seen", "policy": "hide"})
    assert not taken & set(ids(site.slate(user_id="u1", limit=50)))


def test_windows_and_shares_hold_on_the_page(site: SmallSite) -> None:
    genre = {"kind": "at_most", "of": "categories", "cap": 1, "window": 3}
    share = {"kind": "at_least", "where": '"horror" in categories', "share": 0.3}
    answer = site.client.put(
        "/v1/rules", json={"rules": [{"id": "mix", **genre}, {"id": "fright", **share}]}
    )
    assert answer.status_code == 200, answer.text
    kinds = [each.partition("-")[0] for each in ids(site.slate(**U1))]
    assert all(len(set(kinds[at : at + 3])) == 3 for at in range(8)), kinds
    assert kinds.count("horror") >= 3


def test_a_window_reaches_back_over_the_pages_before(site: SmallSite) -> None:
    rule = {"id": "apart", "kind": "at_most", "of": "categories", "cap": 1, "window": 4}
    site.client.put("/v1/rules", json={"rules": [rule]})
    genres: list[str] = []
    cursor = ""
    for _ in range(5):
        page = site.slate(user_id="u1", limit=3, cursor=cursor)
        genres += [each["item_id"].partition("-")[0] for each in page["items"]]
        cursor = page["next"]
    assert all(len(set(genres[at : at + 4])) == 4 for at in range(len(genres) - 3))


def test_traces_name_what_a_rule_did(site: SmallSite) -> None:
    put(site, "choice", PIN)
    put(site, "mix", {"kind": "at_most", "where": '"comedy" in categories', "cap": 0})
    page = site.slate(**U1)
    trace = site.client.get(f"/v1/traces/{page['recommendation_id']}").json()
    assert trace["items"][0]["notes"] == ["pin:choice put it here"]
    assert "rule.compose" in [stage["name"] for stage in trace["stages"]]
    assert trace["relaxed"] == {}


def test_a_rule_that_cannot_be_kept_gives_way_and_says_so(site: SmallSite) -> None:
    put(site, "none", {"kind": "at_most", "of": "categories", "cap": 0})
    page = site.slate(**U1)
    assert len(page["items"]) == 10
    trace = site.client.get(f"/v1/traces/{page['recommendation_id']}").json()
    assert trace["relaxed"] == {"in_window:none": 10}


@pytest.mark.parametrize(
    ("rule", "pointer"),
    [
        (PIN | {"items": ["romance-5", "nothing-1"]}, "/items/1"),
        (PIN | {"surfaces": ["home", "hme"]}, "/surfaces/1"),
        (PIN | {"audience": "user.country = 3"}, "/audience:"),
        (PIN | {"audience": '"drama" in categories'}, "/audience:"),
        ({"kind": "boost", "where": "yeer > 3", "by": 1}, "/where:1"),
        ({"kind": "boost", "where": "has(year", "by": 1}, "/where:"),
        ({"kind": "boots"}, "/kind"),
    ],
)
def test_what_is_wrong_is_refused_with_its_place_and_changes_nothing(
    site: SmallSite, rule: Json, pointer: str
) -> None:
    found = refused(site.client.put("/v1/rules/r", json=rule))
    assert found[0].startswith(pointer)
    whole = {"rules": [{"id": "good", **PIN}, {"id": "r", **rule}]}
    found = refused(site.client.put("/v1/rules", json=whole))
    assert found[0].startswith(f"/rules/1{pointer}")
    assert site.client.get("/v1/rules").json()["rules"] == []


def test_a_change_goes_by_the_version_it_was_made_for(site: SmallSite) -> None:
    assert site.client.get("/v1/rules").headers["etag"] == '"0"'
    first = site.client.post("/v1/rules", json={"id": "a", **PIN}, headers={"If-Match": '"0"'})
    assert first.status_code == 201
    assert first.headers["etag"] == '"1"'
    late = site.client.put("/v1/rules/a", json=PIN, headers={"If-Match": '"0"'})
    refused(late, 412)
    refused(site.client.post("/v1/rules", json={"id": "a", **PIN}), 409)
    refused(site.client.put("/v1/rules/a", json=PIN, headers={"If-Match": "x"}), 422)
    refused(site.client.delete("/v1/rules/b"), 404)
    refused(site.client.get("/v1/rules/b"), 404)
    one = site.client.get("/v1/rules/a")
    assert one.json() == {"id": "a", **PIN}
    again = site.client.get("/v1/rules").json()
    assert site.client.put("/v1/rules", json={"rules": again["rules"]}).json()["version"] == 1


def test_the_audit_log_tells_who_changed_what(site: SmallSite) -> None:
    put(site, "a", PIN, **{"X-Actor": "anna"})
    put(site, "a", PIN | {"slots": [2]}, **{"X-Actor": "ben"})
    site.client.delete("/v1/rules/a")
    lines = site.client.get("/v1/rules/audit").json()["changes"]
    assert [(each["who"], each["action"]) for each in lines] == [
        ("api", "removed"),
        ("ben", "changed"),
        ("anna", "added"),
    ]
    assert (lines[1]["before"]["slots"], lines[1]["after"]["slots"]) == ([1], [2])
    assert lines[0]["time"].startswith("2023-11-14T")
    page = site.client.get("/v1/rules/audit", params={"limit": 2}).json()
    rest = site.client.get("/v1/rules/audit", params={"before": page["next"]}).json()
    assert [each["version"] for each in rest["changes"]] == [1]


def test_keys_are_told_apart_in_the_audit_log(site_of: Callable[..., SmallSite]) -> None:
    site = site_of(api_keys=("one", "two"))
    for key in ("one", "two"):
        answer = site.client.put(f"/v1/rules/{key}", json=PIN, headers={"X-API-Key": key})
        assert answer.status_code == 200
    lines = site.client.get("/v1/rules/audit", headers={"X-API-Key": "one"}).json()["changes"]
    assert len({each["who"] for each in lines}) == 2
    assert "one" not in lines[1]["who"]


def test_a_preview_shows_before_and_after_and_stores_nothing(site: SmallSite) -> None:
    put(site, "choice", PIN)
    drafts = [{"id": "choice", **PIN, "items": ["space-1"]}]
    body = {"rules": drafts, "requests": [{"surface": "home", "user_id": "u1", "limit": 5}]}
    [slate] = site.client.post("/v1/rules/preview", json=body).json()["slates"]
    assert slate["before"][0] == "romance-5"
    first = slate["after"][0]
    assert (first["item_id"], first["was"], first["reason"]["kind"]) == (
        "space-1",
        None,
        "editorial",
    )
    assert first["rules"] == ["pin:choice put it here"]
    assert slate["acting"] == ["choice"]
    assert [each["item_id"] for each in slate["gone"]] == ["romance-5"]
    assert ids(site.slate(**U1))[0] == "romance-5"
    without = {"remove": ["choice"], "requests": [{"user_id": "u1", "limit": 5}]}
    [slate] = site.client.post("/v1/rules/preview", json=without).json()["slates"]
    assert slate["acting"] == []
    assert "romance-5" not in [each["item_id"] for each in slate["after"]]


def test_a_preview_tries_the_newest_requests_where_none_are_named(site: SmallSite) -> None:
    site.slate(user_id="u1", limit=5)
    site.slate(session_id="s", limit=5)
    site.slate("more_like_this", user_id="u2", item_id="drama-1")
    lift = {"id": "up", "kind": "boost", "where": '"drama" in categories', "by": 3}
    body = site.client.post("/v1/rules/preview", json={"rules": [lift], "sample": 9}).json()
    assert [each["visitor"] for each in body["slates"]] == ["u2", "s", "u1"]
    told = [note for slate in body["slates"] for e in slate["after"] for note in e["rules"]]
    assert any(note.startswith("lift:up moved it from") for note in told)
    refused(site.client.post("/v1/rules/preview", json={"remove": ["x"]}))
    refused(site.client.post("/v1/rules/preview", json={"rules": [{"id": "x"}]}))
    refused(site.client.post("/v1/rules/preview", json={"sample": "x"}))


def test_the_file_has_rules_too_and_they_change_without_a_restart(site: SmallSite) -> None:
    file = site.settings.home / "palate.toml"
    rules = site.app.state["runtime"].rules
    table = '[rules.choice]\nkind = "pin"\nitems = ["romance-5"]\nslots = [1]\n'
    file.write_text(table, "utf-8")
    rules.look_now(site.stores)
    assert ids(site.slate(**U1))[0] == "romance-5"
    told = site.client.get("/v1/rules").json()
    assert [each["id"] for each in told["file"]] == ["choice"]
    refused(site.client.put("/v1/rules/choice", json=PIN), 409)
    refused(site.client.delete("/v1/rules/choice"), 409)
    file.write_text(table.replace("slots", "slts"), "utf-8")
    rules.look_now(site.stores)
    assert ids(site.slate(**U1))[0] == "romance-5", "a wrong file changes nothing"
    assert any("slts" in each for each in site.client.get("/readyz").json()["remarks"])
    file.write_text("", "utf-8")
    rules.look_now(site.stores)
    assert ids(site.slate(**U1))[0] != "romance-5"
    assert site.client.get("/readyz").json()["remarks"] == []


def test_a_preview_asks_what_was_asked_with_all_that_was_said(site: SmallSite) -> None:
    asked = {"user_id": "u1", "limit": 7, "region": "DE", "age": 40, "context": {"device": "tv"}}
    answer = site.client.post("/v1/recommendations/home", json=asked)
    assert answer.status_code == 200
    gone = {"surface": "more_like_this", "item_id": "drama-1", "session_id": "s", "limit": 3}
    assert site.client.post("/v1/recommendations", json=gone).status_code == 200
    site.settle()
    pin = {"id": "tv", "kind": "pin", "items": ["romance-5"], "slots": [1]}
    pin |= {"audience": 'context.device == "tv"'}
    old = {"id": "old", "kind": "restrict", "where": '"space" in categories', "min_age": 30}
    body = {"rules": [pin, old], "sample": 9}
    slates = site.client.post("/v1/rules/preview", json=body).json()["slates"]
    by_surface = {each["surface"]: each for each in slates}
    home = by_surface["home"]
    assert home["acting"] == ["tv", "old"]
    assert len(home["after"]) == 7
    assert home["after"][0]["item_id"] == "romance-5"
    assert not home["removed"].get("restrict:old"), "they said that they are 40"
    assert len(by_surface["more_like_this"]["after"]) == 3
    site.client.delete("/v1/items/drama-1")
    site.tick()


def test_a_trace_without_its_request_still_reads_and_a_long_one_is_not_kept() -> None:
    ask = Ask(surface="home", user_id="u1", cursor="x", context={"device": "tv"})
    kept = repeatable(ask)
    assert kept is not None
    assert (kept.cursor, kept.context) == ("", {"device": "tv"})
    assert repeatable(Ask(exclude=tuple(f"item-{n}" for n in range(1_000)))) is None


def test_a_rule_of_the_file_that_names_no_item_there_is_says_so_and_acts_when_one_comes(
    site: SmallSite,
) -> None:
    (site.settings.home / "palate.toml").write_text(
        '[rules.one]\nkind = "pin"\nitems = ["later"]\nslots = [1]\n'
        '[rules.two]\nkind = "block"\nitems = ["later", "drama-1"]\nsurfaces = ["trending"]\n',
        "utf-8",
    )
    look(site)
    told = " ".join(site.client.get("/readyz").json()["remarks"])
    assert "rule one cannot act: none of its items is there: 'later'" in told
    assert "rule two names what is not there: 'later'" in told
    site.client.put("/v1/items/later", json={"title": "Later"})
    site.worker.drain()
    site.app.state["runtime"].rules._catalogue_at = -1e9
    look(site)
    assert site.client.get("/readyz").json()["remarks"] == []
    assert site.slate("home", user_id="u1")["items"][0]["item_id"] == "later"
