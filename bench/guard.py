"""Fail where a Home request at 100,000 items has become half as slow again as it was.

    python bench/guard.py [--items 100000] [--write]

A request in process is weighed against a fixed piece of numpy and Python that is run between the
requests, so that a slow machine or a busy hour slows both: only their ratio counts, in CPU time,
each where it was least disturbed (p10 of rounds in turn). `--write` records it as what later runs
are held to (bench/guard.json).
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import process_time, strftime

import msgspec
import numpy as np
import torch
from load.ran import machine

from funnel import WARM, queries, site
from palate.funnel.engine import Funnel
from palate.funnel.types import Query

KEPT = Path(__file__).with_name("guard.json")
SLOWER = 1.5
"""As many times the recorded ratio is a failure."""
REQUESTS, LIMIT = 200, 20
ROWS, WIDTH, HIDDEN, SORTED, TURNS = 500, 160, 96, 20_000, 4_000


def main(arguments: Sequence[str]) -> None:
    """Measure, compare, and say so; exit code 1 where it is too slow."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--write", action="store_true", help="record what is measured")
    wanted = parser.parse_args(arguments)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        stores, built = site(wanted.items, Path(folder))
        request, reference = asyncio.run(measured(built, queries(stores, REQUESTS, LIMIT)))
    ratio = request / reference
    told = f"a request {request:.2f} ms of CPU, the reference {reference:.2f} ms: {ratio:.2f}"
    if wanted.write:
        kept = {"ratio": round(ratio, 3), "date": strftime("%Y-%m-%d"), "machine": machine()}
        KEPT.write_bytes(msgspec.json.format(msgspec.json.encode(kept), indent=1) + b"\n")
        print(f"{told}, recorded")
        return
    before = float(msgspec.json.decode(KEPT.read_bytes())["ratio"])
    print(f"{told}; {ratio / before:.2f} times what was recorded ({before:.2f})")
    if ratio > SLOWER * before:
        sys.exit(f"the funnel is more than {SLOWER} times slower than it was: see bench/funnel.py")


async def measured(built: Funnel, asked: Sequence[Query]) -> tuple[float, float]:
    """Milliseconds of CPU of a request and of the reference, in turns."""
    requests, references = [], []
    for query in asked[:WARM]:
        await built.answer(query)
    for query in asked:
        started = process_time()
        await built.answer(query)
        between = process_time()
        reference()
        references.append(process_time() - between)
        requests.append(between - started)
    return _least(requests), _least(references)


def _least(seconds: Sequence[float]) -> float:
    return 1e3 * float(np.percentile(seconds, 10))


def reference() -> float:
    """What a request is made of, without a line of ours: arrays, a sort, and Python."""
    dice = np.random.default_rng(1)
    features = dice.standard_normal((ROWS, WIDTH), np.float32)
    hidden = np.maximum(features @ dice.standard_normal((WIDTH, HIDDEN), np.float32), 0.0)
    order = np.argsort(dice.standard_normal(SORTED, np.float32))
    counts: dict[int, int] = {}
    for at in order[:TURNS].tolist():
        counts[at % 97] = counts.get(at % 97, 0) + at
    return float(hidden.sum()) + sum(counts.values())


if __name__ == "__main__":
    main(sys.argv[1:])
