"""Boosted trees as plain arrays: serving walks them without the library that grew them."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Doubles, Floats
from palate.jit import kernel

FILE = "trees.npz"


class Trees(NamedTuple):
    """Nodes of all trees end to end. A leaf has feature -1, and its value as threshold."""

    feature: NDArray[np.int32]
    threshold: Doubles
    """A value goes left where it is no larger."""
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    roots: NDArray[np.int32]

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        with np.load(folder / FILE) as held:
            return cls(*(held[name] for name in cls._fields))

    def reading(self, columns: Sequence[int]) -> Self:
        """The same trees on a table that has only these columns, in this order."""
        places = np.full(max(columns, default=-1) + 1, -1, np.int32)
        places[list(columns)] = np.arange(len(columns), dtype=np.int32)
        inner = self.feature >= 0
        return self._replace(feature=np.where(inner, places[self.feature], np.int32(-1)))

    def save(self, folder: Path) -> None:
        """Write one file into `folder`."""
        np.savez(folder / FILE, **self._asdict())

    def __call__(self, features: Floats) -> Floats:
        """(n,): the sum over trees."""
        out = np.zeros(len(features), np.float64)
        _walk(features, self, out)
        return out.astype(np.float32)


@kernel
def _walk(features: Floats, trees: Trees, out: Doubles) -> None:
    for root in trees.roots:
        for i in range(features.shape[0]):
            node = root
            while trees.feature[node] >= 0:
                below = features[i, trees.feature[node]] <= trees.threshold[node]
                node = trees.left[node] if below else trees.right[node]
            out[i] += trees.threshold[node]
