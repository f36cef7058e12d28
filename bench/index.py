"""Compare the clustered indexes: recall, time of one query, filters, building, memory.

    python bench/index.py --items 100000 --items 1000000 [--dim 64] [--tower DIR] [--json]

Vectors are of the shape that a trained tower has. With `--tower`, a folder ``two_tower`` of a
release: its item vectors are multiplied by mixing each with one of its nearest neighbours and a
little noise, and the questions are the vectors of people that it brings. Without, a mixture of
directions of uneven strength and length. Each index is built, widened until it finds 95 % of the
true first 500 for one half of the questions, and judged on the other half. One core for queries;
`cold` is a query after 64 MB of other memory were walked, as in a request of which the index is a
small part.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time, thread_time
from typing import Any

import msgspec
import numpy as np
from load.ran import ran
from load.server import megabytes
from load.towers import mixture, multiplied, of_folder

from palate.arrays import Floats, Rows
from palate.cli.output import console, facts, table_of
from palate.index.faiss import FaissIndex
from palate.index.ivf.index import IvfIndex
from palate.index.matching import FEW, SHARE
from palate.index.opening import tuned
from palate.index.protocol import Allowed, Index
from palate.index.recall import DEPTH, nearest, recall

KINDS: dict[str, Any] = {"faiss": FaissIndex, "ivf": IvfIndex}
WANTED, ASKED = 0.95, 128
SHARES = (0.1, 0.01, 0.001)
ROUNDS = 3
OTHER = np.ones(1 << 23)
"""64 MB."""


def main(arguments: Sequence[str]) -> None:
    """Run every size and kind."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--items", type=int, action="append")
    parser.add_argument("--dim", type=int, default=64, help="of the mixture; a tower has its own")
    parser.add_argument("--tower", type=Path, help="the folder of a trained tower")
    parser.add_argument("--kind", choices=KINDS, action="append")
    parser.add_argument("--threads", type=int, default=2, help="cores for building")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    wanted = parser.parse_args(arguments)
    if wanted.worker:
        worker(wanted.worker, wanted.tower)
        return
    runs = []
    for items in wanted.items or [100_000]:
        vectors, asked = world(items, wanted.dim, wanted.tower)
        rows = np.arange(items, dtype=np.int32)
        truth = nearest(rows, vectors, asked, DEPTH)
        for kind in wanted.kind or KINDS:
            told = {"index": kind, "items": items, "dim": vectors.shape[1]}
            told |= measured(KINDS[kind], (rows, vectors), asked, truth, wanted.threads)
            runs.append(told)
            if not wanted.json:
                facts(told, as_json=False, table=_table(told))
    told = {**ran("index", arguments), "runs": runs}
    if wanted.json:
        facts(told, as_json=True, table="")


def world(items: int, dim: int, tower: Path | None) -> tuple[Floats, Floats]:
    """Item vectors, and vectors of those who ask."""
    dice = np.random.default_rng(1)
    if tower is None:
        return mixture(items, dim, ASKED, dice)
    seeds, asked = of_folder(tower, ASKED)
    return multiplied(seeds, items, dice), asked


def measured(
    kind: Any, held: tuple[Rows, Floats], asked: Floats, truth: list[Rows], threads: int
) -> dict[str, Any]:
    """One index, in numbers."""
    rows, vectors = held
    started, worked = perf_counter(), process_time()
    index = kind.build(rows, vectors, 0, threads)
    told: dict[str, Any] = {
        "build_seconds": round(perf_counter() - started, 1),
        "build_cpu_seconds": round(process_time() - worked, 1),
    }
    half = len(asked) // 2
    found = tuned(index, rows, vectors, asked[:half], WANTED)
    told |= {"probes": found.probes, "recall": round(recall(index, asked[half:], truth[half:]), 4)}
    told |= timed(lambda vector: index.search(vector, DEPTH), asked)
    for share in SHARES:
        told |= filtered(index, held, asked[half:], share)
    with TemporaryDirectory(prefix="palate-index-") as folder:
        index.save(Path(folder))
        files = [each for each in Path(folder).rglob("*") if each.is_file()]
        told["megabytes_on_disk"] = round(sum(each.stat().st_size for each in files) / 1e6, 1)
        told |= memory(next(n for n, k in KINDS.items() if k is kind), Path(folder), asked)
    return told


def timed(search: Callable[[Floats], Any], asked: Floats, name: str = "") -> dict[str, Any]:
    """Milliseconds of CPU of one query, one after the other and with a cold cache."""
    told = {}
    for state in ("warm", "cold"):
        spent = []
        for vector in np.concatenate([asked] * ROUNDS):
            if state == "cold":
                OTHER.sum()
            started = thread_time()
            search(vector)
            spent.append(1e3 * (thread_time() - started))
        some = np.percentile(spent[len(asked) :], [10, 50, 99])
        told[f"{name}{state}_ms"] = {
            f"p{n}": round(float(v), 3) for n, v in zip((10, 50, 99), some, strict=True)
        }
    return told


def filtered(
    index: Index, held: tuple[Rows, Floats], asked: Floats, share: float
) -> dict[str, Any]:
    """Time and recall where a filter lets so much through."""
    rows, vectors = held
    passes = np.random.default_rng(7).random(len(rows)) < share
    few = np.flatnonzero(passes).astype(np.int32)
    allowed = Allowed(passes, few if len(few) <= max(FEW, len(rows) // SHARE) else None)
    truth = nearest(few, vectors[few], asked, min(DEPTH, len(few)))
    found = [index.search(each, DEPTH, allowed)[0] for each in asked]
    shares = [len(np.intersect1d(a, b)) / len(b) for a, b in zip(found, truth, strict=True)]
    name = f"filter_{share:g}"
    told: dict[str, Any] = {
        f"{name}_recall": round(float(np.mean(shares)), 4),
        f"{name}_fewest": min(len(each) for each in found),
    }
    return told | timed(lambda vector: index.search(vector, DEPTH, allowed), asked, f"{name}_")


def memory(kind: str, folder: Path, asked: Floats) -> dict[str, Any]:
    """What two processes hold that open it and answer all questions, side by side."""
    np.save(folder / "asked.npy", asked)
    command = [sys.executable, __file__, "--worker", kind, "--tower", str(folder)]
    both = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603
        for _ in range(2)
    ]
    told = []
    for each in both:
        assert each.stdout is not None  # noqa: S101
        told.append(msgspec.json.decode(each.stdout.readline()))
    for each in both:
        each.communicate(b"\n")
    return {"memory": told[0]}


def worker(kind: str, folder: Path) -> None:
    """Open, ask, and say what that took."""
    before = megabytes(os.getpid())
    started = perf_counter()
    index = KINDS[kind].open(folder)
    opened = perf_counter() - started
    for vector in np.concatenate([np.load(folder / "asked.npy")] * ROUNDS):
        index.search(vector, DEPTH)
    after = megabytes(os.getpid())
    grown = {name: round(after[name] - before[name], 1) for name in after}
    print(msgspec.json.encode({"open_seconds": round(opened, 3), **grown}).decode(), flush=True)
    sys.stdin.readline()


def _table(told: dict[str, Any]) -> Any:
    console.print()
    title = f"{told['index']}, {told['items']:,} x {told['dim']}"
    return table_of(title, ("what", "value"), [(name, str(value)) for name, value in told.items()])


if __name__ == "__main__":
    main(sys.argv[1:])
