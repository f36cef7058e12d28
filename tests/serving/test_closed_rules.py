"""Rules that hide go by the request, and stay closed where too little is known of who asks."""

from dataclasses import replace
from typing import Any

import pytest
from tests.serving.conftest import Json, SmallSite

from palate.events.kinds import Kind
from palate.testing.tiny import DAY, GENRES

ALL = {"limit": 60, "region": "DE"}
ACTION = {"where": '"action" in categories'}


def rules(site: SmallSite, *documents: Json) -> None:
    answer = site.client.put("/v1/rules", json={"rules": documents})
    assert answer.status_code == 200, answer.text


def action(site: SmallSite, **asked: Any) -> int:
    slate = site.client.post("/v1/recommendations", json={"surface": "home"} | asked).json()
    return sum(entry["item_id"].startswith("action") for entry in slate["items"])


@pytest.mark.parametrize("who", [{"user_id": "u1"}, {"session_id": "new"}])
def test_an_audience_goes_by_the_age_that_the_request_names(site: SmallSite, who: Json) -> None:
    rules(site, {"id": "minors", "kind": "block", "audience": "user.age < 18"} | ACTION)
    assert action(site, **who, **ALL, age=40) > 0
    assert action(site, **who, **ALL, age=10) == 0
    assert action(site, **who, **ALL, age=0) == 0


def test_conditions_go_by_the_region_that_the_request_names(site: SmallSite) -> None:
    asked = {"session_id": "new", "limit": 60, "age": 40}
    for text in ('user.country == "de"', 'user.country in ["DE"]'):
        assert action(site, **asked, region="de", filter=text) > 0
        assert action(site, **asked, region="US", filter=text) == 0
    rules(site, {"id": "home", "kind": "block", "where": 'user.country == "DE"'})
    assert action(site, **asked, region="US") > 0
    assert action(site, **asked, region="de") == 0


@pytest.mark.parametrize("kind", [{"kind": "block"}, {"kind": "restrict", "min_age": 90}])
@pytest.mark.parametrize(
    "rule",
    [
        {"audience": "user.age < 18"},
        {"audience": "not user.age >= 18"},
        {"audience": 'user.age < 18 or context.device == "tv"'},
        {"where": '"action" in categories and user.age < 18'},
    ],
)
def test_what_hides_acts_where_the_answer_is_not_known(
    site: SmallSite, kind: Json, rule: Json
) -> None:
    rules(site, {"id": "minors"} | kind | ACTION | rule)
    assert action(site, session_id="new", limit=60) == 0
    assert action(site, session_id="new", **ALL, age=17) == 0
    told = {"context": {"device": "phone"}}
    assert action(site, session_id="new", **ALL, age=40, **told) > 0


def test_who_asks_for_knowledge_gets_it_as_it_is(site: SmallSite) -> None:
    known = "has(user.age) and user.age < 18"
    rules(site, {"id": "minors", "kind": "block", "audience": known} | ACTION)
    assert action(site, session_id="new", limit=60) > 0


@pytest.mark.parametrize("written", ["de", "DE"])
def test_regions_are_the_same_in_capitals(site: SmallSite, written: str) -> None:
    rules(site, {"id": "r", "kind": "restrict", "regions": [written]} | ACTION)
    assert action(site, session_id="new", limit=60, region="DE") > 0
    assert action(site, session_id="new", limit=60, region="de") > 0
    assert action(site, session_id="new", limit=60, region="US") == 0


def test_a_pin_on_something_that_is_paid_for_still_says_so(site: SmallSite) -> None:
    pick = {"id": "pick", "kind": "pin", "items": ["romance-5"], "slots": [1], "label": "Pick"}
    paid = {"kind": "boost", "where": '"romance" in categories', "by": 2, "label": "Acme"}
    rules(site, pick, {"id": "ad", "sponsored": True} | paid)
    first = site.slate(user_id="u1", limit=8)["items"][0]
    assert first["item_id"] == "romance-5"
    assert (first["reason"]["kind"], first["reason"]["rule"]) == ("sponsored", "pick")
    assert first["reason"]["text"] == "Sponsored: Acme"
    rules(site, {"id": "own"} | paid, {"id": "ad", "sponsored": True} | paid)
    boosted = [e["reason"]["kind"] for e in site.slate(user_id="u1", limit=8)["items"]]
    assert "sponsored" in boosted
    assert "editorial" not in boosted


def test_the_record_of_a_page_is_not_the_callers_to_write(site: SmallSite) -> None:
    forged = {"release": "evil", "step": "static", "policy": "none", "device": "tv"}
    body = {"surface": "home", "user_id": "u1", "limit": 8, "context": forged}
    site.client.post("/v1/recommendations", json=body)
    site.settle()
    event = site.logged(kind=Kind.IMPRESSION)[-1]
    assert event.context["step"] == "full"
    assert event.context["release"] != "evil"
    assert event.context.get("policy") != "none"
    assert event.context["device"] == "tv"


def test_rules_are_made_anew_with_what_a_release_brings(site: SmallSite) -> None:
    rules(site, {"id": "w", "kind": "at_most", "of": "code", "cap": 1, "window": 3})
    watch = site.app.state["runtime"].rules
    before = watch.program
    watch.look_now(site.stores)
    assert watch.program is before
    watch.look_now(replace(site.stores))
    assert watch.program is not before


def test_what_counts_as_had_is_for_the_rule_to_say(site: SmallSite) -> None:
    def shown(**seen: Any) -> set[str]:
        rules(site, {"id": "again", "kind": "seen", "policy": "hide"} | seen)
        return {entry["item_id"] for entry in site.slate(user_id="u1", limit=50)["items"]}

    first = [entry["item_id"] for entry in site.slate(user_id="u1", limit=4)["items"]]
    site.settle()
    click = {"kind": "click", "user_id": "u1", "item_id": first[0], "event_id": "c"}
    site.send(click | {"time": site.clock.time})
    site.worker.drain()
    assert shown() >= set(first)
    assert shown(of="clicked") & set(first) == set(first[1:])
    assert not shown(of="shown") & set(first)
    weeks = {"policy": "hide_days", "days": 7}
    assert not shown(of="shown", **weeks) & set(first)
    why = site.client.get(
        "/v1/why/home", params={"user_id": "u1", "item_id": first[1], "limit": 50}
    ).json()
    assert (why["stage"], why["part"]) == ("filter", "hide_seen_for:again")
    assert "shown to the visitor" in why["sentence"]
    assert "the operator's rule 'again'" in why["cure"]
    site.clock.time += 8 * DAY
    assert shown(of="shown", **weeks) & set(first)


def test_why_not_names_the_rule_whose_number_it_was(site: SmallSite) -> None:
    rules(site, {"id": "mix", "kind": "diversity", "strength": 9})
    found = set[tuple[str, str]]()
    for name in [f"{genre}-{n}" for genre in GENRES for n in range(9)]:
        asked = {"user_id": "u1", "item_id": name, "limit": 6, "region": "DE", "age": 40}
        why = site.client.get("/v1/why/home", params=asked).json()
        if why["stage"] == "rule":
            found.add((why["part"], why["cure"]))
    assert any(part == "diversify:mix" and "rule 'mix'" in cure for part, cure in found)


def test_sent_away_and_on_screen_have_cures_of_their_own(site: SmallSite) -> None:
    hide = {"kind": "hide", "user_id": "u2", "properties": {"creator_id": "drama-studio-0"}}
    site.send(hide | {"event_id": "h", "time": site.clock.time})
    asked = {"user_id": "u2", "limit": 40, "region": "DE", "age": 40}
    why = site.client.get("/v1/why/home", params=asked | {"item_id": "drama-2"}).json()
    assert (why["part"], why["cure"].startswith("a follow")) == ("hide_muted", True)
    seeded = {"item_id": "space-2", "seed_item_id": "space-2"}
    why = site.client.get("/v1/why/more_like_this", params=asked | seeded).json()
    assert why["part"] == "hide_seed"
    assert why["cure"].startswith("another item on screen")
