"""The vectors of a trained tower: its items', and those of people at moments of their past."""

from pathlib import Path

import numpy as np

from palate.arrays import Floats
from palate.models.two_tower import TwoTower


def of_folder(folder: Path, users: int) -> tuple[Floats, Floats]:
    """Item vectors (n, dim) and (users, dim), of the tower in a release's folder."""
    tower = TwoTower.load(folder)
    if tower.background is None:
        raise SystemExit(f"{folder} is of a release that brings no vectors of people")
    held = tower.background.users
    some = held[np.linspace(0, len(held) - 1, users).astype(np.intp)]
    return np.ascontiguousarray(tower.table.vectors[tower.table.known]), some.astype(np.float32)
