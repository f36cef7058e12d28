"""A whole page in one answer: rows for this visitor, no item twice, each explained and logged."""

import asyncio
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from litestar.testing import TestClient
from msgspec.structs import replace
from tests.serving.conftest import SmallSite

from palate.arrays import Rows
from palate.clock import FixedClock
from palate.errors import BadInput
from palate.events.kinds import Kind
from palate.funnel.types import Reason, Slate
from palate.serving.app import create
from palate.serving.composing import Row, placed_rows
from palate.serving.recommend import Recommending
from palate.settings import PageSettings, Settings
from palate.site import Site
from palate.stores import close
from palate.surfaces import funnels
from palate.testing.tiny import EACH, NOW, tiny_site

Json = dict[str, Any]


def page(site: SmallSite, name: str = "home", **query: Any) -> Json:
    answer = site.client.get(f"/v1/pages/{name}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def view(item: str, value: float, at: float = NOW, user: str = "u1") -> Json:
    told = {"kind": "view", "user_id": user, "item_id": item, "value": value}
    return {**told, "event_id": f"{item}-{at}-{value}", "time": at}


def items(row: Json) -> list[str]:
    return [entry["item_id"] for entry in row["items"]]


def test_no_item_stands_on_a_page_twice_and_every_row_is_explained(site: SmallSite) -> None:
    found = page(site, user_id="u1", limit=8)
    surfaces = [row["surface"] for row in found["rows"]]
    assert found["page"] == "home"
    assert {"home", "trending", "because_you_watched"} <= set(surfaces)
    shown = [item for row in found["rows"] for item in items(row)]
    assert len(shown) == len(set(shown))
    for row in found["rows"]:
        assert 4 <= len(row["items"]) <= 8
        assert [entry["position"] for entry in row["items"]] == [*range(1, len(row["items"]) + 1)]
        assert all(entry["reason"]["text"] for entry in row["items"])


def test_rows_about_items_have_different_anchors(site: SmallSite) -> None:
    site.send(view("space-2", 0.95))
    rows = page(site, user_id="u1", limit=5)["rows"]
    anchors = [row["anchor"] for row in rows if row["surface"] == "because_you_watched"]
    assert len(anchors) == len(set(anchors)) == 2
    assert all(anchor not in items(row) for anchor in anchors for row in rows)


def test_what_was_begun_comes_first_however_little(site: SmallSite) -> None:
    site.send(view("space-1", 0.4))
    first = page(site, user_id="u1", limit=5)["rows"][0]
    assert (first["surface"], items(first)) == ("continue_watching", ["space-1"])
    assert first["items"][0]["reason"]["text"] == "You have not finished this"
    site.send(view("space-1", 0.97, NOW + 1))
    assert page(site, user_id="u1", limit=5)["rows"][0]["surface"] != "continue_watching"


def test_short_rows_are_rows_where_short_ones_are_asked_for(site: SmallSite) -> None:
    rows = page(site, user_id="u1", limit=2)["rows"]
    assert len(rows) >= 3
    assert {len(row["items"]) for row in rows} == {2}


def test_somebody_new_gets_rows_that_need_no_history(site: SmallSite) -> None:
    surfaces = [row["surface"] for row in page(site, session_id="new", limit=5)["rows"]]
    assert "because_you_watched" not in surfaces
    assert "home" in surfaces


def test_every_row_is_logged_as_it_was_shown_and_can_be_traced(site: SmallSite) -> None:
    rows = page(site, user_id="u1", limit=5)["rows"]
    site.settle()
    logged = {e.recommendation_id: e for e in site.logged(kind=Kind.IMPRESSION)}
    for row in rows:
        event = logged[row["recommendation_id"]]
        assert [shown.item_id for shown in event.items] == items(row)
        assert event.surface == row["surface"]
    assert len({row["recommendation_id"] for row in rows}) == len(rows)
    trace = site.client.get(f"/v1/traces/{rows[0]['recommendation_id']}")
    assert trace.status_code == 200


def test_a_filter_holds_for_every_row(site: SmallSite) -> None:
    rows = page(site, user_id="u1", limit=5, filter='"space" in categories')["rows"]
    assert rows
    assert all(item.startswith("space") for row in rows for item in items(row))


@pytest.mark.parametrize(
    ("path", "status", "told"),
    [
        ("/v1/pages/nothing", 404, "there is no page 'nothing'; there are home"),
        ("/v1/pages/home?limit=0", 422, "limit"),
        ("/v1/pages/home?filter=year >", 422, "filter"),
        ("/v1/pages/home?cursor=abc", 422, "cursor"),
    ],
)
def test_a_wrong_question_is_told_what_is_wrong(
    site: SmallSite, path: str, status: int, told: str
) -> None:
    answer = site.client.get(path)
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert told in answer.text


@pytest.fixture
def kids(tmp_path: Path) -> Iterator[TestClient[Any]]:
    wanted = {"kids": PageSettings(rows=("trending", "home"), first=("trending",), least=1)}
    stores, _ = tiny_site(Settings(home=tmp_path, pages=wanted))
    app = create(stores.settings, clock=FixedClock(NOW), stores=stores)
    with TestClient(app) as client:
        yield client
    close(stores)


def test_a_site_has_pages_of_its_own_beside_home(kids: TestClient[Any]) -> None:
    told = kids.get("/v1/pages/kids", params={"user_id": "u1", "limit": 3}).json()
    assert {row["surface"] for row in told["rows"]} == {"trending", "home"}
    assert kids.get("/v1/pages/home", params={"user_id": "u1"}).status_code == 200


def test_a_page_of_a_surface_that_there_is_not_is_refused(tmp_path: Path) -> None:
    wanted = {"kids": PageSettings(rows=("hom",))}
    stores, _ = tiny_site(Settings(home=tmp_path, pages=wanted))
    with pytest.raises(BadInput, match=r"\[pages.kids\] there is no surface 'hom'"):
        funnels(stores)
    close(stores)


def test_a_row_below_others_explores_too(kids: TestClient[Any]) -> None:
    explored = 0
    for _ in range(5):
        first, home = kids.get("/v1/pages/kids", params={"user_id": "u1", "limit": 8}).json()[
            "rows"
        ]
        assert (first["surface"], home["surface"]) == ("trending", "home")
        explored += any(entry["explore"] for entry in home["items"])
    assert explored


def test_what_is_certain_is_logged_as_certain(site: SmallSite) -> None:
    rows = page(site, user_id="u1", limit=8)["rows"]
    site.settle()
    logged = {e.recommendation_id: e for e in site.logged(kind=Kind.IMPRESSION)}
    told = [shown for row in rows for shown in logged[row["recommendation_id"]].items]
    assert any(shown.explore and shown.propensity < 1 for shown in told)
    assert all(shown.propensity == 1.0 or shown.explore for shown in told)


def test_rules_hold_of_every_row_as_it_is_shown(site: SmallSite) -> None:
    rules = [
        {"id": "mix", "kind": "at_most", "of": "categories", "cap": 1, "window": 3},
        {"id": "pick", "kind": "pin", "items": ["romance-5"], "slots": [6], "surfaces": ["home"]},
        {"id": "wide", "kind": "at_least", "where": '"drama" in categories', "count": 2},
    ]
    assert site.client.put("/v1/rules", json={"rules": rules}).status_code == 200
    below = pinned = 0
    for n in range(6):
        rows = page(site, user_id=f"u{n}", limit=8)["rows"]
        site.settle()
        for at, row in enumerate(rows):
            trace = site.client.get(f"/v1/traces/{row['recommendation_id']}").json()
            genres = [item.partition("-")[0] for item in items(row)]
            close = [k for k in range(len(genres)) if genres[k] in genres[max(0, k - 2) : k]]
            assert len(close) <= trace["relaxed"].get("in_window:mix", 0), (row["surface"], genres)
            dramas = genres.count("drama") + trace["relaxed"].get("at_least:wide", 0)
            assert dramas >= 2, (row["surface"], genres)
            if row["surface"] == "home" and "romance-5" in items(row):
                assert items(row)[5] == "romance-5"
                pinned += 1
            below += at > 0
    assert below >= 6
    assert pinned >= 3


def test_what_a_rule_kept_for_a_row_that_is_not_shown_is_shown_by_another(site: SmallSite) -> None:
    genres = ("drama", "romance", "comedy", "action", "horror", "space")
    names = [f"{genre}-{n}" for genre in genres for n in range(EACH)][:-1]
    pinned = 0
    for few in (8, 9, 10):
        left = {"romance-5", *names[:: len(names) // few][: few - 1]}
        rules = [
            {"id": "few", "kind": "block", "items": [name for name in names if name not in left]},
            {"id": "pick", "kind": "pin", "items": ["romance-5"], "slots": [6]},
        ]
        assert site.client.put("/v1/rules", json={"rules": rules}).status_code == 200
        for n in range(6):
            asked = {"user_id": f"u{n}", "limit": 8}
            alone = site.client.get("/v1/recommendations/home", params=asked).json()
            rows = [items(row) for row in page(site, **asked)["rows"]]
            if items(alone)[5:6] == ["romance-5"] and any(len(row) > 5 for row in rows):
                assert [row[5] for row in rows if "romance-5" in row] == ["romance-5"], (few, n)
                pinned += 1
    assert pinned >= 6


@dataclass
class Listed:
    """A row whose order nothing changes but what stands above it."""

    async def beneath(self, found: Any, above: Rows, size: int) -> Any:
        slate = found.answer.slate
        left = slate.take(np.flatnonzero(~np.isin(slate.rows, above))[:size])
        return SimpleNamespace(query=found.query, answer=SimpleNamespace(slate=left))


def listed(surface: str, rows: list[int], pinned: Sequence[int] = ()) -> Row:
    """A row, and what of it a rule put there."""
    slate = Slate(np.array(rows, np.int32), np.linspace(1, 0, len(rows), dtype=np.float32))
    slate = replace(slate, marks={row: Reason("editorial") for row in pinned})
    answer = SimpleNamespace(slate=slate, trace=SimpleNamespace(ranked=None))
    query = SimpleNamespace(surface=surface)
    return Row(cast("Any", Listed()), cast("Any", SimpleNamespace(query=query, answer=answer)))


def test_a_row_that_finds_its_place_in_the_end_keeps_what_a_rule_put_there() -> None:
    """Two rows keep items from each other; only one of them is left without a place."""
    rows = [
        listed("home", [10, 11, 12, 7]),
        listed("one", [7, 8, 9, 20], pinned=[7]),
        listed("other", [8, 9, 7], pinned=[8, 9]),
    ]
    page = PageSettings(rows=("home", "one", "other"), least=3)
    found = asyncio.run(placed_rows(rows, 4, page))
    shown = [(row.found.query.surface, row.slate.rows.tolist()) for row in found]
    assert shown == [("home", [10, 11, 12]), ("one", [7, 8, 9, 20])]


def test_a_row_is_timed_without_the_rows_after_it(
    site: SmallSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = Recommending.written

    async def slowly(asking: Recommending, found: Any) -> Any:
        await asyncio.sleep(0.3)  # what telling a row takes is the time of the page
        return await written(asking, found)

    monkeypatch.setattr(Recommending, "written", slowly)
    rows = page(site, user_id="u1", limit=5)["rows"]
    assert len(rows) > 2
    assert max(row["timing"]["total_ms"] for row in rows) < 300.0
    told = site.client.get("/metrics").text
    of_rows = re.findall(r"palate_request_duration_seconds_sum{.*} (.*)", told)
    assert sum(map(float, of_rows)) < 0.3 * len(rows)
    [whole] = re.findall(r'palate_page_duration_seconds_sum{surface="home"} (.*)', told)
    assert float(whole) >= 0.3 * len(rows)


def test_a_page_may_be_asked_for_with_context_and_without_some_items(site: SmallSite) -> None:
    rule = {"id": "tv", "kind": "pin", "items": ["romance-5"], "slots": [1]}
    rule |= {"audience": 'context.device == "tv"'}
    assert site.client.post("/v1/rules", json=rule).status_code < 300
    asked = {"user_id": "u1", "limit": 4, "region": "DE", "age": 40}

    def heads(**more: Any) -> set[str]:
        answer = site.client.post("/v1/pages/home", json=asked | more)
        assert answer.status_code == 200, answer.text
        return {items(row)[0] for row in answer.json()["rows"]}

    assert "romance-5" not in heads()
    assert "romance-5" in heads(context={"device": "tv"})
    assert "romance-5" not in heads(context={"device": "tv"}, exclude=["romance-5"])
    wrong = site.client.post("/v1/pages/home", json=asked | {"cursor": "x"})
    assert wrong.status_code == 422
    assert site.client.post("/v1/pages/nowhere", json=asked).status_code == 404


def test_a_catalogue_of_a_few_items_has_a_row_all_the_same(tmp_path: Path) -> None:
    """The README's: what is left of four items for a visitor is fewer than a row should have."""
    with Site.open(tmp_path / "small", clock=FixedClock(NOW)) as small:
        small.items.put([{"item_id": name, "title": name} for name in ("a", "b", "c")])
        small.events.append([{"kind": "like", "session_id": "s1", "item_id": "a"}])
        app = create(small.settings, clock=FixedClock(NOW), stores=small.stores)
        with TestClient(app) as client:
            found = client.get("/v1/pages/home?session_id=s1&limit=5").json()
    assert [sorted(items(row)) for row in found["rows"]] == [["b", "c"]]
