"""The vectors of a trained tower: its items', and those of people at moments of their past."""

from pathlib import Path

import numpy as np

from palate.arrays import Floats
from palate.models.two_tower import TwoTower

NEIGHBOURS, NOISE = 10, 0.5


def of_folder(folder: Path, users: int) -> tuple[Floats, Floats]:
    """Item vectors (n, dim) and (users, dim), of the tower in a release's folder."""
    tower = TwoTower.load(folder)
    if tower.background is None:
        raise SystemExit(f"{folder} is of a release that brings no vectors of people")
    held = tower.background.users
    some = held[np.linspace(0, len(held) - 1, users).astype(np.intp)]
    return np.ascontiguousarray(tower.table.unpacked()[tower.table.known]), some.astype(np.float32)


def multiplied(seeds: Floats, items: int, dice: np.random.Generator) -> Floats:
    """So many vectors that lie as these few do: between near ones, and a little beside."""
    apart = np.square(seeds).sum(1)[:, None] + np.square(seeds).sum(1) - 2 * seeds @ seeds.T
    near = np.argsort(apart, axis=1)[:, 1 : NEIGHBOURS + 1]
    spread = NOISE * np.sqrt(np.maximum(np.sort(apart, axis=1)[:, 1], 0) / seeds.shape[1])
    vectors = np.empty((items, seeds.shape[1]), np.float32)
    for at in range(0, items, 1 << 17):
        own = dice.integers(0, len(seeds), len(vectors[at : at + (1 << 17)]))
        other = near[own, dice.integers(0, NEIGHBOURS, len(own))]
        part = dice.random((len(own), 1), np.float32)
        some = seeds[own] + part * (seeds[other] - seeds[own])
        noise = dice.standard_normal(some.shape, np.float32) * spread[own, None]
        vectors[at : at + len(own)] = some + noise
    return vectors


def mixture(items: int, dim: int, users: int, dice: np.random.Generator) -> tuple[Floats, Floats]:
    """Item vectors and users, in directions of uneven strength and length, where no tower is."""
    strength = (1.0 / np.arange(1, dim + 1) ** 0.3).astype(np.float32)
    centres = dice.standard_normal((3_000, dim), np.float32) * strength
    centres *= np.exp(0.3 * dice.standard_normal((len(centres), 1), np.float32))
    asked = centres[dice.integers(0, len(centres), (users, 3))].mean(axis=1)
    return multiplied(centres, items, dice), asked
