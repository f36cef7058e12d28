"""Time co-visitation: 1M events of one core, and a long stream in bounded memory.

    python bench/covisit.py [--events 1000000] [--stream 20000000] [--items 1000000] [--json]

The events are synthetic: people take 50 items each, most of them of one shelf, the popular ones
more often. Of a few items every pair is also counted exactly, to see what the bound forgets.
"""

import argparse
import resource
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from time import perf_counter, process_time
from typing import Any, NamedTuple

import numpy as np
from load.ran import ran

from palate.arrays import Rows
from palate.cli.output import facts, table_of
from palate.models.covisit import Covisit
from palate.models.covisit_history import Acts, firsts
from palate.models.covisit_table import pairs_of
from palate.settings import CovisitSettings

EACH = 50
"""Items a person takes."""
PEOPLE = 1_000
"""People in a batch; their events come in turns."""
SHELF = 500
STRAY = 0.2
"""Share of what they take that is of no shelf."""
WATCHED = 40
"""Items whose pairs are counted exactly."""
BEST = (10, 50)


class Chunk(NamedTuple):
    """Events in log order."""

    users: "np.typing.NDArray[np.int64]"
    items: Rows
    times: "np.typing.NDArray[np.float64]"


def main(arguments: Sequence[str]) -> None:
    """Run both, print a table, or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--stream", type=int, default=20_000_000)
    parser.add_argument("--items", type=int, default=1_000_000, help="of the long stream")
    parser.add_argument("--megabytes", type=int, default=256)
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args(arguments)
    run(PEOPLE * EACH, 2_000, 256)  # compiled before the clock runs
    short = run(wanted.events, 20_000, wanted.megabytes)
    long = run(wanted.stream, wanted.items, wanted.megabytes)
    told = {**ran("covisit", arguments), "runs": [short, long]}
    rows = [tuple(each.values()) for each in (short, long)]
    facts(told, as_json=wanted.json, table=table_of(told["command"], tuple(short), rows))


def run(events: int, items: int, megabytes: int) -> dict[str, Any]:
    """Fold a stream of so many events, and compare a few items with exact counts."""
    model = Covisit.in_memory(CovisitSettings(megabytes=megabytes, half_life_days=90), items)
    watched = np.unique(np.geomspace(1, items - 1, WATCHED).astype(np.int32))
    exact: dict[int, Counter[int]] = {row: Counter() for row in watched.tolist()}
    folding, folded, started = 0.0, 0, perf_counter()
    for chunk in stream(events, items):
        first, windows = firsts(Acts.taking(*chunk), model.settings.window)
        new = Chunk(chunk.users[first], chunk.items[first], chunk.times[first])
        windows = windows[first]
        before = process_time()
        model.fold(new.items, windows, new.times)
        folding, folded = folding + process_time() - before, folded + len(first)
        _count(model, new, windows, exact)
    table = model.table
    return {
        "events": events,
        "items": items,
        "fold_cpu_seconds": round(folding, 2),
        "events_a_second": round(folded / folding),
        "neighbours": table.rows.shape[1],
        "table_megabytes": round(sum(array.nbytes for array in table) / 2**20),
        "peak_megabytes": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        **{f"kept@{best}": round(_kept(model, exact, best), 4) for best in BEST},
        "seconds": round(perf_counter() - started, 1),
    }


def stream(events: int, items: int) -> Iterator[Chunk]:
    """Batches of people who take most of their items from one shelf."""
    dice = np.random.Generator(np.random.PCG64(1))
    shelves = max(items // SHELF, 1)
    for start in range(0, events, PEOPLE * EACH):
        shelf = (shelves * dice.random(PEOPLE) ** 3).astype(np.int64)
        place = (SHELF * dice.random((PEOPLE, EACH)) ** 3).astype(np.int64)
        stray = dice.random((PEOPLE, EACH)) < STRAY
        own = shelf[:, None] + shelves * place
        far = (items * dice.random((PEOPLE, EACH)) ** 3).astype(np.int64)
        taken = np.where(stray, far, own).clip(0, items - 1).astype(np.int32)
        users = start + np.repeat(np.arange(PEOPLE)[None], EACH, axis=0)
        times = 1.7e9 + start + np.arange(taken.size, dtype=np.float64)
        yield Chunk(users.ravel(), taken.T.ravel().copy(), times)


def _count(
    model: Covisit,
    chunk: Chunk,
    windows: "np.typing.NDArray[np.int32]",
    exact: dict[int, Counter[int]],
) -> None:
    """Count the watched items' pairs without any bound (the stream is shorter than a half-life)."""
    s = model.settings
    forward = np.arange(1.0, s.window + 1.0) ** -s.gamma
    steps = np.stack([forward, s.back * forward]).astype(np.float32)
    pairs = pairs_of(chunk.items, windows, chunk.times, steps, model.capacity)
    for row, counter in exact.items():
        first, last = np.searchsorted(pairs.rows, [row, row + 1])
        worth = np.exp2((pairs.times[first:last] - 1.7e9) / (s.half_life_days * 86_400.0))
        weights = pairs.weights[first:last] * worth
        for other, weight in zip(pairs.others[first:last].tolist(), weights.tolist(), strict=True):
            if other != row:
                counter[other] += weight


def _kept(model: Covisit, exact: dict[int, Counter[int]], best: int) -> float:
    """Share of an item's truly best neighbours that are among the best that the table tells."""
    shares = []
    for row, counter in exact.items():
        truly = {other for other, _ in counter.most_common(best)}
        slot = model.slots[row]
        size = int(model.table.sizes[slot])
        order = np.argsort(-model.table.weights[slot, :size], kind="stable")[:best]
        told = set(model.table.rows[slot, order].tolist())
        shares += [len(truly & told) / len(truly)] if len(counter) >= best else []
    return float(np.mean(shares)) if shares else 1.0


if __name__ == "__main__":
    main(sys.argv[1:])
