"""How often campaigns were shown is told once, by threads that tell at once and at the end."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Event, Semaphore

from litestar.testing import TestClient
from tests.serving.conftest import SmallSite

from palate.rules.sqlite import SqliteRules
from palate.serving.app import create
from palate.serving.steering.placements import Placements
from palate.stores import open_rules

CAMPAIGN = {"id": "ad", "kind": "pin", "items": ["romance-5"], "slots": [1], "impressions": 3}


class Slow(SqliteRules):
    """A book that takes a while to write down what it is told."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.begun, self.go = Semaphore(0), Event()

    def placed(self, more: Mapping[str, int]) -> dict[str, int]:
        self.begun.release()
        assert self.go.wait(10)
        return super().placed(more)


def test_what_is_told_at_the_same_time_is_told_once(tmp_path: Path) -> None:
    book = Slow(tmp_path / "rules.db")
    placements = Placements(book)
    placements.note(["ad"])
    with closing(book), ThreadPoolExecutor(2) as pool:
        first = pool.submit(placements.settle)
        assert book.begun.acquire(timeout=10)
        second = pool.submit(placements.settle)
        book.begun.acquire(timeout=0.3)  # it would begin, were it not for the first
        assert placements.spent("ad") == 1
        book.go.set()
        first.result()
        second.result()
        assert (placements.spent("ad"), book.placed({})) == (1, {"ad": 1})


def test_a_worker_that_ends_tells_what_it_placed_last(site: SmallSite) -> None:
    site.client.post("/v1/rules", json=CAMPAIGN)
    other = create(site.settings, clock=site.clock, stores=site.stores)
    with TestClient(other) as client:
        page = client.get("/v1/recommendations/home", params={"user_id": "u0"}).json()
        assert page["items"][0]["item_id"] == "romance-5", page
    with closing(open_rules(site.settings)) as book:
        assert book.placed({}) == {"ad": 1}
