"""Time the two-tower: a visitor's vector at request time, and how fast its training goes.

    python bench/tower.py [--dim 64] [--history 50] [--blocks 1] [--items 10000] [--json]

The towers are untrained and the log is synthetic: times depend on sizes alone. One thread.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, thread_time
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import torch
from load.ran import machine

from palate.cli.output import facts, table_of
from palate.events.kinds import Signal
from palate.index.opening import Building
from palate.models.two_tower import TwoTower
from palate.settings import TrainingSettings
from palate.training.export import export_tower
from palate.training.sequences import Sequences
from palate.training.softmax import precision
from palate.training.towers import ItemInputs
from palate.training.two_tower import Plan, Towers, fit, fresh_towers

NOW = 1_700_000_000.0
ASKED = 2_000
CATEGORIES = 20


def main(arguments: Sequence[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    for name, usual in (("dim", 64), ("history", 50), ("blocks", 1), ("items", 10_000)):
        parser.add_argument(f"--{name}", type=int, default=usual)
    parser.add_argument("--json", action="store_true", help="JSON")
    wanted = parser.parse_args(arguments)
    torch.set_num_threads(1)
    settings = msgspec.structs.replace(
        TrainingSettings(), dim=wanted.dim, history=wanted.history, blocks=wanted.blocks,
        epochs=1, dropout=0.2, batch_size=1_024, horizon=1,
    )  # fmt: skip
    dice = np.random.default_rng(1)
    inputs = _inputs(wanted.items, dice)
    towers = fresh_towers(inputs, settings)
    found = _asked(towers, wanted.items, dice) | _trained(towers, settings, wanted.items, dice)
    found |= {"precision": str(precision()).partition(".")[2], "machine": machine()}
    lines = [(name, value) for name, value in found.items()]
    facts(found, as_json=wanted.json, table=table_of("tower", ("what", "value"), lines))


def _inputs(items: int, dice: np.random.Generator) -> ItemInputs:
    categories = np.full((items, 8), -1)
    categories[:, 0] = dice.integers(CATEGORIES, size=items)
    content = (dice.standard_normal((items, 64)) / 8).astype(np.float32)
    names = tuple(f"c{n}" for n in range(CATEGORIES))
    return ItemInputs(content, categories, dice.integers(1, 100, items), names)


def _asked(towers: Towers, items: int, dice: np.random.Generator) -> dict[str, Any]:
    """Milliseconds of one visitor's vector, whose history is full."""
    history = towers.users.history
    with TemporaryDirectory() as folder:
        export_tower(Path(folder), towers, tuple(f"c{n}" for n in range(CATEGORIES)), Building(1))
        model = TwoTower.load(Path(folder))
        spent = []
        for _ in range(ASKED):
            user: Any = SimpleNamespace(
                history=dice.integers(items, size=history).astype(np.int32),
                signals=np.full(history, 4, np.uint8),
                times=np.sort(NOW - dice.random(history) * 1e6),
            )
            started = perf_counter()
            model.user_vector(user, NOW)
            spent.append(1e3 * (perf_counter() - started))
    p50, p99 = np.percentile(spent, (50, 99))
    return {"vector_p50_ms": round(float(p50), 3), "vector_p99_ms": round(float(p99), 3)}


def _trained(
    towers: Towers, settings: TrainingSettings, items: int, dice: np.random.Generator
) -> dict[str, Any]:
    """Steps a second and core, over one pass of 200 people with full histories."""
    people, each = 200, settings.history
    many = people * each
    sequences = Sequences(
        np.arange(people, dtype=np.uint64),
        np.arange(people + 1) * each,
        dice.integers(items, size=many).astype(np.int32),
        np.zeros(many, np.int64),
        np.tile(np.sort(dice.random(each)) * 1e6, people),
        np.arange(many),
        np.ones(many, np.bool_),
        np.full(many, Signal.ENGAGED, np.uint8),
    )
    plan = Plan(1, 1e-3, many, many)
    fit(towers, sequences, settings, plan, _silent)  # compiles
    started = thread_time()
    fit(towers, sequences, settings, plan, _silent)
    spent = thread_time() - started
    return {"training_steps_per_second": round((many - people) / spent)}


def _silent(_phase: str, _fraction: float, _text: str) -> None:
    """Nobody watches."""


if __name__ == "__main__":
    main(sys.argv[1:])
