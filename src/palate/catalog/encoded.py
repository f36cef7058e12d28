"""The item columns of a site, with content as the live release encodes it."""

import threading
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Bytes, Floats
from palate.catalog.alike import Alike
from palate.catalog.columns import COLUMNS, ItemColumns
from palate.catalog.encoder import CONTENT_DIM, ContentEncoder
from palate.catalog.protocol import ItemCatalog, ItemChange
from palate.catalog.quantised import quantised, read_only, unit_vectors

CHANGES = 2_000
"""Changes of the catalogue encoded at a time."""
LEVELS = 3
"""Codes of an item; the first one is what a rule names as `code`."""
BOUND = (*COLUMNS, "attributes", "_category", "_creator", "_region", "_epoch")


class Content(Protocol):
    """What a release brings; see `models.content.ContentModel`."""

    @property
    def encoder(self) -> ContentEncoder: ...
    @property
    def vectors(self) -> Bytes:
        """(rows and some to spare, 64), zero where nothing is said. Rows may be written.

        See `catalog.quantised`.
        """
        ...

    @property
    def codes(self) -> NDArray[np.int16]:
        """As long, (…, 3): what each item is about, -1 where nothing is said."""
        ...

    @property
    def alike(self) -> Alike:
        """Which items are described most like each of those that it knew."""
        ...

    @property
    def version(self) -> int:
        """The catalogue's version that the vectors show."""
        ...

    def codes_of(self, vectors: Floats) -> NDArray[np.int16]:
        """The codes of vectors."""
        ...


class EncodedColumns(ItemColumns):
    """Reads as the plain columns do, but for `content`, which is this process's own.

    The release brings the vectors of the items it knew; `follow` encodes what came or changed
    since, so a new item is understood at once. Two releases live side by side through a swap, each
    with vectors that fit its own models.
    """

    content: Bytes

    def __init__(self, plain: ItemColumns, brought: Content) -> None:
        self._plain, self._guard = plain, threading.Lock()
        self._vectors, self._codes = brought.vectors, brought.codes
        self._shown, self._coded = brought.version, brought.codes_of
        super().__init__(plain._held, None, write=False)  # noqa: SLF001  a view of the same arrays
        self.encoder, self.alike = brought.encoder, brought.alike
        self._withheld = plain._withheld  # noqa: SLF001
        self.undated_is_new = plain.undated_is_new

    @property
    def plain(self) -> ItemColumns:
        return self._plain

    @property
    def size(self) -> int:
        return min(self._plain.size, len(self._vectors) - 1)

    @property
    def version(self) -> int:
        """The catalogue's version shown here, content included."""
        return min(self._plain.version, self._shown)

    def refresh(self) -> None:
        self._plain.refresh()
        if self.servable is not self._plain.servable:
            self._bind()

    def follow(self, items: ItemCatalog) -> None:
        """Encode what the catalogue changed, as far as the plain columns show it; may take long."""
        with self._guard:
            self._reserve(self._plain.size)
            while self._shown < self._plain.version:
                changes = items.changes(self._shown, CHANGES)
                if not changes:
                    break
                self._take(changes)

    def close(self) -> None:
        self._plain.close()

    def _take(self, changes: Sequence[ItemChange]) -> None:
        latest = {change.row: change.item for change in changes}
        self._reserve(max(latest) + 1)
        known = [(row, item) for row, item in latest.items() if item is not None]
        vectors = np.zeros((len(latest), CONTENT_DIM), np.float32)
        place = {row: at for at, row in enumerate(latest)}
        vectors[[place[row] for row, _ in known]] = self.encoder.encode([item for _, item in known])
        held = quantised(vectors)
        told = unit_vectors(held, np.arange(len(held), dtype=np.intp))
        self._vectors[list(latest)], self._codes[list(latest)] = held, self._coded(told)
        self._shown = changes[-1].version

    def _reserve(self, size: int) -> None:
        """Make room for `size` rows and a blank one behind them."""
        if size >= len(self._vectors):
            room = np.zeros((2 * size + 2, CONTENT_DIM), np.int8)
            room[: len(self._vectors)] = self._vectors
            self._vectors, self.content = room, read_only(room)
            spare = ((0, len(room) - len(self._codes)), (0, 0))
            self._codes = self.codes = np.pad(self._codes, spare, constant_values=-1)

    def _bind(self) -> None:
        for name in BOUND:
            setattr(self, name, getattr(self._plain, name))
        self.content, self.codes = read_only(self._vectors), self._codes
