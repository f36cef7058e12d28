"""The tiny world as a real site, seen through its storefront: API, stream worker and pages."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
from litestar.testing import TestClient
from tests.copied import tiny_copy

from palate.clock import FixedClock
from palate.console.app import front
from palate.serving.app import create
from palate.settings import ServingSettings, Settings, SiteSettings
from palate.stores import Stores, close
from palate.streaming.worker import StreamWorker
from palate.testing.tiny import NOW


@dataclass
class Shop:
    """An open site, a browser of its pages, and the worker that folds what it does."""

    stores: Stores
    client: TestClient[Any]
    worker: StreamWorker

    def page(self, path: str, status: int = 200) -> str:
        """A page's text."""
        answer = self.client.get(path)
        assert answer.status_code == status, answer.text
        return answer.text

    def be(self, **form: str) -> None:
        """Choose a visitor with the form."""
        answer = self.client.post("/visitor", data=form, follow_redirects=False)
        assert answer.status_code == 303, answer.text

    def act(self, **form: str) -> str:
        """Press a button without script; returns where it led."""
        answer = self.client.post("/act", data=form, follow_redirects=False)
        assert answer.status_code == 303, answer.text
        self.worker.drain()
        return answer.headers["location"]

    def logged(self, kind: str) -> list[Any]:
        """Events of a kind in the log, except those of the tiny world."""
        found = [each.event for each in self.stores.log.read(0, 100_000)]
        return [e for e in found if e.kind.name.lower() == kind and e.time >= NOW]


def cards(page: str, row: str = "home") -> list[str]:
    """The items of a row, in order."""
    part = re.search(rf'<section class="row"[^>]*data-row="{row}".*?</section>', page, re.DOTALL)
    return re.findall(r'<li class="card" data-item="([^"]+)"', part[0]) if part else []


def links(page: str, start: str) -> list[tuple[str, dict[str, list[str]]]]:
    """(path, query) of the links that begin so."""
    found = re.findall(rf'href="({re.escape(start)}[^"]*)"', page)
    split = [urlsplit(unescape(each)) for each in found]
    return [(each.path, parse_qs(each.query)) for each in split]


@pytest.fixture
def shop_of(tmp_path: Path) -> Iterator[Callable[..., Shop]]:
    """Opens the tiny world with other words or other settings of [serving]."""
    opened: list[Shop] = []

    def make(site: SiteSettings | None = None, **serving: Any) -> Shop:
        (tmp_path / "palate.toml").touch()
        settings = msgspec.structs.replace(
            Settings(home=tmp_path),
            site=site or SiteSettings(),
            serving=ServingSettings(**{"budget_ms": 0.0} | serving),
        )
        stores, worker = tiny_copy(settings)
        clock = FixedClock(NOW + 1)
        api = create(settings, clock=clock, stores=stores)
        client = TestClient(front(api, settings, clock))
        client.__enter__()
        opened.append(Shop(stores, client, worker))
        return opened[-1]

    yield make
    for shop in opened:
        shop.client.__exit__()
        close(shop.stores)


@pytest.fixture
def shop(shop_of: Callable[..., Shop]) -> Shop:
    """The storefront as it comes."""
    return shop_of()
