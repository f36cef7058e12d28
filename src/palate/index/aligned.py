"""Columns that follow a slate: put in its order when a rule reads them, not when it moves.

A page goes through half a dozen rules, and each reads a few of what all of them have asked for.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Mask


class Aligned(Mapping[str, NDArray[Any]]):
    """Columns of some rows, and which of these the slate holds, in its order."""

    __slots__ = ("_told", "held", "places")

    def __init__(
        self, held: Mapping[str, NDArray[Any]], places: NDArray[np.intp] | None = None
    ) -> None:
        self.held, self.places = held, places
        self._told: dict[str, NDArray[Any]] = {}

    @classmethod
    def of(cls, columns: Mapping[str, NDArray[Any]]) -> "Aligned":
        """These columns, as they are."""
        return columns if isinstance(columns, Aligned) else cls(columns)

    def take(self, which: NDArray[np.intp] | Mask | slice, size: int) -> "Aligned":
        """Keep these of the `size` rows, in this order."""
        places = np.arange(size) if self.places is None else self.places
        return Aligned(self.held, places[which])

    def followed(self, other: Mapping[str, NDArray[Any]]) -> Mapping[str, NDArray[Any]]:
        """With the same columns of other rows behind."""
        if isinstance(other, Aligned) and other.held is self.held:
            both = [each.places for each in (self, other) if each.places is not None]
            if len(both) == 2:  # noqa: PLR2004  both are a part of the same rows
                return Aligned(self.held, np.concatenate(both))
        return {name: np.concatenate([column, other[name]]) for name, column in self.items()}

    def __getitem__(self, name: str) -> NDArray[Any]:
        found = self._told.get(name)
        if found is None:
            held = self.held[name]
            found = held if self.places is None else held.take(self.places, axis=0)
            self._told[name] = found
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self.held)

    def __len__(self) -> int:
        return len(self.held)
