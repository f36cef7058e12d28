"""A small real site: the tiny world on disk, its stream worker stepped, HTTP in process."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

import msgspec
import pytest
from litestar import Litestar
from litestar.testing import TestClient
from tests.copied import tiny_copy

from palate.clock import FixedClock
from palate.serving import forgetting
from palate.serving.app import create
from palate.serving.routes import items
from palate.settings import ServingSettings, Settings
from palate.stores import Stores, close
from palate.streaming.worker import StreamWorker
from palate.testing.tiny import NOW

Json = dict[str, Any]
PATIENCE, SOON, LATER = items.PATIENCE, forgetting.SOON, 0.01


@contextmanager
def waiting(patience: float, soon: float) -> Iterator[None]:
    """How long answers wait for the stream worker, in seconds; no other worker is waited for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(items, "PATIENCE", patience)
        patch.setattr(forgetting, "SOON", soon)
        patch.setattr(forgetting, "OTHERS", 0.0)
        patch.setattr(forgetting, "PAUSE", LATER)
        yield


@dataclass
class SmallSite:
    """An open site and a client of its API."""

    settings: Settings
    stores: Stores
    clock: FixedClock
    app: Litestar
    client: TestClient[Litestar]
    worker: StreamWorker

    def slate(self, surface: str = "home", **query: Any) -> Json:
        """A page, which must have been answered."""
        answer = self.client.get(f"/v1/recommendations/{surface}", params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def send(self, *events: Json) -> Json:
        """Send events and fold them."""
        answer = self.client.post("/v1/events", json={"events": list(events)})
        assert answer.status_code == 202, answer.text
        self.worker.drain()
        return answer.json()

    @contextmanager
    def followed(self) -> Iterator[None]:
        """The stream worker runs, as it does beside a server."""
        stop = Event()

        def follow() -> None:
            while not stop.wait(0.1):  # later than an answer that does not wait for it
                self.worker.drain()

        with waiting(PATIENCE, SOON), ThreadPoolExecutor(1) as pool:
            following = pool.submit(follow)
            try:
                yield
            finally:
                stop.set()
            following.result()

    def tick(self) -> None:
        """What the application does twice a second."""
        with self.client.portal() as portal:
            portal.call(self.app.state["runtime"].tick)

    def settle(self) -> None:
        """Wait until impressions and traces are written."""
        with self.client.portal() as portal:
            portal.call(self.app.state["runtime"].settle)

    def logged(self, **wanted: Any) -> list[Any]:
        """Events of the log with these fields."""
        found = [each.event for each in self.stores.log.read(0, 100_000)]
        return [e for e in found if all(getattr(e, k) == v for k, v in wanted.items())]


@pytest.fixture
def site_of(tmp_path: Path) -> Iterator[Callable[..., SmallSite]]:
    """Makes a site with other settings of [serving]."""
    opened: list[SmallSite] = []

    def make(**serving: Any) -> SmallSite:
        (tmp_path / "palate.toml").touch()
        settings = msgspec.structs.replace(
            Settings(home=tmp_path),
            serving=ServingSettings(**{"budget_ms": 0.0, "page_ms": 0.0} | serving),
        )
        stores, worker = tiny_copy(settings)
        clock = FixedClock(NOW)
        app = create(settings, clock=clock, stores=stores)
        client = TestClient(app, raise_server_exceptions=False)
        client.__enter__()
        opened.append(SmallSite(settings, stores, clock, app, client, worker))
        return opened[-1]

    with waiting(0.0, 0.0):  # nobody follows the log by itself
        yield make
        for site in opened:
            site.client.__exit__()
            close(site.stores)


@pytest.fixture
def site(site_of: Callable[..., SmallSite]) -> SmallSite:
    """A site as it comes."""
    return site_of()
