"""What training found out about each feature; a release keeps it beside its ranker."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np

from palate.arrays import Floats
from palate.features.vector import defaults

FILE = "features.json"
"""In a release's folder. Releases without it are fine: nothing was measured."""


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """One feature over the rows of a training."""

    missing: float | None = None
    """Share of the rows in which it said what it says where there is nothing to go by."""
    importance: float | None = None
    """What NDCG@10 lost on held-out moments when it was shuffled among their candidates."""


def missing(names: Sequence[str], rows: Floats) -> dict[str, float]:
    """Share of (n, features) rows in which each feature had nothing to go by.

    >>> missing(("found_by",), np.array([[0.0], [2.0]], np.float32))
    {'found_by': 0.5}
    """
    shares = (rows == defaults(names)).mean(axis=0) if len(rows) else np.ones(len(names))
    return dict(zip(names, map(float, shares), strict=True))


def write_measured(folder: Path, measured: Mapping[str, Measured]) -> None:
    """Put the file into a release's staging folder."""
    (folder / FILE).write_bytes(msgspec.json.format(msgspec.json.encode(measured), indent=1))


def read_measured(folder: Path) -> dict[str, Measured]:
    """What a release's folder says; nothing where it has no such file."""
    file = folder / FILE
    if not file.is_file():
        return {}
    return msgspec.json.decode(file.read_bytes(), type=dict[str, Measured])
