"""A generator that waits for ever: pages, `why` and previews leave it behind."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest
from tests.serving.conftest import SmallSite

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
