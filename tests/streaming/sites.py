"""A small site on disk, and what can be done to it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from palate.catalog.item import Item
from palate.catalog.sqlite import SqliteItems
from palate.clock import FixedClock
from palate.events.kinds import Event, Kind
from palate.events.sqlite import SqliteLog
from palate.settings import Settings
from palate.settings_loop import StreamingSettings
from palate.stores import Stores, open_stores, stream_worker
from palate.streaming.worker import StreamWorker

NOW = 1_700_000_000.0
ITEMS = 30


def settings_at(home: Path, **streaming: float) -> Settings:
    home.mkdir(parents=True, exist_ok=True)
    (home / "palate.toml").write_text(
        "[streaming]\n" + "".join(f"{name} = {value}\n" for name, value in streaming.items())
    )
    return Settings(home=home, streaming=StreamingSettings(**streaming))


def some_events(count: int, start: int = 0) -> list[Event]:
    dice = np.random.Generator(np.random.PCG64(start))
    kinds = (Kind.CLICK, Kind.LIKE, Kind.VIEW, Kind.DISLIKE, Kind.RATING)
    return [
        Event(
            event_id=f"e{n}",
            kind=kinds[dice.integers(len(kinds))],
            time=NOW - float(dice.integers(0, 86_400)),
            user_id=f"u{dice.integers(9)}" if n % 3 else "",
            session_id=f"s{dice.integers(9)}",
            item_id=f"i{dice.integers(ITEMS)}",
            value=float(dice.integers(1, 6)),
        )
        for n in range(start, start + count)
    ]


def fill(settings: Settings, events: Sequence[Event]) -> None:
    SqliteItems(settings.path("catalog.db")).put(
        [Item(item_id=f"i{n}", categories=(f"c{n % 3}",)) for n in range(ITEMS)]
    )
    SqliteLog(settings.path("events.db")).append(events, NOW)


def worker_at(settings: Settings) -> tuple[StreamWorker, Stores]:
    stores = open_stores(settings, writer=True)
    return stream_worker(stores, FixedClock(NOW)), stores
