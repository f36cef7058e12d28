"""Time the features: how many events a second are folded, and what a request's matrix costs.

    python bench/features.py [--items 10000 --items 1000000] [--events 1000000] [--json]

The log is synthetic, of MovieLens-1M's size and shape: 6,040 people, 3,700 items by a power
law, in order of time. The matrix is Home's, read off the synthetic site of `bench/funnel.py`.
Times are of the CPU, so that whatever else the machine does is not counted.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
from load.ran import ran

from funnel import NOW, queries, site
from palate.arrays import Floats
from palate.catalog.columns import ItemColumns
from palate.cli.output import console, facts, table_of
from palate.events.batch import EventBatch
from palate.events.kinds import Kind, signals_of
from palate.features.items import ItemStates
from palate.features.users import UserTable
from palate.funnel.engine import Funnel
from palate.funnel.facts import features_of
from palate.funnel.merge import merge
from palate.funnel.stages import name_of
from palate.funnel.types import Pool, Query
from palate.models.covisit import Covisit
from palate.settings import Settings
from palate.stores import Stores
from palate.streaming.replay import Replay
from palate.streaming.state import LiveState

PEOPLE, TITLES = 6_040, 3_700
BATCH = 20_000
REQUESTS, ROUNDS = 64, 30
POOL = 500


def main(arguments: Sequence[str]) -> None:
    """Run both, print a table each, or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--items", type=int, action="append", help="catalogue size; may repeat")
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args(arguments)
    told: dict[str, Any] = {
        **ran("features", arguments),
        "fold": folding(wanted.events),
        "matrix": [reading(items) for items in wanted.items or [10_000]],
    }
    if wanted.json:
        facts(told, as_json=True, table="")
        return
    facts(told, as_json=False, table=", ".join(f"{k} {v}" for k, v in told["machine"].items()))
    rows = [(name, f"{per:,.0f}") for name, per in told["fold"].items()]
    facts(told, as_json=False, table=table_of("fold", ("part", "events a second"), rows))
    for each in told["matrix"]:
        title = f"{each['candidates']} by {each['features']} of {each['items']:,} items"
        parts = [(name, *us.values()) for name, us in each["microseconds"].items()]
        table = table_of(title, ("part", "p50 µs", "p10 µs", "p99 µs"), parts)
        facts(told, as_json=False, table=table)


def folding(count: int) -> dict[str, float]:
    """Events a second: users and items alone, and with co-visitation, as replay does it."""
    log, settings = history(count), Settings()
    Replay(settings, ItemColumns.in_memory()).apply(log.take(slice(0, 1_000)))
    console.print(f"folding {count:,} events …")
    alone = LiveState(settings.streaming, ItemStates.in_memory(), Covisit.in_memory(), UserTable())
    alone.states.grow(TITLES)
    started = process_time()
    for at in range(0, count, BATCH):
        alone._fold(log.take(slice(at, at + BATCH)))  # noqa: SLF001  the part without covisit
    counted = process_time() - started
    replay = Replay(settings, ItemColumns.in_memory())
    started = process_time()
    for at in range(0, count, BATCH):
        replay.apply(log.take(slice(at, at + BATCH)))
    whole = process_time() - started
    return {"users and items": count / counted, "with co-visitation": count / whole}


def history(count: int) -> EventBatch:
    """Ratings as of MovieLens-1M: people come one after the other and rate in a few visits."""
    dice = np.random.default_rng(3)
    who = np.sort(dice.choice(PEOPLE, count, p=_power(PEOPLE, 0.6)))
    items = dice.choice(TITLES, count, p=_power(TITLES, 0.8)).astype(np.int32)
    times = NOW - 1e8 + who * 1e4 + dice.integers(0, 3_000_000, count)
    order = np.argsort(times, kind="stable")
    values = dice.integers(1, 6, count).astype(np.float32)
    signals = np.array([int(signals_of(Kind.RATING, float(v))) for v in range(6)], np.uint8)
    return EventBatch(
        np.arange(1, count + 1),
        np.full(count, Kind.RATING, np.uint8),
        signals[values.astype(int)][order],
        (who.astype(np.uint64) + np.uint64(1))[order],
        np.zeros(count, np.uint64),
        items[order],
        times[order].astype(np.float64),
        values[order],
        np.zeros(count, np.int16),
        np.zeros(count, np.int64),
    )


def _power(size: int, exponent: float) -> Any:
    weights = 1.0 / np.arange(1, size + 1) ** exponent
    return weights / weights.sum()


def reading(items: int) -> dict[str, Any]:
    """Microseconds of one matrix: the whole call, and the compiled pass alone."""
    console.print(f"{items:,} items: building a synthetic site …")
    with tempfile.TemporaryDirectory() as folder:
        stores, built = site(items, Path(folder))
        asked = asyncio.run(pools(stores, built))
        names = built.ranker.reads
        return {
            "items": items,
            "candidates": len(asked[0][1]),
            "features": len(names),
            "microseconds": {
                "all": timed(asked, lambda q, p: features_of(stores, q, p, names)),
                "of one candidate": timed(
                    asked, lambda q, p: features_of(stores, q, p.take(slice(0, 1)), names)
                ),
            },
        }


def timed(
    asked: Sequence[tuple[Query, Pool]], run: Callable[[Query, Pool], Floats]
) -> dict[str, float]:
    """p50, p10 and p99 of many rounds, in microseconds."""
    spent = []
    for query, pool in list(asked) * ROUNDS:
        started = process_time()
        run(query, pool)
        spent.append(1e6 * (process_time() - started))
    p50, p10, p99 = np.percentile(spent[len(asked) :], [50, 10, 99])
    return {"p50": round(float(p50)), "p10": round(float(p10)), "p99": round(float(p99))}


async def pools(stores: Stores, built: Funnel) -> list[tuple[Query, Pool]]:
    """What the generators propose to a few users."""
    found = []
    names = tuple(name_of(each) for each in built.generators)
    for query in queries(stores, REQUESTS, 20):
        proposals = [await each.generate(query, POOL) for each in built.generators]
        found.append((query, merge(names, proposals, POOL)))
    return found


if __name__ == "__main__":
    main(sys.argv[1:])
