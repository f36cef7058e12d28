"""What an item is called: ids and titles by row, remembered within a bound, soon refreshed."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from math import inf
from time import perf_counter
from typing import Any, NamedTuple, TypeVar

import numpy as np

from palate.arrays import Rows
from palate.catalog.protocol import ItemCatalog
from palate.errors import PalateError
from palate.serving.observing.allowance import Allowance

MOST_CHANGES = 1_000
UNREAD = -2
"""The row of an id that could not be looked up in time."""
READERS, UNDER_WAY = 2, 16
"""Threads that read for answers, and reads at most that answers gave up waiting for."""
FAIR = 0.02
"""Seconds that a read gets in any case: without names there is nothing to tell."""
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
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="names")
        self._under_way: set[asyncio.Task[Any]] = set()

    async def warm(self, likely: Rows, size: int) -> None:
        """Read names before they are asked for, within the bound: `likely`, then the first rows."""
        first = np.arange(min(size, self._most), dtype=np.int32)
        wanted = dict.fromkeys(np.concatenate([likely, first]).tolist())
        rows = list(islice(wanted, self._most))
        for at in range(0, len(rows), MOST_CHANGES):
            found = await self.of(rows[at : at + MOST_CHANGES])
            _keep(self._rows, {each.item_id: row for row, each in found.items()}, self._most)

    async def of(self, rows: Iterable[int], seconds: float = inf) -> dict[int, Named]:
        """Names by row; a row that was never given, or not read in `seconds`, is left out."""
        wanted = set(rows)
        known = {row: self._named[row] for row in wanted if row in self._named}
        missing = [row for row in wanted if row not in known]
        self._hits, self._misses = self._hits + len(known), self._misses + len(missing)
        if missing:
            known |= await self._within(seconds, self._found(missing))
        return known

    async def _within(self, seconds: float, reading: Coroutine[Any, Any, dict[K, V]]) -> dict[K, V]:
        """What is read, or nothing where that takes too long: then it is read for the next one."""
        if seconds == inf:
            return await reading
        if len(self._under_way) >= UNDER_WAY:
            reading.close()
            return {}
        task = asyncio.ensure_future(reading)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        done, _ = await asyncio.wait({task}, timeout=max(seconds, FAIR))
        return task.result() if done else {}

    async def _found(self, rows: list[int]) -> dict[int, Named]:
        """Read names; none, said once a minute, where the catalogue cannot be read."""
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(self._readers, self._read, rows)
        except PalateError as error:
            self._complain("items without a name at hand are left out", error)
            return {}
        _keep(self._named, found, self._most)
        return found

    def _complain(self, what: str, error: PalateError) -> None:
        if self._complaints.take(perf_counter()):
            log.error("%s: %s", what, error.detail)

    def asked(self) -> tuple[int, int]:
        """How many names were at hand and how many were read, since this was asked last."""
        told = self._hits, self._misses
        self._hits = self._misses = 0
        return told

    async def rows(self, item_ids: Iterable[str]) -> list[int]:
        """Rows by id, in order; -1 where the id is unknown. Raises what the catalogue raises."""
        return await self._by_id(item_ids, self._looked_up)

    async def rows_within(self, item_ids: Iterable[str], seconds: float) -> list[int]:
        """The same for an answer that has so long; `UNREAD` where an id could not be looked up."""
        return await self._by_id(item_ids, lambda ids: self._within(seconds, self._tried(ids)))

    async def _by_id(
        self, item_ids: Iterable[str], read: Callable[[list[str]], Awaitable[dict[str, int]]]
    ) -> list[int]:
        """Rows by id, in order; those that are not at hand are read, and `UNREAD` without that."""
        ids = list(item_ids)
        known = {each: self._rows[each] for each in ids if each in self._rows}
        missing = [each for each in ids if each not in known]
        if missing:
            known |= await read(missing)
        return [known.get(each, UNREAD) for each in ids]

    async def _tried(self, ids: list[str]) -> dict[str, int]:
        """Rows by id; none, said once a minute, where the catalogue cannot be read."""
        try:
            return await self._looked_up(ids)
        except PalateError as error:
            self._complain("items that a request names are not known", error)
            return {}

    async def _looked_up(self, ids: list[str]) -> dict[str, int]:
        loop = asyncio.get_running_loop()
        rows = await loop.run_in_executor(
            self._readers, partial(self._items.rows, ids, create=False)
        )
        found = dict(zip(ids, rows.tolist(), strict=True))
        # An id unknown today may be given a row tomorrow: only rows that exist are kept.
        _keep(self._rows, {name: row for name, row in found.items() if row >= 0}, self._most)
        return found

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
