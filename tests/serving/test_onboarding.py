"""A newcomer is asked, answers, and is somebody: over HTTP, with and without descriptions."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from litestar.testing import TestClient
from tests.serving.conftest import SmallSite

from palate.catalog.item import Item
from palate.clock import FixedClock
from palate.events.kinds import Event, Kind
from palate.serving.app import create
from palate.settings import Settings
from palate.stores import close, open_stores, stream_worker
from palate.testing.tiny import NOW


def asked(site: SmallSite, **query: str | int) -> list[str]:
    answer = site.client.get("/v1/onboarding", params=query)
    assert answer.status_code == 200, answer.text
    return [entry["item_id"] for entry in answer.json()["items"]]


def picked(site: SmallSite, *items: str, **who: str) -> dict[str, int]:
    answer = site.client.post("/v1/onboarding", json={**who, "picks": list(items)})
    assert answer.status_code == 202, answer.text
    site.worker.drain()
    return dict(answer.json())


def test_the_question_covers_every_corner_and_is_not_logged_as_shown(site: SmallSite) -> None:
    before = site.stores.log.count()
    genres = Counter(name.partition("-")[0] for name in asked(site, session_id="n", limit=12))
    site.settle()
    assert len(genres) == 6, "every genre of the tiny world"
    assert max(genres.values()) <= 3
    assert site.stores.log.count() == before


def test_policy_filters_and_what_is_known_of_the_visitor_hold(site: SmallSite) -> None:
    everything = asked(site, limit=60, age=99)
    assert site.client.patch(f"/v1/items/{everything[0]}", json={"min_age": 18}).is_success
    site.worker.drain()
    assert everything[0] not in asked(site, limit=60, age=17)
    only = asked(site, limit=10, filter='"drama" in categories')
    assert only
    assert all(name.startswith("drama") for name in only)
    site.send({"kind": "view", "session_id": "n", "item_id": only[0], "value": 1.0})
    assert only[0] not in asked(site, session_id="n", limit=60)


def test_three_picks_make_a_page_personal_and_the_reasons_say_so(site: SmallSite) -> None:
    who = {"session_id": "newcomer"}
    before = site.slate(**who, limit=10)
    picks = [name for name in asked(site, **who, limit=24) if name.startswith("horror")][:3]
    assert picked(site, *picks, **who)["accepted"] == len(picks)
    after = site.slate(**who, limit=10)
    horrors = [sum(e["item_id"].startswith("horror") for e in p["items"]) for p in (before, after)]
    assert horrors[1] > horrors[0]
    assert not set(picks) & {entry["item_id"] for entry in after["items"]}
    assert any("picked" in entry["reason"]["text"] for entry in after["items"])


def test_picks_are_flagged_in_the_log_counted_once_and_shape_no_count(site: SmallSite) -> None:
    popular = [e["item_id"] for e in site.slate("trending", limit=20)["items"]]
    for number in range(30):
        picked(site, "drama-1", session_id=f"n{number}")
    assert picked(site, "drama-1", "drama-1", session_id="n0") == {"accepted": 0, "duplicates": 1}
    logged = site.logged(kind=Kind.PICK)
    assert len(logged) == 30
    assert {event.surface for event in logged} == {"onboarding"}
    assert [e["item_id"] for e in site.slate("trending", limit=20)["items"]] == popular


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"picks": ["drama-1"]}, "/user_id"),
        ({"user_id": "n", "picks": []}, "/picks"),
        ({"user_id": "n", "picks": ["drama-1", "nothing"]}, "/picks/1"),
        ({"user_id": "n", "pick": ["drama-1"]}, "/pick"),
        ({"user_id": 7, "picks": ["drama-1"]}, "/user_id"),
    ],
)
def test_what_is_wrong_is_named(site: SmallSite, body: dict[str, object], pointer: str) -> None:
    answer = site.client.post("/v1/onboarding", json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert not site.logged(kind=Kind.PICK)


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[SmallSite]:
    """Items that are nothing but an id: two circles of people, who take from their own forty."""
    (tmp_path / "palate.toml").touch()
    settings = Settings(home=tmp_path)
    stores = open_stores(settings, writer=True)
    worker = stream_worker(stores, FixedClock(NOW))
    stores.items.put([Item(item_id=f"{circle}{n}") for circle in "ab" for n in range(40)])
    dice = np.random.Generator(np.random.PCG64(1))
    stores.log.append(
        [
            Event(
                event_id=f"{circle}{user}-{n}",
                kind=Kind.VIEW,
                time=NOW - 9_000.0 + 10 * user + n,
                user_id=f"{circle}-{user}",
                item_id=f"{circle}{item}",
            )
            for circle in "ab"
            for user in range(40)
            for n, item in enumerate(dice.permutation(40)[:8].tolist())
        ],
        NOW,
    )
    worker.drain()
    clock = FixedClock(NOW)
    app = create(settings, clock=clock, stores=stores)
    with TestClient(app) as client:
        yield SmallSite(settings, stores, clock, app, client, worker)
    close(stores)


def test_without_any_text_or_category_the_question_still_divides_people(bare: SmallSite) -> None:
    circles = Counter(name[0] for name in asked(bare, limit=12))
    assert set(circles) == {"a", "b"}
    assert max(circles.values()) <= 8


@pytest.mark.parametrize("act", ["pick", "click"])
def test_without_any_text_or_category_one_act_makes_a_newcomer_personal(
    bare: SmallSite, act: str
) -> None:
    before = _certain(bare)
    if act == "pick":
        picked(bare, "b1", session_id="n")
    else:
        bare.send({"kind": "click", "session_id": "n", "item_id": "b1"})
    after = _certain(bare)
    circles = [sum(entry["item_id"].startswith("b") for entry in page) for page in (before, after)]
    assert circles[1] > circles[0]
    assert circles[1] > len(after) / 2
    assert any(entry["reason"]["item_ids"] == ["b1"] for entry in after)


def _certain(site: SmallSite) -> list[dict[str, Any]]:
    page = site.slate(session_id="n", limit=10)
    return [entry for entry in page["items"] if not entry["explore"]]


def test_without_any_text_or_category_a_new_item_is_found_at_once(bare: SmallSite) -> None:
    with bare.followed():
        assert bare.client.put("/v1/items/new", json={"item_id": "new"}).is_success
        bare.tick()
        new = bare.slate("new_for_you", session_id="n", limit=20)["items"]
    assert "new" in [entry["item_id"] for entry in new]
