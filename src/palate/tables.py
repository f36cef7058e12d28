"""A model's arrays in a release's folder: one file each, mapped where they are read."""

from pathlib import Path
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")


def read_table(folder: Path, kind: type[T]) -> T:
    """Map the arrays of a named tuple, as `write_table` wrote them. Raises OSError, ValueError."""
    named: Any = kind
    arrays = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in named._fields)
    table: T = named(*map(np.asarray, arrays))
    return table


def write_table(folder: Path, table: Any) -> None:
    """Write every array of a named tuple into `folder`."""
    for name, array in table._asdict().items():
        np.save(folder / f"{name}.npy", array)
