"""What the catalogue says of each item row, as arrays that all processes of a site share.

A projection: the catalogue is the truth, these files may be deleted at any time and are made anew.
"""

import fcntl
import os
from collections.abc import Callable, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Bytes, Floats, Rows, Times
from palate.catalog.alike import UNKNOWN, Alike
from palate.catalog.attributes import HEADER as FIELDS
from palate.catalog.attributes import AttributeColumns, forget
from palate.catalog.content import Hashed
from palate.catalog.encoder import CONTENT_DIM, ContentEncoder
from palate.catalog.item import Item, creator_key
from palate.catalog.protocol import ItemCatalog, ItemChange
from palate.catalog.quantised import quantised, read_only, unit_vectors
from palate.catalog.vocabulary import Vocabulary
from palate.catalog.withheld import Withheld
from palate.errors import Conflict
from palate.mapped.files import MappedArrays
from palate.mapped.layouts import Column, Layout

FORMAT = 4
"""Raise it whenever the meaning of a column changes: files of another format are made anew."""
CAPACITY = 1024
CATEGORIES = 8
"""Of an item's categories the first eight have a place here; conditions find the others too."""
MOST_CATEGORIES = 32_767
MOST_CREATORS = 2**31 - 1
NOWHERE = 255
"""Region code of all regions that found no code of their own. Nobody is ever in it, so an item
that may be shown only there is shown nowhere: closed where it fails."""
BOOT = Path("/proc/sys/kernel/random/boot_id")
COLUMNS = {
    "servable": Column("u1"),  # first: an item stops being servable before the rest is cleared
    "published": Column("f8", fill=np.nan),
    "expires": Column("f8", fill=np.nan),
    "min_age": Column("u1"),
    "regions": Column("u8", (4,)),
    "categories": Column("i2", (CATEGORIES,), -1),
    "creator": Column("i4", fill=-1),
    "tags": Column("u2"),
    "content": Column("i1", (CONTENT_DIM,)),
}
UNCODED = np.full((1, 3), -1, np.int16)
"""What is read as any item's `codes`, which only a release gives: see `EncodedColumns`."""
NAMES = ("categories", "creators", "regions")
HEADER = dict.fromkeys(("format", "size", "version", "boot", "epoch", *NAMES), "i8") | FIELDS
"""`boot`: the boot of the machine that wrote last, 0 once synced. `epoch`: names the vocabularies'
files. The last three: how many names each vocabulary holds."""
LAYOUT = Layout(COLUMNS, HEADER)


class ItemColumns:
    """Arrays over item rows; room grows by itself. One process writes, all others read.

    ``servable u1`` (known and not hidden), ``published f8`` and ``expires f8`` (NaN where not
    given), ``min_age u1``, ``regions u8 (capacity, 4)`` (a bit per region code, all zero is
    everywhere), ``categories i2 (capacity, 8)`` (-1 pads), ``creator i4`` (-1), ``tags u2`` (how
    many), ``content i1 (capacity, 64)`` (see `catalog.quantised`). The row after the last given
    one is never written, so reading beyond the end gives an item that is not servable.
    """

    servable: NDArray[np.uint8]
    published: Times
    expires: Times
    min_age: NDArray[np.uint8]
    regions: NDArray[np.uint64]
    categories: NDArray[np.int16]
    creator: Rows
    tags: NDArray[np.uint16]
    content: Bytes
    attributes: AttributeColumns
    """Kind, tags and free attributes, for filters."""

    encoder: ContentEncoder = Hashed()
    """Fills `content`."""
    codes: NDArray[np.int16] = UNCODED
    """(rows, 3): what an item is about, see `models.codes`; shorter where nothing told. `read`
    gives the first of them as ``code``."""
    alike: Alike = UNKNOWN
    """What a release found to be described alike."""
    undated_is_new: bool = True
    """Where nothing dates an item and nobody met it, it was just put here. False in a catalogue of
    the past: it is today's, so that all that can be said is that nobody met it yet."""

    def __init__(self, held: MappedArrays, directory: Path | None, *, write: bool) -> None:
        self._held, self._directory, self._write = held, directory, write
        self._lock: int | None = None
        self._withheld = Withheld()
        self._epoch = -1
        self._bind()

    @classmethod
    def in_memory(cls, capacity: int = CAPACITY, encoder: ContentEncoder | None = None) -> Self:
        """Columns of this process only; `encoder` fills `content` in place of hashing."""
        columns = cls(MappedArrays.in_memory(LAYOUT, max(capacity, 2)), None, write=True)
        columns.encoder = encoder or columns.encoder
        return columns

    @classmethod
    def open(cls, directory: Path, *, write: bool = False) -> Self:
        """Map a site's columns.

        The writer starts empty (`version` 0) where the files are missing, damaged or of another
        format, or where the machine went down while they were written; Conflict where another
        process writes. A reader sees nothing until there are files.
        """
        lock = _lock(directory) if write else None
        held = MappedArrays.open(directory, LAYOUT, write=write, capacity=CAPACITY)
        columns = cls(held, directory, write=write)
        columns._lock = lock
        if write:
            columns._begin()
        return columns

    @property
    def size(self) -> int:
        """Rows given so far, as far as this projection knows."""
        return int(self._held.scalar("size"))

    @property
    def version(self) -> int:
        """The catalogue's version shown here."""
        return int(self._held.scalar("version"))

    @property
    def capacity(self) -> int:
        """Length of the arrays."""
        return self._held.capacity

    @property
    def whole(self) -> bool:
        """False where somebody else wrote over its files."""
        return self._held.whole

    def renew(self) -> None:
        """Writer: begin anew, empty, in the place of what is damaged."""
        self._held.renew()
        self._begin()

    @property
    def plain(self) -> "ItemColumns":
        """The columns as the catalogue has them, whatever a release makes of their content."""
        return self

    def follow(self, items: ItemCatalog) -> None:
        """Encode what changed since the release; there is nothing to do without one."""

    def look_ahead(self, items: ItemCatalog) -> None:
        """Reader: find what the catalogue withdrew and nobody has shown here yet; blocks."""
        self._withheld.look(items, int(self._held.scalar("version")))

    @property
    def withdrawn(self) -> Rows:
        """Sorted rows that must not be shown, whatever the columns still say of them."""
        return self._withheld.rows(int(self._held.scalar("version")))

    def read(self, rows: Rows, names: Sequence[str]) -> dict[str, NDArray[Any]]:
        """The named columns for `rows`; a row outside (also -1) reads as never written.

        ``content`` is told as vectors of unit length, float32.
        """
        within = np.asarray(rows, np.int32).view(np.uint32).astype(np.intp)
        return {name: self._read(name, within) for name in names}

    @property
    def content_vectors(self) -> Floats:
        """(size, 64): the content of all items, of unit length or zero."""
        vectors: Floats = self.read(np.arange(self.size, dtype=np.int32), ("content",))["content"]
        return vectors

    def refresh(self) -> None:
        """Reader: map the newer files if there are any. Cheap; call it before each request."""
        if self._held.refresh():
            self._bind()

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
        wide = {
            row for row, item in known if len(self._category_codes(item)) < len(item.categories)
        }
        self.attributes.write([change.row for change in changes], known, self.size, wide)
        rows = np.array([row for row, _ in known], np.intp)
        self._held["content"][rows] = quantised(self.encoder.encode([item for _, item in known]))
        # Last, so that no reader shows an item before its policy columns are in place.
        self.servable[rows] = [not item.hidden for _, item in known]
        self._held.stamp(version=changes[-1].version)

    def reserve(self, size: int) -> None:
        """Make room for at least `size` rows (rows that events gave to unknown items count too)."""
        if size >= self.capacity:
            self._held.grow(max(2 * self.capacity, size + 1))
            self._bind()
        self._held.stamp(size=max(size, self.size))

    def category_code(self, name: str) -> int:
        """Code of a category; -1 where no item has it."""
        return self._category.code(name)

    def category_names(self) -> list[str]:
        """Categories by code."""
        return self._category.names()

    def creator_code(self, name: str) -> int:
        """Code of a creator; -1 where no item has them."""
        return self._creator.code(name)

    def creator_of(self, key: int) -> int:
        """Code of the creator with this `creator_key`; -1 where no item has them."""
        return self._creator.code_of_key(key)

    def creator_name(self, code: int) -> str:
        """The creator with this code; "" where there is none."""
        return self._creator.name(code)

    def category_name(self, code: int) -> str:
        """The category with this code; "" where there is none."""
        return self._category.name(code)

    def region_code(self, name: str) -> int:
        """Code of a region, whatever its case; -1 where no item names it."""
        return self._region.code(name.upper())

    def close(self) -> None:
        """Writer: sync, and let another process write."""
        if self._lock is not None:
            os.sync()
            self._held.stamp(boot=0)
            os.close(self._lock)
            self._lock = None

    def _read(self, name: str, within: NDArray[np.intp]) -> NDArray[Any]:
        if name == "content":
            return unit_vectors(self.content, within)
        if name == "code":  # `take` would copy a column that does not lie in one piece, whole
            return self.codes.take(within, axis=0, mode="clip")[:, 0]
        found: NDArray[Any] = getattr(self, name).take(within, axis=0, mode="clip")
        return found

    def _bind(self) -> None:
        """Take up the arrays (and vocabularies) of the generation now mapped."""
        held = self._held
        for name in COLUMNS:
            setattr(self, name, held[name])
        self.content = read_only(held["content"])
        epoch = int(held.scalar("epoch"))
        if epoch == self._epoch:
            return
        self._epoch = epoch
        self._category = self._vocabulary("categories")
        self._creator = self._vocabulary("creators", creator_key)
        self._region = self._vocabulary("regions")
        self.attributes = AttributeColumns(held, self._directory, epoch)

    def _begin(self) -> None:
        """Writer: keep what can be trusted, else start empty."""
        boot = _boot()
        if not self._trusted(boot):
            self._held.clear()
            self._held.stamp(format=FORMAT, epoch=self._new_epoch())
        self._held.stamp(boot=boot)
        self._bind()

    def _trusted(self, boot: int) -> bool:
        held = self._held
        if held.scalar("format") != FORMAT or held.scalar("boot") not in (0, boot):
            return False
        named = (self._category, self._creator, self._region, self.attributes)
        whole = [each.cut() for each in named]  # every one of them, whatever the first says
        return all(whole)

    def _new_epoch(self) -> int:
        """Drop vocabularies that no array refers to any more; a number that none had."""
        assert self._directory is not None  # noqa: S101  only files begin
        old = list(self._directory.glob("*.jsonl"))
        for file in old:
            file.unlink()
        forget(self._directory)
        return 1 + max((int(file.stem.partition("-")[0]) for file in old), default=0)

    def _vocabulary(self, name: str, key_of: Callable[[str], int] | None = None) -> Vocabulary:
        file = None
        if self._directory is not None:
            file = self._directory / f"{self._held.scalar('epoch')}-{name}.jsonl"
        return Vocabulary(file, lambda: int(self._held.scalar(name)), key_of)

    def _name(self, items: Sequence[Item]) -> None:
        categories = self._category.learn(
            (name for item in items for name in item.categories[:CATEGORIES]), MOST_CATEGORIES
        )
        creators = self._creator.learn(
            (item.creator_id for item in items if item.creator_id), MOST_CREATORS
        )
        regions = self._region.learn(
            (name.upper() for item in items for name in item.regions), NOWHERE
        )
        self._held.stamp(categories=categories, creators=creators, regions=regions)

    def _category_codes(self, item: Item) -> list[int]:
        """Codes of the categories that have a place here."""
        codes = [self._category.code(name) for name in item.categories[:CATEGORIES]]
        return [code for code in codes if code >= 0]

    def _clear(self, rows: list[int]) -> None:
        for name, column in COLUMNS.items():
            self._held[name][rows] = column.fill

    def _fill(self, row: int, item: Item) -> None:
        if item.published_at is not None:
            self.published[row] = item.published_at
        if item.expires_at is not None:
            self.expires[row] = item.expires_at
        self.min_age[row] = min(item.min_age, 255)
        self.tags[row] = min(len(item.tags), 65_535)
        codes = self._category_codes(item)
        self.categories[row, : len(codes)] = codes
        if item.creator_id:
            self.creator[row] = self._creator.code(item.creator_id)
        for name in item.regions:
            code = self.region_code(name)
            code = NOWHERE if code < 0 else code
            self.regions[row, code // 64] |= np.uint64(1 << (code % 64))


def _lock(directory: Path) -> int:
    """Become the one writer."""
    directory.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise Conflict(
            f"{directory} is being written by another process; stop that one first"
        ) from error
    return descriptor


def _boot() -> int:
    """The machine's current boot; what was written to a mapping since then is not lost."""
    name = BOOT.read_bytes() if BOOT.exists() else b""
    return int.from_bytes(blake2b(name, digest_size=7).digest(), "little")
