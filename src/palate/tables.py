"""A model's arrays in a release's folder: one file each, mapped where they are read."""

from pathlib import Path
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")


def read_table(folder: Path, kind: type[T]) -> T:
    """Map the arrays of a named tuple, as `write_table` wrote them. Raises OSError, ValueError.

    One that has a default may be missing: an older release did not bring it.
    """
    named: Any = kind
    files = {name: folder / f"{name}.npy" for name in named._fields}
    found = {
        name: np.asarray(np.load(file, mmap_mode="r"))
        for name, file in files.items()
        if name not in named._field_defaults or file.exists()
    }
    table: T = named(**found)
    return table


def write_table(folder: Path, table: Any) -> None:
    """Write every array of a named tuple into `folder`."""
    for name, array in table._asdict().items():
        np.save(folder / f"{name}.npy", array)
