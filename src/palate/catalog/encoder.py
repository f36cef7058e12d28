"""What turns the words of items into vectors; see `content.Hashed`, and `models.content`."""

from collections.abc import Sequence
from typing import Protocol

from palate.arrays import Floats
from palate.catalog.item import Item

CONTENT_DIM = 64
"""Width of every encoder's vectors."""


class ContentEncoder(Protocol):
    """Places items by what they say of themselves, an item at a time and without a network.

    Vectors of one encoder may be compared with each other, never with another's.
    """

    def encode(self, items: Sequence[Item]) -> Floats:
        """(n, 64) of unit length; all zero where an item says nothing."""
        ...
