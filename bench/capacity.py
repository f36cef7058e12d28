"""What a large site needs, computed from what was measured: cores, memory, shards, network, cost.

    python bench/capacity.py [--users 100000000] [--items 10000000] [--requests 35000]
        [--events 58000] [--write]

Requests come from docs/serve.json (`bench/serve.py --write`), of the largest catalogue measured
there; records, columns, folding and the durable log are measured here. `--write` makes
docs/capacity.md.
"""

import argparse
import math
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter, strftime
from typing import NamedTuple

import msgspec
import numpy as np
from load.ran import machine
from load.report import STORE
from load.site import packed

from features import folding
from funnel import DIM, one_user
from palate.catalog.columns import LAYOUT as COLUMNS
from palate.catalog.encoded import LEVELS
from palate.clock import SystemClock
from palate.events.kinds import Event, Kind
from palate.events.sqlite import SqliteLog
from palate.features.items import _layout as counters_of
from palate.mapped.projections import COUNTED
from palate.models.covisit import layout_of as pairs_of
from palate.settings import CovisitSettings, FeatureSettings

PAGE = Path(__file__).parents[1] / "docs" / "capacity.md"
SHARDS_BEGIN = "## What was checked"
"""From here on the page is `bench/shards.py`'s."""
BUSY = 0.5
"""Share of a core that requests may take at peak: at half load latency is still flat."""
SPARE = 2
"""Copies of every shard of user state: one may be lost."""
SHARD_GB = 256
"""User state that one machine holds, in its page cache or on its NVMe disk."""
CORE_HOUR, GB_MONTH, HOURS = 0.04, 0.10, 730
"""Prices assumed, in dollars: a core an hour, a GB of SSD a month; hours of a month."""
GIGA = 1e9


class Wanted(NamedTuple):
    """The site that is planned."""

    users: int
    """A day; all of them have a record."""
    items: int
    requests: int
    """A second, at peak."""
    events: int
    """A second, at peak."""


class Measured(NamedTuple):
    """What one core does, and what things weigh."""

    items: int
    """The catalogue that requests were measured with."""
    request_seconds: float
    """CPU of one request over HTTP, everything in it, at half load."""
    body_bytes: float
    worker_bytes: float
    """A worker's own memory, beside what all share."""
    record_bytes: float
    item_bytes: float
    """Columns, counters, co-visitation and item vectors."""
    folded: float
    """Events a second of one core, co-visitation with them."""
    appended: float
    """Durable events a second, in batches of 100."""


def main(arguments: Sequence[str]) -> None:
    """Measure, compute, print; write the page where asked to."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--users", type=int, default=100_000_000)
    parser.add_argument("--items", type=int, default=10_000_000)
    parser.add_argument("--requests", type=int, default=35_000)
    parser.add_argument("--events", type=int, default=58_000)
    parser.add_argument("--write", action="store_true", help="docs/capacity.md")
    given = parser.parse_args(arguments)
    wanted = Wanted(given.users, given.items, given.requests, given.events)
    told = page(wanted, measured(), " ".join(["bench/capacity.py", *arguments]))
    print(told)
    if given.write:
        checked = PAGE.read_text("utf-8").partition(SHARDS_BEGIN)
        PAGE.write_text(told + "\n" + checked[1] + checked[2], "utf-8")


def measured() -> Measured:
    """Read what was measured of requests; weigh and time the rest."""
    runs = msgspec.json.decode(STORE.read_bytes())["runs"]
    largest = max(runs, key=lambda each: each["items"])
    half = min(largest["rates"], key=lambda each: abs(each["rate"] - largest["most"] / 2))
    dice = np.random.default_rng(1)
    return Measured(
        items=largest["items"],
        request_seconds=half["cpu_milliseconds"] / 1e3,
        body_bytes=half["body_bytes"],
        worker_bytes=largest["memory"]["anonymous"] * 2**20,
        record_bytes=float(len(packed(one_user(100_000, dice, 0.0)))),
        item_bytes=item_bytes(),
        folded=folding(200_000)["with co-visitation"],
        appended=appended(),
    )


class Shares(NamedTuple):
    """Of all items, how many have anything; all have all, unless said."""

    taken: float = 1.0
    """Have neighbours."""
    counted: float = 1.0
    """Have counts: were shown or taken."""
    few: float = 0.0
    """Were taken by people of few segments and regions."""
    wide: float = 1.0
    """Were taken by people of many."""


def item_bytes(rows: int = 1 << 20, have: Shares = Shares()) -> float:  # noqa: B008  frozen
    """Bytes an item takes on every serving node, with its vector, which the index holds.

    Where a release brings content, nobody reads the columns' own: one of both is in use.
    """
    features, room = FeatureSettings(), {name: int(share * rows) for name, share in _named(have)}
    states = counters_of(features.segments + features.regions).places(rows, room)[1]
    pairs = pairs_of(CovisitSettings()).places(rows, {COUNTED: int(have.taken * rows)})[1]
    sizes = (COLUMNS.places(rows)[1], states, pairs)
    known = 1
    index = DIM + 4 + 4 + 4  # a byte a number and the scale by cluster, the row, and its place
    codes = 2 * LEVELS  # what it is about
    return sum(sizes) / rows + known + index + codes


def _named(have: Shares) -> list[tuple[str, float]]:
    """Shares by pool of an item's counters."""
    return [(COUNTED, have.counted), ("few", have.few), ("wide", have.wide)]


def appended(seconds: float = 3.0) -> float:
    """Events a second that are on the disk, by one writer in batches of 100."""
    now = SystemClock().now()
    with tempfile.TemporaryDirectory() as folder:
        log, count, started = SqliteLog(Path(folder) / "events.db"), 0, perf_counter()
        while perf_counter() - started < seconds:
            batch = [
                Event(event_id=f"{count + n}", kind=Kind.VIEW, time=now, user_id="u", item_id="i")
                for n in range(100)
            ]
            log.append_all([batch], now)
            count += len(batch)
        spent = perf_counter() - started
        log.close()
    return count / spent


def page(wanted: Wanted, found: Measured, command: str) -> str:
    """docs/capacity.md."""
    cores = wanted.requests * found.request_seconds / BUSY
    folding_cores = wanted.events / found.folded
    logs = math.ceil(wanted.events / (found.appended * BUSY))
    state = wanted.users * found.record_bytes / GIGA
    shards = math.ceil(state / SHARD_GB)
    node = wanted.items * found.item_bytes / GIGA
    network = wanted.requests * found.body_bytes * 8 / GIGA
    every = cores + folding_cores / BUSY + logs
    cost = every * CORE_HOUR * HOURS + SPARE * state * GB_MONTH
    facts = machine()
    rows = [
        ("cores that answer", f"{cores:,.0f}", _sum_of_cores(wanted, found)),
        ("of these on a node", "16", f"{math.ceil(cores / 16):,} nodes"),
        ("memory of a node, shared", f"{node:,.1f} GB", f"{found.item_bytes:,.0f} bytes an item"),
        ("memory of a node, of 16 workers", *_workers(found)),
        ("user state", f"{state:,.0f} GB", f"{found.record_bytes:,.0f} bytes a user"),
        ("shards of user state", f"{shards} x {SPARE}", f"{SHARD_GB} GB a shard, {SPARE} copies"),
        ("stream workers", f"{math.ceil(folding_cores / BUSY)}", _sum_of_folding(wanted, found)),
        ("partitions of the log", f"{logs}", f"{found.appended:,.0f} durable events/s each"),
        ("network out", f"{network:,.1f} Gbit/s", f"{found.body_bytes:,.0f} bytes an answer"),
        ("cost a month", f"${cost:,.0f}", f"${CORE_HOUR} a core-hour, ${GB_MONTH} a GB-month SSD"),
    ]
    table = "\n".join(f"| {name} | {value} | {why} |" for name, value, why in rows)
    made = f"Made by `{command}`, {strftime('%Y-%m-%d')}"
    return f"""# Capacity

What {wanted.users:,} daily users, {wanted.items:,} items, {wanted.requests:,} requests/s and
{wanted.events:,} events/s at peak need, computed from what was measured on one machine. {made}, on
{facts["processor"]}, {facts["cores"]} cores, load {facts["load"]}; requests as of
[performance](performance.md).

| | | from |
|---|---|---|
{table}

## What the sums assume, and what is not known

- **Requests were measured with {found.items:,} items.** What grows with the catalogue is the search
  of the index (with the root of the number of items) and misses of the cache.
- A core may be {BUSY:.0%} busy at peak: latency is flat up to there and grows beyond.
- **Linear over workers**: they share mapped files and nothing else. Not measured beyond two.
- **Users are sharded, items are replicated.** Today's adapters are SQLite and LMDB, on one machine:
  a site of this size needs a log and an online store that are spread over machines, which are not
  written yet. Until then this page is a plan for hardware, not a promise.
- Prices are assumptions; change them in the script. Training, the offline store and load balancers
  are not in it.
"""


def _sum_of_cores(wanted: Wanted, found: Measured) -> str:
    spent = f"{1e3 * found.request_seconds:.2f} ms of CPU a request"
    return f"{wanted.requests:,} a second, {spent}, {BUSY:.0%} busy"


def _sum_of_folding(wanted: Wanted, found: Measured) -> str:
    return f"{wanted.events:,} events/s, {found.folded:,.0f} a core, {BUSY:.0%} busy"


def _workers(found: Measured) -> tuple[str, str]:
    own = found.worker_bytes / 2**20
    return f"{16 * own / 1024:,.1f} GB", f"{own:,.0f} MB a worker of its own"


if __name__ == "__main__":
    main(sys.argv[1:])
