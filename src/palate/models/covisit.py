"""Co-visitation: which items follow which, counted exactly as events come in.

C[a, b] sums, over users and over pairs at distance g <= window, g^-gamma where b came after a and
back · g^-gamma where it came before. A visitor's score of b is
sum over history of decay^(steps back) · (n_a + 2)^-alpha · n_b^-beta · C[a, b], so it is the sum of
what each item of the history gave, and a reason can say how much (MODELS.md, "covisit").
With `half_life_days`, C and n are what they were worth at the newest event of all.

With `content_weight` w, C[a, b] is C[a, b] + w · cosine(a, b) for the few b that are described most
like a: pairs that nobody counted yet. They carry an item that nobody took, and say ever less of one
that many did; being pairs, they weigh the same on any site.
"""

from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Doubles, Floats, Mask, Rows, Times
from palate.catalog.alike import UNKNOWN, Alike
from palate.errors import CorruptState
from palate.index.exact import best
from palate.mapped.files import CAPACITY, MappedArrays
from palate.mapped.layouts import Layout
from palate.mapped.projections import Counts
from palate.models import covisit_reading as reading
from palate.models import covisit_table as tables
from palate.models.covisit_reading import Scaled
from palate.models.covisit_table import CELL_BYTES, EPOCH, Table
from palate.settings import CovisitSettings

FEWEST = 32
"""Neighbours an item keeps at least, whatever the bound."""
DAY = 86_400.0
READ_LATER = frozenset({"alpha", "beta", "decay", "history", "content_weight"})
"""Settings that are used when the table is read; all others shape what is counted."""
HEAD = np.dtype([("digest", "u8"), ("count", "f8"), ("last", "f8")])


class Covisit(Counts):
    """The table of neighbours, its fold and its scores."""

    def __init__(self, arrays: MappedArrays, settings: CovisitSettings) -> None:
        super().__init__(arrays)
        self.settings = settings
        self.digest = digest_of(settings)
        """Of the settings that shape the counts; told in every record."""
        self._rate = 1.0 / (settings.half_life_days * DAY) if settings.half_life_days else 0.0
        forward = np.arange(1.0, settings.window + 1.0) ** -settings.gamma
        self._steps = np.stack([forward, settings.back * forward]).astype(np.float32)
        self._told: tuple[Mapping[str, NDArray[Any]], Table] | None = None

    @classmethod
    def in_memory(
        cls, settings: CovisitSettings | None = None, capacity: int = CAPACITY
    ) -> "Covisit":
        """Make a table of this process alone."""
        settings = settings or CovisitSettings()
        return cls(MappedArrays.in_memory(layout_of(settings), capacity), settings)

    @staticmethod
    def distrust(directory: Path, settings: CovisitSettings) -> bool:
        """Mark the table below `directory` dirty; False where it is not one of these settings."""
        return MappedArrays.brand(directory, layout_of(settings), dirty=1)

    @classmethod
    def open(
        cls, directory: Path, settings: CovisitSettings | None = None, *, write: bool = False
    ) -> "Covisit":
        """Map the table below `directory`; a reader may come before the writer."""
        settings = settings or CovisitSettings()
        arrays = MappedArrays.open(directory, layout_of(settings), write=write, capacity=CAPACITY)
        return cls(arrays, settings)

    @property
    def table(self) -> Table:
        held, arrays = self._told, self._arrays.bound
        if held is None or held[0] is not arrays:  # they are others since it was told last
            self._told = held = arrays, Table(*(arrays[name] for name in Table._fields))
        return held[1]

    @property
    def taken(self) -> Rows:
        """All rows that somebody took in."""
        rows = self.allotted
        return rows[self.table.counts[self.slots[rows]] > 0]

    @property
    def fading(self) -> tuple[float, float]:
        """Half-lives a second, and the newest event in half-lives; 0 where counts do not fade."""
        return self._rate, float(self._arrays.scalar("newest")) * self._rate

    def fold(self, items: Rows, windows: NDArray[np.int32], times: Times) -> Rows:
        """Count what users took in for the first time, in log order; returns the rows changed.

        `items` are the rows taken in, `windows` (n, window) what the same user had taken in
        before, newest first, -1 padded, `times` when that was.
        """
        changed: list[Rows] = []
        start = 0
        while start < len(items):
            stop = _within(items, self.capacity, start)
            if stop == start:
                self._grow(int(items[start]) + 1)
                changed.append(self.taken)
                continue
            part = slice(start, stop)
            self._make_room(items[part], windows[part])
            self._add(items[part], windows[part], times[part])
            changed += [items[part], windows[part].ravel()]
            start = stop
        rows = np.unique(np.concatenate(changed)) if changed else np.empty(0, np.int32)
        return rows[rows >= 0].astype(np.int32)

    def neighbours(self, row: int, limit: int) -> tuple[Rows, Floats]:
        """What goes with an item, best first: rows, weights that sum to 1 over all of them."""
        if not 0 <= row < self.capacity:
            return np.empty(0, np.int32), np.empty(0, np.float32)
        held, slot = self.table, self.slots[row]
        size = int(held.sizes[slot])
        rows = held.rows[slot, :size].copy()
        weights = held.weights[slot, :size] * self._damping(rows)
        return best(rows, (weights / max(float(weights.sum()), 1e-12)).astype(np.float32), limit)

    def score(
        self,
        history: Rows,
        servable: NDArray[np.uint8] | Mask,
        excluded: Rows,
        limit: int,
        alike: Alike = UNKNOWN,
    ) -> tuple[Rows, Floats]:
        """Best `limit` servable rows for a history (newest first), without `excluded`."""
        return self.score_of(self.scaled(history), servable, excluded, limit, alike)

    def score_of(
        self,
        past: Scaled,
        servable: NDArray[np.uint8] | Mask,
        excluded: Rows,
        limit: int,
        alike: Alike = UNKNOWN,
    ) -> tuple[Rows, Floats]:
        """The same for a history that is `scaled`."""
        rows, sums = reading.totals(past, self.table, alike)
        may = servable.view(np.uint8)
        rows, sums = reading.servable(rows, sums, may, excluded)
        return best(rows, (sums * self._damping(rows)).astype(np.float32), limit)

    def everything(self, history: Rows, size: int, alike: Alike = UNKNOWN) -> Doubles:
        """(size,): the score of each of the first `size` rows for a history (newest first)."""
        found: Doubles = reading.everything(self.scaled(history), self.table, alike, size)
        seen = np.flatnonzero(found)
        found[seen] *= self._damping(seen)
        return found

    def shares(
        self, past: Scaled, wanted: Rows, limit: int = 3, alike: Alike = UNKNOWN
    ) -> list[tuple[tuple[int, ...], tuple[float, ...]]]:
        """What gave each of a page of distinct rows its score: items of the history, their shares.

        The `limit` that gave most, most first.
        """
        told = reading.shares(past, wanted, self.table, alike, limit)
        rows, gave, counts = (each.tolist() for each in told)
        return [
            (tuple(because[:count]), tuple(share[:count]))
            for because, share, count in zip(rows, gave, counts, strict=True)
        ]

    def counted_together(self, row: int, other: int) -> bool:
        """Whether anybody took in both, as far as the table knows."""
        if not 0 <= row < self.capacity:
            return False
        slot = self.slots[row]
        return other in self.table.rows[slot, : self.table.sizes[slot]]

    def pack(self, row: int) -> bytes:
        """One item's record: its count, and its neighbours as far as they are filled."""
        held, slot = self.table, self.slots[row]
        size = int(held.sizes[slot])
        head = np.array([(self.digest, held.counts[slot], held.last[slot])], HEAD)
        neighbours = held.rows[slot, :size].tobytes() + held.weights[slot, :size].tobytes()
        return head.tobytes() + neighbours

    def load(self, row: int, raw: bytes) -> None:
        """Take over one item's record.

        Raises CorruptState where it is cut short, or was counted with other settings.
        """
        size, rest = divmod(len(raw) - HEAD.itemsize, CELL_BYTES)
        if rest or size < 0:
            raise CorruptState(f"the covisit record of item row {row} is cut short; rebuild")
        if not self.counted(raw):
            raise CorruptState("the site counted with other [covisit] settings; run palate rebuild")
        self._grow(row + 1)
        slot = self.slot(row)
        held, head = self.table, np.frombuffer(raw, HEAD, 1)[0]
        kept, at = min(size, held.rows.shape[1]), HEAD.itemsize
        held.counts[slot], held.last[slot] = head["count"], head["last"]
        held.rows[slot, :kept] = np.frombuffer(raw, np.int32, size, at)[:kept]
        held.weights[slot, :kept] = np.frombuffer(raw, np.float32, size, at + 4 * size)[:kept]
        held.sizes[slot] = kept
        self._arrays.stamp(newest=max(self._arrays.scalar("newest"), float(head["last"])))

    def counted(self, raw: bytes) -> bool:
        """Whether a record was counted with these settings."""
        return raw[:8] == self.digest.to_bytes(8, "little")

    def _grow(self, rows: int) -> None:
        """Make room up to the next power of two; past the bound, items keep fewer neighbours."""
        if rows <= self.capacity:
            return
        capacity = 1 << (rows - 1).bit_length()
        keep = self._arrays.layout.columns["rows"].shape(capacity)[1]
        if keep < self.table.rows.shape[1]:
            tables.shrink(self.table, keep)
        self._arrays.grow(capacity)

    def _make_room(self, items: Rows, windows: NDArray[np.int32]) -> None:
        """Give slots to those that are met for the first time: to few, once a site is known."""
        met = np.concatenate((items, windows.ravel()))
        met = met[(met >= 0) & (met < self.capacity)]
        self.allot(np.unique(met[self.slots[met] == 0]))

    def _add(self, items: Rows, windows: NDArray[np.int32], times: Times) -> None:
        pairs = tables.pairs_of(items, windows, times, self._steps, self.capacity)
        tables.add(pairs, self.table, self._rate)
        newest = max(self._arrays.scalar("newest"), float(times.max()))
        self._arrays.stamp(newest=newest if self._rate else 0.0)

    def scaled(self, history: Rows) -> Scaled:
        """A history (newest first), and what its items' neighbours are worth."""
        s = self.settings
        newest = np.asarray(history[: s.history], np.int32)
        steps = np.flatnonzero(newest >= 0)
        used = newest[steps]
        faded = self._faded(used)
        worth = s.decay**steps * (self._counts(used) * faded + 2.0) ** -s.alpha
        return Scaled(used, faded * worth, s.content_weight * worth)

    def _counts(self, rows: NDArray[np.integer[Any]]) -> Doubles:
        """How often each item was taken in, in the money of its epoch."""
        return reading.told(rows, self.table, self.table.counts)

    def _faded(self, rows: NDArray[np.integer[Any]]) -> Doubles | float:
        """What 1 in the money of each row's epoch is worth at the newest event of all."""
        if not self._rate:
            return 1.0
        now = float(self._arrays.scalar("newest")) * self._rate
        last = reading.told(rows, self.table, self.table.last)
        begun = np.floor(last * self._rate / EPOCH) * EPOCH
        faded: Doubles = np.exp2(begun - now)
        return faded

    def _damping(self, rows: NDArray[np.integer[Any]]) -> Doubles:
        """Hold candidates down for their popularity."""
        counts = self._counts(rows) * self._faded(rows)
        damping: Doubles = np.maximum(counts, 1.0) ** -self.settings.beta
        return damping


def layout_of(settings: CovisitSettings) -> Layout:
    """The arrays of a table with these settings; one of other settings is not read."""
    cells = (settings.megabytes << 20) // CELL_BYTES
    fewest = min(FEWEST, settings.neighbours)
    return tables.layout(cells, fewest, settings.neighbours, f"{digest_of(settings):x}")


def digest_of(settings: CovisitSettings) -> int:
    """Changes with the settings that shape what is counted."""
    told = [
        (name, float(getattr(settings, name)))
        for name in settings.__struct_fields__
        if name not in READ_LATER
    ]
    return int.from_bytes(blake2b(repr(told).encode(), digest_size=8).digest(), "little")


def _within(items: Rows, capacity: int, start: int) -> int:
    """End of the run from `start` whose rows all fit."""
    over = np.flatnonzero(items[start:] >= capacity)
    return start + int(over[0]) if len(over) else len(items)
