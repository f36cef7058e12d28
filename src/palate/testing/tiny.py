"""A tiny world whose right answers are known: sixty items of six genres, and users who keep to one.

Checkerboard: the users of group g take in items of genre g and nothing else, so whoever has taken
in two items of a genre should be shown the rest of it. One item of each genre is special, so that
policy has something to hide:

    action-9 hidden · comedy-9 expired · drama-9 not yet published · horror-9 from 18 years
    romance-9 in DE and FR only · space-9 has a row but the catalogue never heard of it

Item i has row i: ``tiny_row("drama-3") == 23``. User "u7" is of group 7 % 6.
"""

import asyncio
from collections.abc import Coroutine
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from msgspec.structs import replace as changed

from palate.catalog.columns import ItemColumns
from palate.catalog.item import Item
from palate.catalog.sqlite import SqliteItems, SqliteUsers
from palate.catalog.user import User, user_key
from palate.clock import FixedClock
from palate.events.kinds import Event, Kind, Shown
from palate.events.protocol import Logged
from palate.events.sqlite import SqliteLog
from palate.features.online.memory import MemoryOnline
from palate.features.record import UserState
from palate.features.segments import profile_code
from palate.funnel.types import Query
from palate.settings import Settings
from palate.stores import Stores, open_stores, stream_worker
from palate.streaming.replay import Replay
from palate.streaming.worker import StreamWorker

T = TypeVar("T")

GENRES = ("action", "comedy", "drama", "horror", "romance", "space")
EACH = 10
SIZE = len(GENRES) * EACH
USERS = 48
DAY = 86_400.0
NOW = 1_700_000_000.0
"""The moment at which the tiny world stands."""
TAKEN = 6
"""Items that each user took in."""
SPECIAL = tuple(f"{genre}-9" for genre in GENRES)

WORDS = {
    "action": "chase explosion hero car city revenge fight",
    "comedy": "laugh wedding neighbour mistake dog holiday friends",
    "drama": "family loss letter winter village secret silence",
    "horror": "night house scream cellar ghost knife fog",
    "romance": "love paris summer kiss train dance rain",
    "space": "star ship planet robot crew signal orbit",
}


def tiny_items() -> list[Item]:
    """The catalogue: 59 items, space-9 is missing."""
    return [_item(genre, n) for genre in GENRES for n in range(EACH) if (genre, n) != ("space", 9)]


def tiny_users() -> list[User]:
    """Users u0…u47; the country tells their segment."""
    countries = ("DE", "US", "FR")
    return [
        User(user_id=f"u{n}", country=countries[n % 3], birth_year=1960 + n) for n in range(USERS)
    ]


def tiny_events() -> list[Event]:
    """What they did, in order of time: shown, clicked, watched; now and then liked or sent away."""
    dice = np.random.Generator(np.random.PCG64(7))
    ids = (f"e{n}" for n in count())
    events = [
        Event(
            event_id=next(ids),
            kind=Kind.PROFILE,
            time=NOW - 30 * DAY,
            user_id=user.user_id,
            value=float(profile_code(user, Settings().features)),
        )
        for user in tiny_users()
    ]
    for step in range(TAKEN):
        for n in range(USERS):
            genre, time = GENRES[n % len(GENRES)], NOW - (TAKEN - step) * DAY + n * 60.0
            rank = int(dice.permutation(EACH)[0]) if step else n // len(GENRES)
            item = f"{genre}-{rank}"
            kind, value = ((Kind.VIEW, 0.9), (Kind.LIKE, None), (Kind.RATING, 5.0))[step % 3]
            shown = (Shown(item_id=item, position=1), Shown(item_id=f"{genre}-0", position=2))
            act = Event(
                event_id=next(ids), kind=Kind.CLICK, time=time, user_id=f"u{n}", surface="home"
            )
            events += [
                changed(act, event_id=next(ids), kind=Kind.IMPRESSION, items=shown),
                changed(act, time=time + 5, item_id=item),
                changed(
                    act, event_id=next(ids), kind=kind, time=time + 9, item_id=item, value=value
                ),
            ]
    return sorted(events, key=lambda event: event.time)


def tiny_row(item_id: str) -> int:
    """The row of an item by name."""
    genre, _, n = item_id.partition("-")
    return GENRES.index(genre) * EACH + int(n)


def tiny_names(rows: "np.typing.NDArray[np.int32] | list[int]") -> list[str]:
    """Item names by row."""
    return [f"{GENRES[int(row) // EACH]}-{int(row) % EACH}" for row in rows]


class TinyWorld:
    """The stores, and the states of their users; with so many more items that nobody touched."""

    def __init__(self, settings: Settings, home: Path | None, more: int = 0) -> None:
        place = home or Path(":memory:")
        catalog, events = (place / "catalog.db", place / "events.db") if home else (place, place)
        items, users, log = SqliteItems(catalog), SqliteUsers(catalog), SqliteLog(events)
        items.rows([f"{g}-{n}" for g in GENRES for n in range(EACH)], create=True)
        items.put(tiny_items())
        items.put([_another(n) for n in range(more)])
        users.put(tiny_users())
        log.append(tiny_events(), NOW)
        columns = ItemColumns.in_memory()
        columns.write(items.changes(0, SIZE + more))
        self.replay = Replay(settings, columns)
        self.apply(log.read(0, 10_000), items)
        self.stores = Stores(
            settings=settings,
            items=items,
            users=users,
            log=log,
            online=MemoryOnline(),
            columns=columns,
            states=self.replay.states,
            boards=self.replay.boards(NOW),
            covisit=self.replay.covisit,
            release=None,
        )

    def apply(self, logged: list[Logged], items: SqliteItems) -> None:
        """Fold events."""
        self.replay.fold(logged, lambda ids: items.rows(ids, create=True))

    def user(self, user_id: str) -> UserState:
        """What is known of somebody."""
        return self.replay.user(user_key(user_id))

    def query(self, user_id: str = "", surface: str = "home", size: int = 10) -> Query:
        """A request of a user, or of somebody new; of a region and an age that may see anything."""
        state = self.user(user_id) if user_id else UserState.nobody()
        return Query(surface, state, size, NOW, draw=1, region="DE", age=40)


def tiny_site(settings: Settings) -> tuple[Stores, StreamWorker]:
    """The tiny world as a site on disk, folded by the real worker; close the stores afterwards."""
    stores = open_stores(settings, writer=True)
    stores.items.rows([f"{g}-{n}" for g in GENRES for n in range(EACH)], create=True)
    stores.items.put(tiny_items())
    stores.users.put(tiny_users())
    stores.log.append(tiny_events(), NOW)
    worker = stream_worker(stores, FixedClock(NOW))
    worker.drain()
    return stores, worker


@cache
def tiny_world() -> TinyWorld:
    """The world, built once a process; nothing may be written to it."""
    return TinyWorld(Settings(), None)


def tiny_stores() -> Stores:
    """The stores of `tiny_world`."""
    return tiny_world().stores


def waited(coroutine: Coroutine[Any, Any, T]) -> T:
    """What it comes to, on an event loop of its own."""
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(coroutine)
    finally:
        loop.close()


def _another(n: int) -> Item:
    genre = GENRES[n % len(GENRES)]
    item = _item(genre, EACH - 2)
    return changed(item, item_id=f"more-{n}", creator_id="", published_at=NOW - (n + 200) * DAY)


def _item(genre: str, n: int) -> Item:
    last = n == EACH - 1
    words = WORDS[genre].split()
    return Item(
        item_id=f"{genre}-{n}",
        kind="movie",
        title=f"{genre.title()} {words[n % len(words)].title()}",
        text=" ".join(words[(n + i) % len(words)] for i in range(4)),
        categories=(genre,),
        creator_id=f"{genre}-studio-{n % 2}",
        published_at=NOW + DAY if last and genre == "drama" else NOW - (n + 1) * 20 * DAY,
        expires_at=NOW - DAY if last and genre == "comedy" else None,
        hidden=last and genre == "action",
        regions=("DE", "FR") if last and genre == "romance" else (),
        min_age=18 if last and genre == "horror" else 0,
    )
