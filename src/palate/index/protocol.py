"""What an index promises; `palate.testing.index` holds every back-end to it."""

from pathlib import Path
from typing import NamedTuple, Protocol

from palate.arrays import Floats, Mask, Rows


class Allowed(NamedTuple):
    """The rows that a search may find."""

    mask: Mask
    """(n,): True where a row may be found; rows from n on count as False."""
    rows: Rows | None = None
    """All of them, sorted, where they are few; None where they are many."""


class Index(Protocol):
    """Finds the items whose vectors have the largest dot product with a given one."""

    def search(
        self, vector: Floats, limit: int, allowed: Allowed | None = None
    ) -> tuple[Rows, Floats]:
        """Up to `limit` rows and their dot products with `vector` (dim,), best first.

        With `allowed` only rows among these. Equal scores come in row order. An index may be
        approximate; what it returns carries the score it believes in, and no row comes twice.
        """
        ...

    def save(self, folder: Path) -> None:
        """Write what `open_index` needs beside the vectors; an exact index needs nothing."""
        ...

    def __len__(self) -> int:
        """How many vectors are held."""
        ...
