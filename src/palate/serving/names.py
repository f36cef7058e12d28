"""What an item is called: ids and titles by row, remembered within a bound, soon refreshed."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from itertools import islice
from math import inf
from time import perf_counter
from typing import NamedTuple, TypeVar

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
AT_ONCE = 0.001
"""Seconds that the event loop stands still for a read. Nearly all come in a tenth of that; who goes
back into the loop's queue instead waits there for answers that have not even begun."""
APART = 20 * AT_ONCE
"""Seconds after a read that did not come at once in which the loop stands still for none: however
slow the disk is, that costs a twentieth of the loop's time."""
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
        self._under_way = 0
        self._again_at = -inf

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
            told = "items without a name at hand are left out"
            read = partial(self._read, missing)
            known |= await self._tried(read, self._keep_names, seconds, told)
        return known

    async def _tried(
        self,
        read: Callable[[], dict[K, V]],
        keep: Callable[[dict[K, V]], None],
        seconds: float,
        told: str,
    ) -> dict[K, V]:
        """What is read; nothing, said once a minute, where the catalogue cannot be read."""
        if seconds < inf and self._under_way >= UNDER_WAY:
            return {}
        try:
            return await self._came(read, keep, seconds)
        except PalateError as error:
            self._complain(told, error)
            return {}

    async def _came(
        self,
        read: Callable[[], dict[K, V]],
        keep: Callable[[dict[K, V]], None],
        seconds: float = inf,
    ) -> dict[K, V]:
        """What is read, or nothing where that takes too long: then it is kept for the next one."""
        reading = self._readers.submit(read)
        if perf_counter() >= self._again_at:
            try:
                keep(found := reading.result(AT_ONCE))
            except TimeoutError:
                self._again_at = perf_counter() + APART
            else:
                return found
        loop = asyncio.get_running_loop()
        come: asyncio.Future[dict[K, V]] = loop.create_future()
        ended = partial(self._ended, come, keep)
        self._under_way += 1
        reading.add_done_callback(partial(_told, loop, ended))
        if seconds == inf:
            return await come
        late = loop.call_later(max(seconds, FAIR), _give_up, come)
        try:
            return await come
        finally:
            late.cancel()

    def _ended(
        self,
        come: "asyncio.Future[dict[K, V]]",
        keep: Callable[[dict[K, V]], None],
        reading: "Future[dict[K, V]]",
    ) -> None:
        """On the loop: a read is over that was not over at once."""
        self._under_way -= 1
        error = reading.exception()
        if error is None:
            keep(reading.result())
        if come.done():
            if error is not None:
                self._complain("the catalogue was read too late, and in vain", error)
        elif error is None:
            come.set_result(reading.result())
        else:
            come.set_exception(error)

    def _keep_names(self, found: dict[int, Named]) -> None:
        _keep(self._named, found, self._most)

    def _keep_rows(self, found: dict[str, int]) -> None:
        """An id unknown today may be given a row tomorrow: only rows that exist are kept."""
        _keep(self._rows, {name: row for name, row in found.items() if row >= 0}, self._most)

    def _complain(self, what: str, error: BaseException) -> None:
        if self._complaints.take(perf_counter()):
            log.error("%s: %s", what, error)

    def asked(self) -> tuple[int, int]:
        """How many names were at hand and how many were read, since this was asked last."""
        told = self._hits, self._misses
        self._hits = self._misses = 0
        return told

    async def rows(self, item_ids: Iterable[str]) -> list[int]:
        """Rows by id, in order; -1 where the id is unknown. Raises what the catalogue raises."""
        known, ids, missing = self._at_hand(item_ids)
        if missing:
            known |= await self._came(partial(self._looked_up, missing), self._keep_rows)
        return [known[each] for each in ids]

    async def rows_within(self, item_ids: Iterable[str], seconds: float) -> list[int]:
        """The same for an answer that has so long; `UNREAD` where an id could not be looked up."""
        known, ids, missing = self._at_hand(item_ids)
        if missing:
            told = "items that a request names are not known"
            read = partial(self._looked_up, missing)
            known |= await self._tried(read, self._keep_rows, seconds, told)
        return [known.get(each, UNREAD) for each in ids]

    def _at_hand(self, item_ids: Iterable[str]) -> tuple[dict[str, int], list[str], list[str]]:
        """Rows that are known, all ids, and those that have to be read."""
        ids = list(item_ids)
        known = {each: self._rows[each] for each in ids if each in self._rows}
        return known, ids, [each for each in ids if each not in known]

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

    def _looked_up(self, ids: list[str]) -> dict[str, int]:
        return dict(zip(ids, self._items.rows(ids, create=False).tolist(), strict=True))

    def _read(self, rows: list[int]) -> dict[int, Named]:
        ids = self._items.ids(np.array(rows, np.int32))
        items = self._items.find(ids)
        return {
            row: Named(name, item.title if item and item.title else name)
            for row, name, item in zip(rows, ids, items, strict=True)
            if name
        }


def _told(
    loop: asyncio.AbstractEventLoop,
    ended: "Callable[[Future[dict[K, V]]], None]",
    reading: "Future[dict[K, V]]",
) -> None:
    """In the reader's thread: tell the loop, if it is still there."""
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(ended, reading)


def _give_up(come: "asyncio.Future[dict[K, V]]") -> None:
    if not come.done():
        come.set_result({})


def _keep(held: dict[K, V], fresh: dict[K, V], most: int) -> None:
    """Add, and let the oldest go beyond the bound."""
    held.update(fresh)
    for key in list(islice(held, max(0, len(held) - most))):
        del held[key]
