"""Boosted trees as plain arrays: serving reads them without the library that grew them.

Scoring is QuickScorer's (Lucchese et al., SIGIR 2015) on vectors of rows (its V-QuickScorer, 2016):
no path is walked. Every tree has a word of one bit a leaf; each inner node that sends a row to the
right strikes out the leaves on its left, and the first that is left is where the row ends. Many
rows take the same instructions at once, none of which the processor has to guess.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Doubles, Floats, by_column
from palate.jit import kernel

FILE = "trees.npz"
MOST = 32
"""Leaves of one tree: bits of a word."""
TOGETHER = 4_096
"""Rows that are turned into columns at once, where they are not laid so already."""
EVERY = np.uint32(0xFFFFFFFF)
DE_BRUIJN = np.uint32(0x077CB531)
"""Times a power of two it has another five bits in front for each (Leiserson et al., 1998)."""
SHIFT = np.uint32(27)
PLACE = np.zeros(MOST, np.int64)
PLACE[[((int(DE_BRUIJN) << bit) & int(EVERY)) >> int(SHIFT) for bit in range(MOST)]] = range(MOST)

Words = NDArray[np.uint32]
Places = NDArray[np.int32]


class Leaves(NamedTuple):
    """The inner nodes of all trees, each with what it strikes out, and the leaves left to right."""

    feature: Places
    threshold: Floats
    """float32, rounded down: a float32 is no larger than it where it is no larger than the
    threshold that was learnt."""
    left: Words
    """What remains of a tree's leaves where a row goes right: a 0 for each on the left."""
    starts: Places
    """(trees + 1,): the first inner node of each."""
    values: Doubles
    leaves: Places
    """(trees + 1,): the first leaf of each."""


@dataclass(frozen=True)
class Trees:
    """Nodes of all trees end to end. A leaf has feature -1, and its value as threshold."""

    feature: Places
    threshold: Doubles
    """A value goes left where it is no larger."""
    left: Places
    right: Places
    roots: Places

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        with np.load(folder / FILE) as held:
            return cls(*(held[each.name] for each in fields(cls)))

    def reading(self, columns: Sequence[int]) -> Self:
        """The same trees on a table that has only these columns, in this order."""
        places = np.full(max(columns, default=-1) + 1, -1, np.int32)
        places[list(columns)] = np.arange(len(columns), dtype=np.int32)
        inner = self.feature >= 0
        return replace(self, feature=np.where(inner, places[self.feature], np.int32(-1)))

    def save(self, folder: Path) -> None:
        """Write one file into `folder`."""
        np.savez(folder / FILE, **{each.name: getattr(self, each.name) for each in fields(self)})

    def __call__(self, features: Floats) -> Floats:
        """(n,): the sum over trees. Raises ValueError where one has more than `MOST` leaves."""
        out = np.zeros(len(features), np.float64)
        for at in range(0, len(features), TOGETHER):
            some = slice(at, at + TOGETHER)
            _sum(by_column(np.asarray(features[some], np.float32)), self._leaves, out[some])
        return out.astype(np.float32)

    @cached_property
    def _leaves(self) -> Leaves:
        laid = _Laid([], [], [], [0], [], [0])
        for root in self.roots.tolist():
            self._lay(root, laid)
            laid.starts.append(len(laid.feature))
            laid.leaves.append(len(laid.values))
            if laid.leaves[-1] - laid.leaves[-2] > MOST:
                raise ValueError(f"a tree has more than {MOST} leaves")
        exact = np.array(laid.threshold, np.float64)
        near = exact.astype(np.float32)
        above = near > exact
        near[above] = np.nextafter(near[above], np.float32(-np.inf))
        return Leaves(
            np.array(laid.feature, np.int32),
            near,
            np.array(laid.left, np.uint32),
            np.array(laid.starts, np.int32),
            np.array(laid.values, np.float64),
            np.array(laid.leaves, np.int32),
        )

    def _lay(self, node: int, laid: "_Laid") -> None:
        """Add a node and what hangs below it."""
        if self.feature[node] < 0:
            laid.values.append(float(self.threshold[node]))
            return
        at, first = len(laid.feature), len(laid.values)
        laid.feature.append(int(self.feature[node]))
        laid.threshold.append(float(self.threshold[node]))
        laid.left.append(0)
        self._lay(int(self.left[node]), laid)
        struck = (1 << (len(laid.values) - first)) - 1 << (first - laid.leaves[-1])
        laid.left[at] = ~struck & int(EVERY)
        self._lay(int(self.right[node]), laid)


class _Laid(NamedTuple):
    """`Leaves` while they grow."""

    feature: list[int]
    threshold: list[float]
    left: list[int]
    starts: list[int]
    values: list[float]
    leaves: list[int]


@kernel
def _sum(columns: Floats, trees: Leaves, out: Doubles) -> None:
    count = columns.shape[1]
    bits = np.empty(count, np.uint32)
    for tree in range(len(trees.starts) - 1):
        bits[:] = EVERY
        for node in range(trees.starts[tree], trees.starts[tree + 1]):
            f, most, kept = trees.feature[node], trees.threshold[node], trees.left[node]
            for i in range(count):
                bits[i] &= EVERY if columns[f, i] <= most else kept
        own = trees.leaves[tree]
        for i in range(count):
            lowest = np.uint32(bits[i] & (~bits[i] + np.uint32(1)))
            out[i] += trees.values[own + PLACE[np.uint32(lowest * DE_BRUIJN) >> SHIFT]]
