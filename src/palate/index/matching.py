"""What a request may be given: what its filter lets through, and the catalogue's policy."""

from dataclasses import dataclass, field
from typing import Self

import numpy as np

from palate.arrays import Mask, Rows
from palate.index.protocol import Allowed

FEW, SHARE = 50_000, 64
"""Up to so many items, or one in so many of a larger catalogue, are told row by row."""
JOINT = 4
"""Others with which what both let through is remembered."""


@dataclass(frozen=True, slots=True)
class Matching:
    """The items that a request's filter lets through, as of a moment ago."""

    mask: Mask
    """(columns.capacity,): True where the filter holds and the item was servable."""
    rows: Rows | None
    """All of them, sorted, where they are few; None where they are many."""
    asked: bool = True
    """False where no filter was asked for, and this is what the catalogue's policy leaves."""
    _joint: dict[int, tuple["Matching", "Matching"]] = field(
        default_factory=dict, repr=False, compare=False
    )
    """By the other's `id`: the other, and what both let through."""

    @classmethod
    def of(cls, mask: Mask, *, size: int | None = None, asked: bool = True) -> Self:
        """Tell the rows (below `size`, where the mask says more than is given) if they are few."""
        given = mask[:size]
        few = np.count_nonzero(given) <= max(FEW, len(given) // SHARE)
        return cls(mask, np.flatnonzero(given).astype(np.int32) if few else None, asked)

    @property
    def allowed(self) -> Allowed:
        """The same, as an index is told it."""
        return Allowed(self.mask, self.rows)

    def beside(self, other: "Matching | None") -> bool:
        """Whether what both let through is known already."""
        return other is None or id(other) in self._joint

    def within(self, other: "Matching | None") -> "Matching":
        """What both let through; found once for two that are asked together again."""
        if other is None:
            return self
        held = self._joint.get(id(other))
        if held is None:
            size = min(len(self.mask), len(other.mask))
            mask = self.mask[:size] & other.mask[:size]
            held = other, Matching.of(mask, asked=self.asked or other.asked)
            if len(self._joint) >= JOINT:
                self._joint.clear()
            self._joint[id(other)] = held
        return held[1]
