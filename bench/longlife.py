"""One user who did a million things: what that costs them, and everybody else.

    python bench/longlife.py [--events 1000000] [--json]

A site on disk, its log filled with one user's life (a session every 200 events, some of what they
did before it was claimed) between the events of others. Timed are the fold of it, the user's own
requests (beside those of somebody with a short past), their history, a rebuild of the state, and
their deletion, during which others go on sending events: what these had to wait tells whether one
user's way out is everybody's. `bench/longlife.py --events 100000` is what CI can afford.
"""

import argparse
import resource
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from load.ran import ran

from palate import Item, Site
from palate.catalog.user import user_key
from palate.cli.output import console, facts, table_of
from palate.clock import SystemClock
from palate.events.kinds import Event, Kind
from palate.events.sqlite import SqliteLog
from palate.settings import Settings
from palate.stores import close, open_stores
from palate.streaming.rebuild import compare

BUSY, CALM = "busy", "calm"
ITEMS, SESSION, OTHERS = 2_000, 200, 10
"""Of ten events one is somebody else's."""
BATCH = 10_000
ASKED = 200
STEP = 30.0
"""Seconds between two events."""
KINDS = (Kind.VIEW, Kind.LIKE, Kind.CLICK, Kind.DISLIKE)


def main(arguments: Sequence[str]) -> None:
    """Fill, look, delete, and tell."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="palate-longlife-") as folder:
        told = lived(Path(folder) / "site", wanted.events)
    told |= {
        **ran("longlife", arguments),
    }
    rows = [(name, str(value)) for name, value in told.items()]
    facts(told, as_json=wanted.json, table=table_of("a long life", ("what", "value"), rows))


def lived(home: Path, events: int) -> dict[str, Any]:
    """Everything that happens to one user."""
    told: dict[str, Any] = {"events": events}
    with Site.open(home) as site:
        items = [
            Item(item_id=f"i{n}", title=f"Film {n}", categories=(f"c{n % 20}",))
            for n in range(ITEMS)
        ]
        site.items.put(items)
        fill(site.stores.log, events, SystemClock().now())
        console.print(f"{events:,} events are in the log")
        told["fold_seconds"] = timed(site._follow)  # noqa: SLF001  the stream worker's part
        raw = site.stores.online.user(user_key(BUSY))
        told["record_bytes"] = len(raw or b"")
        for user in (BUSY, CALM):
            told[f"request_{user}_ms_p50"] = round(1e3 * asked(site, user), 2)
        told |= deleted(site)
        again = timed(lambda: site.recommend(user_id=BUSY))
        told["request_after_ms"] = round(1e3 * again, 2)
    told["rebuilt_equal"] = rebuilt(site.settings)
    told["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return told


def fill(log: SqliteLog | Any, events: int, now: float) -> None:
    """One user's life, and a little of everybody else's."""
    dice = np.random.default_rng(1)
    for start in range(0, events, BATCH):
        size = min(BATCH, events - start)
        items = dice.integers(0, ITEMS, size).tolist()
        batch = list(_batch(start, items, now - STEP * (events - start)))
        log.append_all([batch], now)


def _batch(start: int, items: Sequence[int], begins: float) -> Iterator[Event]:
    for place, item in enumerate(items):
        n = start + place
        user, session = _who(n)
        yield Event(
            event_id=f"e{n}",
            kind=KINDS[n % len(KINDS)],
            time=begins + STEP * place,
            user_id=user,
            session_id=session,
            item_id=f"i{item}",
            context={"device": "tv"} if n % 3 else {},
        )


def _who(n: int) -> tuple[str, str]:
    """User and session of an event; a session is nobody's until its user logs in."""
    if n % OTHERS == 0:
        return (CALM if n < 30 * OTHERS else f"o{n % 977}"), ""
    return (BUSY if n % SESSION > SESSION // 10 else ""), f"s{n // SESSION}"


def timed(work: Callable[[], object]) -> float:
    """Seconds."""
    started = perf_counter()
    work()
    return round(perf_counter() - started, 3)


def asked(site: Site, user: str) -> float:
    """Seconds of the middle one of many requests for Home."""
    spent = [timed(lambda: site.recommend(user_id=user)) for _ in range(ASKED)]
    return float(np.median(spent))


def deleted(site: Site) -> dict[str, Any]:
    """Forget the user while others go on; how long it took, and what the others waited."""
    done, waits, log = threading.Event(), list[float](), site.stores.log

    def others() -> None:
        n = 0
        while not done.is_set():
            event = Event(
                event_id=f"meanwhile-{n}",
                kind=Kind.VIEW,
                time=SystemClock().now(),
                user_id=f"o{n % 9}",
                item_id="i1",
            )
            waits.append(timed(lambda event=event: log.append([event], event.time)))  # type: ignore[misc]
            n += 1
            done.wait(0.02)

    thread = threading.Thread(target=others)
    thread.start()
    spent = timed(lambda: site.users.forget(BUSY))
    done.set()
    thread.join()
    left = sum(each.event.user_id == BUSY for part in _parts(log) for each in part)
    return {
        "delete_seconds": spent,
        "others_waited_ms_longest": round(1e3 * max(waits), 1),
        "events_left_under_the_name": left,
    }


def _parts(log: Any) -> Iterator[Sequence[Any]]:
    position = 0
    while part := log.read(position, BATCH):
        yield part
        position = part[-1].position


def rebuilt(settings: Settings) -> bool:
    """Whether the log alone leads to the same state, the deletion in it."""
    stores = open_stores(settings)
    try:
        rows_of = partial(stores.items.rows, create=True)
        return bool(compare(settings, stores.log, stores.online, rows_of).equal)
    finally:
        close(stores)


if __name__ == "__main__":
    main(sys.argv[1:])
