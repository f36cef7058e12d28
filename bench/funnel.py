"""Time one Home request stage by stage, and how many a second one worker answers, in process.

    python bench/funnel.py --items 10000 --items 1000000 [--requests 300] [--json]

The site is synthetic: random content, categories, counts, co-visitation, item vectors (an index
above 20,000 items), and a user tower and a ranker (network and trees) of the real shape with random
weights. What it measures is the time that the work takes; it says nothing about quality.
"""

import argparse
import asyncio
import resource
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np
import torch
from load.ran import ran
from load.towers import mixture
from load.trees import forest

import palate
from palate.arrays import Floats
from palate.catalog.columns import ItemColumns
from palate.catalog.encoder import CONTENT_DIM
from palate.catalog.item import Item
from palate.catalog.protocol import ItemChange
from palate.catalog.quantised import quantised
from palate.catalog.sqlite import SqliteItems, SqliteUsers
from palate.cli.output import console, facts, table_of
from palate.events.kinds import Kind, Signal
from palate.events.sqlite import SqliteLog
from palate.features.boards import Leaderboards
from palate.features.engagements import WIDE_USED
from palate.features.folds import COUNTING
from palate.features.items import ItemStates
from palate.features.online.memory import MemoryOnline
from palate.features.record import UserState
from palate.features.vector import offered
from palate.funnel.engine import Funnel
from palate.funnel.types import Query
from palate.funnel.worth import SENSIBLE
from palate.index.opening import EXACT_LIMIT, build_index
from palate.models.covisit import Covisit
from palate.models.ranker import HEADS, Mix, RankerFacts, RankerModel
from palate.models.two_tower import ItemTable, TowerFacts, TwoTower
from palate.releases.manifest import Manifest
from palate.releases.release import Release
from palate.settings import Settings
from palate.stores import Stores, close, open_stores
from palate.surfaces import funnel
from palate.training.export import write_user
from palate.training.ranking.blend import Blend
from palate.training.ranking.export import export_ranker
from palate.training.ranking.fitting import Fitted
from palate.training.ranking.network import RankerNetwork, Shape, spread_of
from palate.training.towers import UserTower

NOW = 1_700_000_000.0
DAY = 86_400.0
CATEGORIES = 24
DIM = 64
HISTORY = 50
SEEN = 300
USERS = 64
WARM = 30
CHUNK = 1 << 18
EVEN = Mix(share=0.5, scale=1.0, shift=0.0)
"""Network and trees as the default ranker hears them."""


def main(arguments: Sequence[str]) -> None:
    """Run every size, print a table each, or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--items", type=int, action="append", help="catalogue size; may repeat")
    parser.add_argument("--requests", type=int, default=300)
    parser.add_argument("--limit", type=int, default=20, help="items on the page")
    parser.add_argument("--site", type=Path, help="a site of `bench/memory.py` instead")
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args(arguments)
    torch.set_num_threads(1)
    if wanted.site:
        runs = [opened(wanted.site, wanted.requests, wanted.limit)]
    else:
        runs = [run(items, wanted.requests, wanted.limit) for items in wanted.items or [10_000]]
    told: dict[str, Any] = {
        **ran("funnel", arguments),
        "runs": runs,
    }
    if wanted.json:
        facts(told, as_json=True, table="")
        return
    facts(told, as_json=False, table=", ".join(f"{k} {v}" for k, v in told["machine"].items()))
    for each in runs:
        facts(each, as_json=False, table=table(each))


def run(items: int, requests: int, limit: int) -> dict[str, Any]:
    """Build the site, answer, and count."""
    started = perf_counter()
    console.print(f"{items:,} items: building a synthetic site …")
    with tempfile.TemporaryDirectory() as folder:
        stores, built = site(items, Path(folder))
        console.print(f"built in {perf_counter() - started:.0f} s, answering {requests} requests …")
        return {"items": items, **measured(built, queries(stores, requests, limit))}


def opened(home: Path, requests: int, limit: int) -> dict[str, Any]:
    """Answer on a site as it lies on the disk, mapped as a worker maps it."""
    stores = open_stores(Settings(home=home))
    try:
        told = measured(funnel("home", stores), queries(stores, requests, limit))
        return {"items": stores.columns.size, **told}
    finally:
        close(stores)


def measured(built: Funnel, asked: list[Query]) -> dict[str, Any]:
    """Milliseconds by stage, and requests a second of one worker that does nothing else."""
    stages: dict[str, list[float]] = defaultdict(list)
    steps: dict[str, int] = defaultdict(int)

    async def answers() -> list[tuple[float, float]]:
        spent = []
        for query in asked[:WARM]:
            await built.answer(query)
        for query in asked:
            started, worked = perf_counter(), process_time()
            answer = await built.answer(query)
            spent.append(((perf_counter() - started) * 1e3, (process_time() - worked) * 1e3))
            steps[answer.step] += 1
            for stage in answer.trace.stages:
                stages[stage.name].append(stage.milliseconds)
        return spent

    passed, worked = zip(*asyncio.run(answers()), strict=True)
    return {
        "requests": len(asked),
        "steps": dict(steps),
        "milliseconds": percentiles(passed),
        "cpu_milliseconds": percentiles(worked),
        "requests_per_second": round(1e3 * len(passed) / sum(passed), 1),
        "requests_per_cpu_second": round(1e3 * len(worked) / sum(worked), 1),
        "peak_gigabytes": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
        "stages": {name: percentiles(times) for name, times in stages.items()},
    }


def percentiles(times: Sequence[float]) -> dict[str, float]:
    """p10 (what it takes when it is least disturbed), p50 and p99."""
    found = np.percentile(times, [10, 50, 99])
    return {f"p{n}": round(float(v), 4) for n, v in zip((10, 50, 99), found, strict=True)}


def table(run_: dict[str, Any]) -> Any:
    """One run for people."""
    whole, own = run_["milliseconds"], run_["cpu_milliseconds"]
    title = (
        f"{run_['items']:,} items: {whole['p50']:.2f} ms at p50, {whole['p99']:.2f} at p99 "
        f"({own['p50']:.2f} and {own['p99']:.2f} of CPU), "
        f"{run_['requests_per_second']:,.0f} requests/s "
        f"({run_['requests_per_cpu_second']:,.0f} per CPU second), "
        f"{run_['peak_gigabytes']} GB at most"
    )
    rows = [(name, *each.values()) for name, each in run_["stages"].items()]
    return table_of(title, ("stage", "p10 ms", "p50 ms", "p99 ms"), rows)


def site(items: int, folder: Path) -> tuple[Stores, Funnel]:
    """A site with a release, and its Home."""
    dice = np.random.default_rng(1)
    torch.manual_seed(1)
    columns, states = ItemColumns.in_memory(items + 1), ItemStates.in_memory(items)
    covisit = Covisit.in_memory(capacity=items)
    fill_columns(columns, items, dice, NOW)
    fill_states(states, items, dice, NOW)
    boards = Leaderboards.in_memory()
    boards.build(states, columns, NOW)
    stores = Stores(
        settings=Settings(home=folder),
        items=SqliteItems(folder / "catalog.db"),
        users=SqliteUsers(folder / "catalog.db"),
        log=SqliteLog(folder / "events.db"),
        online=MemoryOnline(),
        columns=columns,
        states=states,
        boards=boards,
        covisit=fill_covisit(covisit, items, dice),
        release=_release(items, folder, columns, dice),
    )
    return stores, funnel("home", stores)


def fill_columns(
    columns: ItemColumns,
    items: int,
    dice: np.random.Generator,
    now: float,
    version: int = 0,
    full: int | None = None,
) -> None:
    """Give every item a date and two categories, and (the first `full` of them) content.

    `version` is what the columns show then.
    """
    named = [
        ItemChange(version or n + 1, n, f"i{n}", Item(item_id=f"i{n}", categories=(f"genre {n}",)))
        for n in range(CATEGORIES)
    ]
    columns.write(named)
    columns.reserve(items)
    columns.servable[:items] = 1
    columns.published[:items] = now - dice.exponential(400 * DAY, items)
    columns.categories[:items] = -1
    for part in parts(items):
        count = part.stop - part.start
        columns.categories[part, :2] = dice.integers(0, CATEGORIES, (count, 2))
    for part in parts(items if full is None else full):
        made = unit_vectors(part.stop - part.start, CONTENT_DIM, dice)
        columns._held["content"][part] = quantised(made)  # noqa: SLF001  others may only read it


def parts(items: int) -> list[slice]:
    """Some items at a time: what is made by chance does not need memory for all of them."""
    return [slice(at, min(at + CHUNK, items)) for at in range(0, items, CHUNK)]


def unit_vectors(rows: int, width: int, dice: np.random.Generator) -> Floats:
    """Directions by chance."""
    vectors = dice.standard_normal((rows, width), np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def fill_states(states: ItemStates, items: int, dice: np.random.Generator, now: float) -> None:
    """Counts of a long tail, the newest a moment ago."""
    popularity = 1e4 / np.arange(1, items + 1) ** 0.8
    dice.shuffle(popularity)
    states.allot(np.arange(items, dtype=np.int32))
    states.seat(0, items)
    held = states.engaged
    held.used[WIDE_USED] = items
    for part in parts(items):
        some, slots = popularity[part, None], states.slots[part]
        states.counts[slots] = some * dice.random((len(some), COUNTING))
        states.times[slots] = now - dice.exponential(DAY, len(some))[:, None]
        held.seats[slots] = slots
        held.wide[slots] = some / 16
    states.stamp(newest=now, position=1)


def fill_covisit(
    covisit: Covisit, items: int, dice: np.random.Generator, most: int | None = None
) -> Covisit:
    """As many neighbours as an item can have, whoever of the first `most` they are."""
    covisit.allot(np.arange(items, dtype=np.int32))
    held = covisit.table
    for part in parts(items):
        slots = held.slots[part]
        shape = (len(slots), held.rows.shape[1])
        held.rows[slots] = dice.integers(0, most or items, shape, np.int32)
        held.weights[slots] = dice.exponential(1.0, shape)
    held.counts[1 : 1 + items] = 1 + dice.exponential(50.0, items)
    held.sizes[1 : 1 + items] = held.rows.shape[1]
    return covisit


def _release(items: int, folder: Path, columns: ItemColumns, dice: np.random.Generator) -> Release:
    write_ranker(folder / "ranker", dice)
    manifest = Manifest(name="synthetic", created=NOW, version=palate.__version__)
    tower = _tower(items, folder, columns, dice)
    return Release("synthetic", manifest, tower, RankerModel.load(folder / "ranker"))


def write_ranker(folder: Path, dice: np.random.Generator) -> RankerFacts:
    """A network and trees of the real shape, with weights by chance."""
    names = offered(name for name, weight in SENSIBLE.items() if weight > 0)
    rows = dice.standard_normal((256, len(names))).astype(np.float32)
    ranker = RankerFacts(
        features=names,
        means=(0.0,) * len(names),
        knots={},
        heads=HEADS,
        vectors="two_tower",
        history=HISTORY,
    )
    nothing = np.zeros((0, 0), np.float32)
    votes = {names.index(f"{each}_rank"): w for each, w in SENSIBLE.items() if w > 0}
    network = RankerNetwork(Shape(len(names), DIM), votes)
    learnt = Fitted(network, spread_of(rows), nothing, np.arange(len(names)))
    trees = forest(len(names), dice)
    return export_ranker(folder, Blend(learnt, trees, EVEN), ranker)


def _tower(items: int, folder: Path, columns: ItemColumns, dice: np.random.Generator) -> TwoTower:
    write_user(folder / "user.onnx", UserTower(DIM, HISTORY, 1, 0.0), DIM)
    told, made = tower_parts(items, columns, dice)
    index = build_index(np.arange(items, dtype=np.int32), made.unpacked())
    served = made.packed() if items > EXACT_LIMIT else made
    return TwoTower(told, served, folder / "user.onnx", index)


def tower_parts(
    items: int, columns: ItemColumns, dice: np.random.Generator
) -> tuple[TowerFacts, ItemTable]:
    """An item tower's table, by chance."""
    vectors, _ = mixture(items, DIM, 1, dice)
    known = np.ones(items, np.bool_)
    content = dice.standard_normal((CONTENT_DIM, DIM)).astype(np.float32)
    by_category = dice.standard_normal((CATEGORIES, DIM)).astype(np.float32)
    made = ItemTable(vectors, known, content, by_category)
    names = tuple(columns.category_names())
    return TowerFacts(dim=DIM, history=HISTORY, categories=names), made


def queries(stores: Stores, requests: int, limit: int) -> list[Query]:
    """Requests of a few users, each with a history."""
    dice = np.random.default_rng(2)
    users = [one_user(stores.columns.size, dice, NOW) for _ in range(USERS)]
    return [
        Query("home", users[n % USERS], limit, NOW + n, draw=n, region="DE", age=30)
        for n in range(requests)
    ]


def one_user(items: int, dice: np.random.Generator, now: float) -> UserState:
    """Somebody with a history."""
    seen = dice.choice(items, min(SEEN, items // 2), replace=False).astype(np.int32)
    history = seen[: 2 * HISTORY]
    count, signal = len(history), Signal.ENGAGED | Signal.TAKEN
    return replace(
        UserState.nobody(segment=int(dice.integers(1, 16))),
        key=1,
        first_time=now - 100 * DAY,
        last_time=now - 60.0,
        total=count,
        history=history,
        times=now - DAY * np.arange(count, 0, -1.0),
        values=np.full(count, np.nan, np.float32),
        kinds=np.full(count, Kind.VIEW, np.uint8),
        signals=np.full(count, signal, np.uint8),
        seen=seen,
        seen_signals=np.full(len(seen), signal, np.uint32),
    )


if __name__ == "__main__":
    main(sys.argv[1:])
