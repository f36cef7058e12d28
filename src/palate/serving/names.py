"""What an item is called: ids and titles by row, remembered within a bound, soon refreshed."""

import asyncio
import logging
from collections.abc import Iterable
from itertools import islice
from time import perf_counter
from typing import NamedTuple, TypeVar

import numpy as np

from palate.arrays import Rows
from palate.catalog.protocol import ItemCatalog
from palate.errors import PalateError
from palate.serving.observing.allowance import Allowance

MOST_CHANGES = 1_000
log = logging.getLogger("palate.serving")
K = TypeVar("K")
V = TypeVar("V")


class Named(NamedTuple):
    """An item as people know it."""

    item_id: str
    title: str
    """The id where the catalogue has no title."""


class Names:
    """Ids and titles by row, and rows by id. One per worker, on its event loop."""

    def __init__(self, items: ItemCatalog, version: int, most: int) -> None:
        self._items, self._version, self._most = items, version, most
        self._named: dict[int, Named] = {}
        self._hits = self._misses = 0
        self._complaints = Allowance(1 / 60, 1)
        self._rows: dict[str, int] = {}

    async def warm(self, likely: Rows, size: int) -> None:
        """Read names before they are asked for, within the bound: `likely`, then the first rows."""
        first = np.arange(min(size, self._most), dtype=np.int32)
        wanted = dict.fromkeys(np.concatenate([likely, first]).tolist())
        rows = list(islice(wanted, self._most))
        for at in range(0, len(rows), MOST_CHANGES):
            await self.of(rows[at : at + MOST_CHANGES])

    async def of(self, rows: Iterable[int]) -> dict[int, Named]:
        """Names by row; a row that was never given is left out."""
        wanted = set(rows)
        known = {row: self._named[row] for row in wanted if row in self._named}
        missing = [row for row in wanted if row not in known]
        self._hits, self._misses = self._hits + len(known), self._misses + len(missing)
        if missing:
            found = await self._found(missing)
            _keep(self._named, found, self._most)
            known |= found
        return known

    async def _found(self, rows: list[int]) -> dict[int, Named]:
        """Read names; none, said once a minute, where the catalogue cannot be read."""
        try:
            return await asyncio.to_thread(self._read, rows)
        except PalateError as error:
            if self._complaints.take(perf_counter()):
                log.error("items without a name at hand are left out: %s", error.detail)  # noqa: TRY400
            return {}

    def asked(self) -> tuple[int, int]:
        """How many names were at hand and how many were read, since this was asked last."""
        told = self._hits, self._misses
        self._hits = self._misses = 0
        return told

    async def rows(self, item_ids: Iterable[str]) -> list[int]:
        """Rows by id, in order; -1 where the id is unknown."""
        ids = list(item_ids)
        known = {each: self._rows[each] for each in ids if each in self._rows}
        missing = [each for each in ids if each not in known]
        if missing:
            rows = await asyncio.to_thread(self._items.rows, missing, create=False)
            found = dict(zip(missing, rows.tolist(), strict=True))
            # An id unknown today may be given a row tomorrow: only rows that exist are kept.
            _keep(self._rows, {name: row for name, row in found.items() if row >= 0}, self._most)
            known |= found
        return [known[each] for each in ids]

    async def refresh(self, version: int) -> None:
        """Forget the titles that changed, once the catalogue is at `version`."""
        if version == self._version:
            return
        changes = await asyncio.to_thread(self._items.changes, self._version, MOST_CHANGES)
        if len(changes) == MOST_CHANGES:
            self._named.clear()
        for change in changes:
            self._named.pop(change.row, None)
        self._version = version

    def _read(self, rows: list[int]) -> dict[int, Named]:
        ids = self._items.ids(np.array(rows, np.int32))
        items = self._items.find(ids)
        return {
            row: Named(name, item.title if item and item.title else name)
            for row, name, item in zip(rows, ids, items, strict=True)
            if name
        }


def _keep(held: dict[K, V], fresh: dict[K, V], most: int) -> None:
    """Add, and let the oldest go beyond the bound."""
    held.update(fresh)
    for key in list(islice(held, max(0, len(held) - most))):
        del held[key]
