"""Co-visitation: which items follow which, counted exactly as events come in.

C[a, b] sums, over users and over pairs at distance g <= window, g^-gamma where b came after a and
back · g^-gamma where it came before. A visitor's score of b is
sum over history of decay^(steps back) · (n_a + 2)^-alpha · n_b^-beta · C[a, b], so it is the sum of
what each item of the history gave, and a reason can say how much (MODELS.md, "covisit").
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Doubles, Floats, Mask, Rows
from palate.errors import CorruptStore
from palate.jit import kernel
from palate.mapped import Column, Layout, MappedArrays

CAPACITY = 1_024
FEWEST, MOST = 32, 1_024
"""Neighbours an item keeps, at least and at most."""
CELL_BYTES = 8
SHRUNK = 1_024
"""Items whose neighbours are cut down at a time."""
MEGABYTES = 256


@dataclass(frozen=True, slots=True)
class CovisitSettings:
    """The constants of the model."""

    window: int = 10
    """Items taken in before this one that are paired with it."""
    gamma: float = 0.75
    """How fast a pair's weight falls with its distance."""
    back: float = 0.6
    """Weight of a pair read backwards."""
    alpha: float = 0.5
    """How much an item of the history is held down for its own popularity."""
    beta: float = 0.2
    """How much a candidate is held down for its popularity."""
    decay: float = 0.6
    """Weight of an item of the history per step back."""
    history: int = 20
    """Newest items of the history that are read."""


class Table(NamedTuple):
    """The arrays that the kernels read and write."""

    rows: NDArray[np.int32]
    """(capacity, neighbours): filled from the left, -1 pads."""
    weights: Floats
    counts: Doubles
    """(capacity,): how many users took the item in, n_a."""
    sizes: NDArray[np.int32]
    """(capacity,): how many neighbours are filled."""


def layout(cells: int, fewest: int, most: int) -> Layout:
    """Arrays that keep at most `most` neighbours an item, fewer past `cells` neighbours in all."""
    return Layout(
        {
            "rows": Column("i4", fill=-1, cells=cells, fewest=fewest, most=most),
            "weights": Column("f4", cells=cells, fewest=fewest, most=most),
            "counts": Column("f8"),
            "sizes": Column("i4"),
        },
        {"position": "i8", "dirty": "i8"},
    )


class Covisit:
    """The table of neighbours, its fold and its scores."""

    def __init__(self, arrays: MappedArrays, settings: CovisitSettings | None = None) -> None:
        self._arrays = arrays
        self.settings = settings or CovisitSettings()

    @classmethod
    def in_memory(
        cls, capacity: int = CAPACITY, neighbours: int = 512, *, megabytes: int = 0
    ) -> "Covisit":
        """Make a table of this process alone.

        It keeps `neighbours` an item, or, when `megabytes` is given, what that bound allows.
        """
        return cls(MappedArrays.in_memory(_bounded(megabytes, neighbours), capacity))

    @classmethod
    def open(cls, directory: Path, *, write: bool = False, megabytes: int = MEGABYTES) -> "Covisit":
        """Map the table below `directory`; a reader may come before the writer."""
        bounded = _bounded(megabytes, MOST)
        return cls(MappedArrays.open(directory, bounded, write=write, capacity=CAPACITY))

    @property
    def table(self) -> Table:
        held = self._arrays
        return Table(held["rows"], held["weights"], held["counts"], held["sizes"])

    @property
    def capacity(self) -> int:
        return self._arrays.capacity

    @property
    def position(self) -> int:
        """Log position that is shown."""
        return int(self._arrays.scalar("position"))

    @property
    def dirty(self) -> bool:
        """A fold began and its commit did not follow."""
        return bool(self._arrays.scalar("dirty"))

    def stamp(self, **scalars: float) -> None:
        """Set `position` or `dirty`."""
        self._arrays.stamp(**scalars)

    def refresh(self) -> bool:
        """Follow the writer to a new generation; cheap, call it before each request."""
        return self._arrays.refresh()

    def clear(self) -> None:
        """Forget everything."""
        self._arrays.clear()

    def fold(self, items: Rows, windows: NDArray[np.int32]) -> Rows:
        """Count what users took in for the first time, in log order; returns the rows changed.

        `items` are the rows taken in, `windows` (n, window) what the same user had taken in
        before, newest first, -1 padded.
        """
        changed: list[Rows] = []
        start = 0
        while start < len(items):
            stop = _within(items, self.capacity, start)
            if stop == start:
                self._grow(int(items[start]) + 1)
                changed.append(np.flatnonzero(self.table.counts > 0).astype(np.int32))
                continue
            self._count(items[start:stop], windows[start:stop])
            changed += [items[start:stop], windows[start:stop].ravel()]
            start = stop
        rows = np.unique(np.concatenate(changed)) if changed else np.empty(0, np.int32)
        return rows[rows >= 0].astype(np.int32)

    def neighbours(self, row: int, limit: int) -> tuple[Rows, Floats]:
        """What goes with an item, best first: rows, weights that sum to 1 over all of them."""
        if not 0 <= row < self.capacity:
            return np.empty(0, np.int32), np.empty(0, np.float32)
        held = self.table
        size = int(held.sizes[row])
        rows = held.rows[row, :size].copy()
        weights = held.weights[row, :size] * self._damping(rows)
        return _best(rows, weights / max(float(weights.sum()), 1e-12), limit)

    def score(
        self, history: Rows, servable: NDArray[np.uint8] | Mask, excluded: Rows, limit: int
    ) -> tuple[Rows, Floats]:
        """Best `limit` servable rows for a history (newest first), without `excluded`."""
        table = self.table
        used, scales = self._scaled(history)
        rows, totals = _totals(used, table, scales)
        kept = np.flatnonzero((rows >= 0) & (rows < len(servable)))
        kept = kept[servable[rows[kept]] != 0]
        kept = kept[~np.isin(rows[kept], excluded)]
        rows = rows[kept]
        return _best(rows, totals[kept] * self._damping(rows), limit)

    def reasons(self, history: Rows, row: int, limit: int = 3) -> tuple[Rows, Floats]:
        """Which items of the history (newest first) gave `row` its score, and how much each."""
        if not 0 <= row < self.capacity:
            return np.empty(0, np.int32), np.empty(0, np.float32)
        used, scales = self._scaled(history)
        parts = _parts(used, row, self.table, scales) * self._damping(np.array([row]))
        order = np.lexsort((np.arange(len(parts)), -parts))[:limit]
        order = order[parts[order] > 0]
        return used[order], parts[order].astype(np.float32)

    def pack(self, row: int) -> bytes:
        """One item's record: its count, and its neighbours as far as they are filled."""
        held = self.table
        size = int(held.sizes[row])
        neighbours = held.rows[row, :size].tobytes() + held.weights[row, :size].tobytes()
        return held.counts[row : row + 1].tobytes() + neighbours

    def load(self, row: int, raw: bytes) -> None:
        """Take over one item's record.

        Raises CorruptStore where it is cut short.
        """
        size, rest = divmod(len(raw) - CELL_BYTES, CELL_BYTES)
        if rest or size < 0:
            raise CorruptStore(f"the covisit record of item row {row} is cut short; rebuild")
        self._grow(row + 1)
        held = self.table
        kept = min(size, held.rows.shape[1])
        held.counts[row] = np.frombuffer(raw, np.float64, 1)[0]
        held.rows[row, :kept] = np.frombuffer(raw, np.int32, size, 8)[:kept]
        held.weights[row, :kept] = np.frombuffer(raw, np.float32, size, 8 + 4 * size)[:kept]
        held.sizes[row] = kept

    def _grow(self, rows: int) -> None:
        """Make room up to the next power of two; past the bound, items keep fewer neighbours."""
        if rows <= self.capacity:
            return
        capacity = 1 << (rows - 1).bit_length()
        keep = self._arrays.layout.columns["rows"].shape(capacity)[1]
        if keep < self.table.rows.shape[1]:
            _shrink(self.table, keep)
        self._arrays.grow(capacity)

    def _count(self, items: Rows, windows: NDArray[np.int32]) -> None:
        s = self.settings
        forward = (np.arange(1, windows.shape[1] + 1) ** -s.gamma).astype(np.float32)
        backward = (forward * np.float32(s.back)).astype(np.float32)
        _fold(items, windows, self.table, forward, backward)

    def _scaled(self, history: Rows) -> tuple[Rows, Doubles]:
        """Items of the history that have neighbours, and what each one's pairs are worth."""
        s = self.settings
        newest = np.asarray(history[: s.history], np.int32)
        steps = np.flatnonzero((newest >= 0) & (newest < self.capacity))
        used = newest[steps]
        return used, s.decay**steps * (self.table.counts[used] + 2.0) ** -s.alpha

    def _damping(self, rows: NDArray[np.integer[Any]]) -> Doubles:
        """Hold candidates down for their popularity."""
        damping: Doubles = np.maximum(self.table.counts[rows], 1.0) ** -self.settings.beta
        return damping


def _bounded(megabytes: int, neighbours: int) -> Layout:
    if not megabytes:
        return layout(0, neighbours, neighbours)
    return layout((megabytes << 20) // CELL_BYTES, FEWEST, neighbours)


def _within(items: Rows, capacity: int, start: int) -> int:
    """End of the run from `start` whose rows all fit."""
    over = np.flatnonzero(items[start:] >= capacity)
    return start + int(over[0]) if len(over) else len(items)


def _best(rows: Rows, totals: Doubles, limit: int) -> tuple[Rows, Floats]:
    """The `limit` largest, equals by row."""
    scores = totals.astype(np.float32)
    if len(rows) > limit > 0:
        cut = np.partition(scores, len(scores) - limit)[len(scores) - limit]
        rows, scores = rows[scores >= cut], scores[scores >= cut]
    order = np.lexsort((rows, -scores))[: max(limit, 0)]
    return rows[order], scores[order]


@kernel
def _add(table: Table, at: int, row: int, weight: float) -> None:
    """Add to a pair; a full table gives up its smallest (the first of equals)."""
    size = table.sizes[at]
    for slot in range(size):
        if table.rows[at, slot] == row:
            table.weights[at, slot] += weight
            return
    if size < table.rows.shape[1]:
        table.sizes[at] = size + 1
    else:
        size = np.argmin(table.weights[at])
    table.rows[at, size] = row
    table.weights[at, size] = weight


@kernel
def _fold(
    items: Rows, windows: NDArray[np.int32], table: Table, forward: Floats, backward: Floats
) -> None:
    for event in range(len(items)):
        item = items[event]
        table.counts[item] += 1.0
        for g in range(windows.shape[1]):
            before = windows[event, g]
            if before < 0 or before >= len(table.sizes):
                break
            _add(table, before, item, forward[g])
            _add(table, item, before, backward[g])


def _shrink(table: Table, keep: int) -> None:
    """Keep each item's `keep` largest (the first of equals), the largest first."""
    for start in range(0, len(table.sizes), SHRUNK):
        part = slice(start, start + SHRUNK)
        order = np.argsort(-table.weights[part], axis=1, kind="stable")[:, :keep]
        for array in (table.rows, table.weights):
            array[part, :keep] = np.take_along_axis(array[part], order, axis=1)
        np.minimum(table.sizes[part], keep, out=table.sizes[part])
    table.rows[:, keep:] = -1
    table.weights[:, keep:] = 0.0


@kernel
def _totals(history: Rows, table: Table, scales: Doubles) -> tuple[NDArray[np.int32], Doubles]:
    """Sum per neighbour what the history gives it, in an open-addressed table (-1: free place)."""
    pairs = 0
    for step in range(len(history)):
        pairs += table.sizes[history[step]]
    size = 64
    while size < min(2 * pairs, len(table.sizes)):
        size *= 2
    rows, totals = np.full(size, -1, np.int32), np.zeros(size)
    for step in range(len(history)):
        row = history[step]
        for slot in range(table.sizes[row]):
            other = table.rows[row, slot]
            place = other & (size - 1)
            while rows[place] != other and rows[place] >= 0:
                place = (place + 1) & (size - 1)
            rows[place] = other
            totals[place] += scales[step] * table.weights[row, slot]
    return rows, totals


@kernel
def _parts(history: Rows, wanted: int, table: Table, scales: Doubles) -> Doubles:
    """How much each item of the history gives to one neighbour."""
    parts = np.zeros(len(history))
    for step in range(len(history)):
        row = history[step]
        for slot in range(table.sizes[row]):
            if table.rows[row, slot] == wanted:
                parts[step] = scales[step] * table.weights[row, slot]
    return parts
