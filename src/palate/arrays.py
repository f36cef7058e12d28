"""The array types that travel through the system, by what they hold."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Rows: TypeAlias = NDArray[np.int32]
"""Item rows: dense int32, given to an item once and never reused."""

Keys: TypeAlias = NDArray[np.uint64]
"""User keys: 64 bits hashed from a user's (or a session's) id."""

Times: TypeAlias = NDArray[np.float64]
"""Seconds since the epoch, UTC."""

Floats: TypeAlias = NDArray[np.float32]
"""Scores, features, vectors."""

Bytes: TypeAlias = NDArray[np.int8]
"""Vectors of a byte a number: they point where they do, and their lengths mean nothing."""

Doubles: TypeAlias = NDArray[np.float64]
"""Authoritative counters: folded in float64 so that replay equals live, bit for bit."""

Mask: TypeAlias = NDArray[np.bool_]

Table: TypeAlias = NDArray[Any]
"""A structured array: one named field per column."""


def by_column(table: Floats) -> Floats:
    """(columns, n): a table's columns, each end to end; copied only where they do not lie so."""
    return np.ascontiguousarray(table.T)
