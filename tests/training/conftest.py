"""A checkerboard site: two kinds of films, two kinds of people, nobody crosses over."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace as changed

from palate.catalog.item import Item
from palate.events.kinds import Event, Kind
from palate.settings import Settings, TrainingSettings
from palate.stores import Stores, close, open_stores

ITEMS, USERS, EACH = 40, 60, 14
START = 1_700_000_000.0

QUICK = TrainingSettings(
    dim=16, history=12, epochs=8, batch_size=64, learning_rate=1e-2, dropout=0.2,
    ranker_queries=150,
    ranker_candidates=20, ranker_epochs=3, threads=1,
)  # fmt: skip


def board_items(items: int = ITEMS) -> list[Item]:
    """Even items are comedies, odd ones horror."""
    genres = ("comedy", "horror")
    return [
        Item(item_id=f"i{n}", title=f"{genres[n % 2]} {n}", categories=(genres[n % 2],))
        for n in range(items)
    ]


def board_events(users: int = USERS, each: int = EACH, items: int = ITEMS) -> list[Event]:
    """User n watches items of parity n % 2 only; all of them take turns."""
    dice = np.random.Generator(np.random.PCG64(5))
    orders = [dice.permutation(items // 2)[:each] * 2 + n % 2 for n in range(users)]
    return [
        Event(
            event_id=f"e{step}-{n}",
            kind=Kind.RATING,
            value=float(3 + (step + n) % 3),
            time=START + 3_600.0 * step + n,
            user_id=f"u{n}",
            item_id=f"i{orders[n][step]}",
        )
        for step in range(each)
        for n in range(users)
        if step < len(orders[n])
    ]


def quick_settings(home: Path) -> Settings:
    """A site that trains in seconds."""
    return changed(Settings(), home=home, training=QUICK)


def checkerboard(home: Path) -> Stores:
    """The checkerboard on disk, with nothing trained."""
    stores = open_stores(quick_settings(home))
    stores.items.put(board_items())
    stores.log.append(board_events(), START)
    return stores


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Stores]:
    """A checkerboard of the test's own."""
    stores = checkerboard(tmp_path)
    yield stores
    close(stores)
