"""A site with a past: a catalogue, and a log of so many events that is folded."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from palate.catalog.item import Item
from palate.cli.output import console
from palate.clock import SystemClock
from palate.events.kinds import Event, Kind
from palate.events.protocol import EventLog
from palate.settings import FILE, Settings
from palate.stores import Stores, close, open_stores, stream_worker

CHUNK = 20_000
CATEGORIES, USERS, SPAN = 24, 20_000, 30 * 86_400.0
KINDS = (Kind.CLICK, Kind.VIEW, Kind.VIEW, Kind.LIKE, Kind.SKIP)
SETTINGS = """
[site]
name = "living"
[training]
min_events = 1000000000
[attribution]
every_seconds = 5.0
"""
"""The trainer waits; the join runs often, so that it is in the way."""


def build(home: Path, items: int, events: int, now: float) -> None:
    """Make the site, and fold what happened in the 30 days before `now`."""
    settings, dice = Settings(home=home), np.random.default_rng(1)
    home.mkdir(parents=True, exist_ok=True)
    (home / FILE).write_text(SETTINGS, "utf-8")
    stores = open_stores(settings, writer=True)
    try:
        for at in range(0, items, CHUNK):
            rows = range(at, min(at + CHUNK, items))
            stores.items.put([item(f"i{n}", n % CATEGORIES) for n in rows])
        _tell(stores, items, events, dice, now)
        worker = stream_worker(stores, SystemClock())
        worker.recover()
        worker.drain()
    finally:
        close(stores)


def item(item_id: str, category: int, words: str = "") -> Item:
    """One of a kind."""
    title = f"The story of {words or item_id} {category}"
    return Item(item_id=item_id, title=title, categories=(f"c{category}",))


def rows_of(log: EventLog) -> Iterator[Event]:
    """Every event of a log."""
    after = 0
    while part := log.read(after, CHUNK):
        after = part[-1].position
        yield from (each.event for each in part)


def _tell(stores: Stores, items: int, events: int, dice: np.random.Generator, now: float) -> None:
    """So many events, in time order; a few items are most of it, as everywhere."""
    for at in range(0, events, CHUNK):
        count = min(CHUNK, events - at)
        which = np.minimum(dice.pareto(1.1, count) * items / 50, items - 1).astype(int).tolist()
        who, kinds = dice.integers(0, USERS, count).tolist(), dice.integers(0, 5, count).tolist()
        times = (now - SPAN + SPAN * (at + np.arange(count)) / max(events, 1)).tolist()
        told = zip(range(at, at + count), who, which, kinds, times, strict=True)
        stores.log.append(
            [
                Event(
                    event_id=f"past-{n}", kind=KINDS[kind], time=time, user_id=f"u{user}",
                    item_id=f"i{row}", value=0.5 if KINDS[kind] is Kind.VIEW else None,
                )
                for n, user, row, kind, time in told
            ],
            now,
        )  # fmt: skip
        if at % (10 * CHUNK) == 0:
            console.print(f"{at + count:,} of {events:,} events")
