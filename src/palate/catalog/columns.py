"""What the catalogue says of each item row, as arrays that all processes of a site share.

A projection: the catalogue is the truth, these files may be deleted at any time and are made anew.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Floats, Rows, Times
from palate.catalog.content import CONTENT_DIM, content_vectors
from palate.catalog.item import Item
from palate.catalog.mapped import OWN, Generation, GenerationFolder, Layout
from palate.catalog.protocol import ItemChange
from palate.catalog.vocabulary import Vocabulary
from palate.errors import Conflict, CorruptStore

FORMAT = 1
"""Raise it whenever a column or its meaning changes: files of another format are made anew."""
CATEGORIES = 8
"""An item's first eight categories count."""
MOST_CATEGORIES = 32_767
NOWHERE = 255
"""Region code of all regions that found no code of their own. Nobody is ever in it, so an item
that may be shown only there is shown nowhere: closed where it fails."""
LAYOUT: Layout = {
    "servable": ("u1", (), 0),
    "published": ("f8", (), np.nan),
    "expires": ("f8", (), np.nan),
    "min_age": ("u1", (), 0),
    "regions": ("u8", (4,), 0),
    "categories": ("i2", (CATEGORIES,), -1),
    "creator": ("i4", (), -1),
    "tags": ("u2", (), 0),
    "content": ("f4", (CONTENT_DIM,), 0),
}
SIZE, VERSION, NAMED_CATEGORIES, NAMED_CREATORS, NAMED_REGIONS = range(OWN, OWN + 5)


class ItemColumns:
    """Arrays over item rows; room grows by itself. One process writes, all others read.

    ``servable u1`` (known and not hidden), ``published f8`` and ``expires f8`` (NaN where not
    given), ``min_age u1``, ``regions u8 (capacity, 4)`` (a bit per region code, all zero is
    everywhere), ``categories i2 (capacity, 8)`` (-1 pads), ``creator i4`` (-1), ``tags u2`` (how
    many), ``content f4 (capacity, 64)``. The row after the last given one is never written, so
    reading beyond the end gives an item that is not servable.
    """

    servable: NDArray[np.uint8]
    published: Times
    expires: Times
    min_age: NDArray[np.uint8]
    regions: NDArray[np.uint64]
    categories: NDArray[np.int16]
    creator: Rows
    tags: NDArray[np.uint16]
    content: Floats

    def __init__(self, held: Generation, folder: GenerationFolder | None, *, write: bool) -> None:
        self._folder, self._write = folder, write
        self._adopt(held)

    @classmethod
    def in_memory(cls, capacity: int = 1024) -> Self:
        """Columns of this process only."""
        return cls(Generation.in_memory(LAYOUT, FORMAT, max(capacity, 2)), None, write=True)

    @classmethod
    def open(cls, directory: Path, *, write: bool = False) -> Self:
        """Map a site's columns.

        The writer starts empty (`version` 0) where the files are missing, damaged or of another
        format; Conflict where another process writes. A reader sees nothing until there are files.
        """
        folder = GenerationFolder(directory, LAYOUT, FORMAT)
        if not write:
            reader = cls(Generation.in_memory(LAYOUT, FORMAT, 2), folder, write=False)
            reader.refresh()
            return reader
        folder.lock()
        try:
            held = folder.current(write=True)
        except CorruptStore:
            held = None
        if held is None or not held.trusted():
            old, held = held, folder.begin(1024)
            folder.publish(held, old)
        held.dirty()
        columns = cls(held, folder, write=True)
        for vocabulary in columns._vocabularies():
            vocabulary.cut()
        return columns

    @property
    def size(self) -> int:
        """Rows given so far, as far as this projection knows."""
        return int(self._held.header[SIZE])

    @property
    def version(self) -> int:
        """The catalogue's version shown here."""
        return int(self._held.header[VERSION])

    @property
    def capacity(self) -> int:
        """Length of the arrays."""
        return self._held.capacity

    def read(self, rows: Rows, names: Sequence[str]) -> dict[str, NDArray[Any]]:
        """The named columns for `rows`; a row outside (also -1) reads as never written."""
        within = np.asarray(rows, np.int32).view(np.uint32)
        return {
            name: np.take(self._held.columns[name], within, axis=0, mode="clip") for name in names
        }

    def refresh(self) -> None:
        """Reader: map the newer files if there are any. Cheap; call it before each request."""
        if self._folder is None or self._write:
            return
        if self._held.folder is None or self._held.superseded:
            newer = self._folder.current(write=False)
            if newer is not None:
                self._adopt(newer)

    def write(self, changes: Sequence[ItemChange]) -> None:
        """Show what the catalogue changed; the version of the last change becomes `version`."""
        if not self._write:
            raise Conflict("these columns were opened for reading")
        if not changes:
            return
        self.reserve(max(change.row for change in changes) + 1)
        self._name([change.item for change in changes if change.item])
        self._clear([change.row for change in changes])
        latest = {change.row: change.item for change in changes}
        known = [(row, item) for row, item in latest.items() if item is not None]
        for row, item in known:
            self._fill(row, item)
        rows = np.array([row for row, _ in known], np.intp)
        self.content[rows] = content_vectors([item for _, item in known])
        # Last, so that no reader shows an item before its policy columns are in place.
        self.servable[rows] = [not item.hidden for _, item in known]
        self._held.header[VERSION] = changes[-1].version

    def reserve(self, size: int) -> None:
        """Make room for at least `size` rows (rows that events gave to unknown items count too)."""
        if size >= self.capacity:
            self._grow(max(2 * self.capacity, size + 1))
        self._held.header[SIZE] = max(size, self.size)

    def category_code(self, name: str) -> int:
        """Code of a category; -1 where no item has it."""
        return self._category.code(name)

    def category_names(self) -> list[str]:
        """Categories by code."""
        return self._category.names()

    def creator_code(self, name: str) -> int:
        """Code of a creator; -1 where no item has them."""
        return self._creator.code(name)

    def creator_names(self) -> list[str]:
        """Creators by code."""
        return self._creator.names()

    def region_code(self, name: str) -> int:
        """Code of a region, whatever its case; -1 where no item names it."""
        return self._region.code(name.upper())

    def close(self) -> None:
        """Writer: sync, and let another process write."""
        if self._write and self._folder is not None:
            self._held.close()
            self._folder.unlock()

    def _adopt(self, held: Generation) -> None:
        self._held = held
        header = held.header
        for name in LAYOUT:
            setattr(self, name, held.columns[name])

        def vocabulary(name: str, place: int) -> Vocabulary:
            file = held.folder and held.folder / f"{name}.jsonl"
            return Vocabulary(file, lambda: int(header[place]))

        self._category = vocabulary("categories", NAMED_CATEGORIES)
        self._creator = vocabulary("creators", NAMED_CREATORS)
        self._region = vocabulary("regions", NAMED_REGIONS)

    def _vocabularies(self) -> tuple[Vocabulary, ...]:
        return self._category, self._creator, self._region

    def _name(self, items: Sequence[Item]) -> None:
        header = self._held.header
        header[NAMED_CATEGORIES] = self._category.learn(
            (name for item in items for name in item.categories), MOST_CATEGORIES
        )
        header[NAMED_CREATORS] = self._creator.learn(
            (item.creator_id for item in items if item.creator_id), 2**31 - 1
        )
        header[NAMED_REGIONS] = self._region.learn(
            (name.upper() for item in items for name in item.regions), NOWHERE
        )

    def _clear(self, rows: list[int]) -> None:
        self.servable[rows] = 0
        for name, (_, _, value) in LAYOUT.items():
            self._held.columns[name][rows] = value

    def _fill(self, row: int, item: Item) -> None:
        if item.published_at is not None:
            self.published[row] = item.published_at
        if item.expires_at is not None:
            self.expires[row] = item.expires_at
        self.min_age[row] = min(item.min_age, 255)
        self.tags[row] = min(len(item.tags), 65_535)
        codes = [self._category.code(name) for name in item.categories[:CATEGORIES]]
        self.categories[row, : len(codes)] = codes
        if item.creator_id:
            self.creator[row] = self._creator.code(item.creator_id)
        for name in item.regions:
            code = self.region_code(name)
            code = NOWHERE if code < 0 else code
            self.regions[row, code // 64] |= np.uint64(1 << (code % 64))

    def _grow(self, capacity: int) -> None:
        old = self._held
        if self._folder is None:
            new = Generation.in_memory(LAYOUT, FORMAT, capacity)
        else:
            new = self._folder.begin(capacity)
            for vocabulary, name in zip(
                self._vocabularies(), ("categories", "creators", "regions"), strict=True
            ):
                vocabulary.copy_to(new.folder / f"{name}.jsonl")  # type: ignore[operator]
        for name, column in old.columns.items():
            new.columns[name][: old.capacity] = column
        new.header[OWN:] = old.header[OWN:]
        kept = self._vocabularies()
        self._adopt(new)
        if self._folder is None:
            self._category, self._creator, self._region = kept
        else:
            self._folder.publish(new, old)
