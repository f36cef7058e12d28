"""A generator that waits for ever: pages, `why` and previews leave it behind."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from threading import Event

import pytest
from tests.serving.conftest import SmallSite

from palate.errors import CorruptStore
from palate.funnel.types import Candidates, Query, Reason


@dataclass(frozen=True)
class Hangs:
    """Waits for what would be for ever elsewhere."""

    waited: list[int] = field(default_factory=list)

    async def generate(self, query: Query, limit: int) -> Candidates:
        await asyncio.sleep(6.0)
        self.waited.append(limit)
        return Candidates.none()

    def explain(self, query: Query, row: int) -> Reason:
        raise RuntimeError("never asked")


@pytest.fixture
def hung(site_of: Callable[..., SmallSite]) -> tuple[SmallSite, Hangs]:
    site, hangs = site_of(page_ms=1_200.0, why_ms=800.0), Hangs()
    funnels = site.app.state["runtime"].live.funnels
    home = funnels["home"]
    funnels["home"] = replace(home, generators=(*home.generators, hangs))
    return site, hangs


def test_a_page_comes_with_all_its_rows(hung: tuple[SmallSite, Hangs]) -> None:
    site, hangs = hung
    rows = site.client.get("/v1/pages/home", params={"user_id": "u1", "limit": 5}).json()["rows"]
    assert "home" in {row["surface"] for row in rows}
    assert hangs.waited == []


def test_why_and_preview_are_answered(hung: tuple[SmallSite, Hangs]) -> None:
    site, hangs = hung
    asked = {"item_id": "comedy-8", "user_id": "u1", "limit": 20}
    assert site.client.get("/v1/why/home", params=asked).json()["stage"]
    body = {"rules": [], "requests": [{"surface": "home", "user_id": "u1"}]}
    [slate] = site.client.post("/v1/rules/preview", json=body).json()["slates"]
    assert slate["before"]
    assert hangs.waited == []


def test_an_unreadable_catalogue_costs_no_answer(
    site_of: Callable[..., SmallSite], monkeypatch: pytest.MonkeyPatch
) -> None:
    site = site_of()
    names = site.app.state["runtime"].names

    def fails(*_: object, **__: object) -> None:
        raise CorruptStore("the catalogue cannot be read")

    monkeypatch.setattr(names._items, "rows", fails)
    monkeypatch.setattr(names._items, "ids", fails)
    names._rows.clear()
    names._named.clear()
    page = site.client.get("/v1/recommendations/more_like_this", params={"item_id": "comedy-8"})
    assert page.status_code == 200
    body = {"user_id": "u1", "exclude": ["comedy-8"]}
    assert site.client.post("/v1/recommendations/home", json=body).status_code == 200


def test_names_that_do_not_come_give_way_to_items_whose_names_are_there(
    site_of: Callable[..., SmallSite], monkeypatch: pytest.MonkeyPatch
) -> None:
    site = site_of(budget_ms=200.0)
    runtime = site.app.state["runtime"]
    likely = set(runtime.live.stores.boards.rows().tolist())
    full = [entry["item_id"] for entry in site.slate(user_id="u1", limit=3)["items"]]
    names, let_go = runtime.names, Event()
    popular = {row: each for row, each in names._named.items() if row in likely}
    unnamed = {each.item_id for each in names._named.values()} - set(full)
    assert unnamed
    names._named.clear()
    names._named.update({r: n for r, n in popular.items() if n.item_id not in full})
    monkeypatch.setattr(names, "_read", lambda _: let_go.wait(20.0) and {})
    try:
        page = site.slate(user_id="u1", limit=3)
    finally:
        let_go.set()
    assert page["step"] == "popular"


def test_long_questions_beyond_a_few_at_once_are_told_to_come_again(
    site_of: Callable[..., SmallSite],
) -> None:
    site = site_of()
    aside = site.app.state["runtime"].aside
    asked = {"item_id": "comedy-8", "user_id": "u1"}
    with aside.place(), aside.place():
        for answer in (
            site.client.get("/v1/why/home", params=asked),
            site.client.post("/v1/rules/preview", json={"rules": []}),
        ):
            assert answer.status_code == 503
            assert answer.headers["retry-after"] == "1"
        assert site.slate(user_id="u1")["items"]
    assert site.client.get("/v1/why/home", params=asked).status_code == 200
