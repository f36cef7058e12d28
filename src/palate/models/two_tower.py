"""The two-tower, serving side: what somebody did becomes a vector, and near items are candidates.

There is no user id in it: the user tower reads the last events, so a visitor is personal after
the first click. The item tower reads content plus a learnt correction per item, so an item that
was added a second ago has a usable vector through its content alone.

    item:  v = W·content + mean of its categories' vectors + gate·δ
    user:  a causal transformer over the v of the last events, with how each one went (liked,
           disliked, neither), how far back it is and how long before `now` it was
    score: u·v
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from palate.arrays import Floats, Mask, Rows, Times
from palate.catalog.columns import ItemColumns
from palate.catalog.quantised import SOON
from palate.events.kinds import Signal
from palate.features.reading.past import place_of
from palate.features.record import UserState
from palate.index.exact import best
from palate.index.growing import GrowingIndex
from palate.index.ivf.index import IvfIndex
from palate.index.ivf.scan import coded
from palate.index.opening import EXACT_LIMIT, Building, Tuned, build_index, held, open_index, tuned
from palate.index.protocol import Allowed, Index
from palate.jit import ahead, kernel
from palate.models.fold_in import Background
from palate.models.networks import LastSteps, session
from palate.tables import read_table, write_table

TIME_BUCKETS = 32
"""Powers of two of seconds: the last one is beyond 60 years."""

ITEM_NETWORK = "item.onnx"
"""Content and categories to a vector; releases older than it have the same as arrays alone."""

STEP = ".npz"
"""Beside the user tower's network, of the same name: its weights, where it has one block."""

NEUTRAL, LIKED, DISLIKED = 0, 1, 2

_BITS = np.arange(256)
_CODES: NDArray[np.int64] = np.where(
    _BITS & Signal.NEGATIVE, DISLIKED, np.where(_BITS & Signal.POSITIVE, LIKED, NEUTRAL)
).astype(np.int64)
"""By an event's signals."""


class TowerFacts(msgspec.Struct, frozen=True, kw_only=True):
    """``tower.json``: the shape of the towers, and the names behind the category table."""

    dim: int
    history: int
    """Events that the user tower reads."""
    categories: tuple[str, ...]
    """One name per row of the category table."""
    share: float = 1.0
    """Of the candidates that are asked of it, so many it proposes: less than all where what only
    counts was better."""


NO_SCALES: Floats = np.empty(0, np.float32)
NO_SCALES.flags.writeable = False
IN_ORDER: Rows = np.empty(0, np.int32)
IN_ORDER.flags.writeable = False
"""Where each row's vector lies, when row n's is the nth."""


class ItemTable(NamedTuple):
    """What the item tower came to, as arrays."""

    vectors: Floats | NDArray[np.int8]
    """(rows, dim): every item that was known when the tower was trained.

    In a large catalogue whole numbers, a byte each, that mean a vector times its row's scale.
    """
    known: Mask
    """(rows,): False where neither content nor events were known; such a row counts as fresh."""
    content: Floats
    """(64, dim): W."""
    categories: Floats
    """(categories, dim)."""
    scales: Floats = NO_SCALES
    """(rows,); nothing where the vectors are as they are."""
    places: NDArray[np.int32] = IN_ORDER
    """(rows,): where each row's vector and its scale lie, -1 for one that is not known. A release
    with a clustered index of ours brings them in the index alone."""

    def packed(self) -> Self:
        """The same with a byte a number."""
        order = np.arange(len(self.vectors))
        codes, scales = coded(np.asarray(self.vectors, np.float32), order)
        return self._replace(vectors=codes, scales=scales)

    def unpacked(self) -> Floats:
        """(rows, dim): the vectors as they are; that of any other where one is not known."""
        return _gathered(self, np.arange(len(self.known), dtype=np.int32))[0]

    def within(self, index: Index) -> Self:
        """The same, of the vectors that an index holds, where it can tell where they are."""
        if not isinstance(index, IvfIndex):
            return self
        held = index.table
        return self._replace(vectors=held.codes, scales=held.scales, places=held.places)


class Tune(NamedTuple):
    """What an index is tuned for."""

    asked: Floats
    """(n, dim): vectors of visitors."""
    wanted: float
    """Share of the true candidates that it has to find."""


def outcome_codes(signals: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Liked, disliked or neither, from an event's signals."""
    return _CODES.take(signals)


def time_buckets(seconds: Times) -> NDArray[np.int64]:
    """Take the power of two below a span of seconds; negative spans (late events) count as 0."""
    return np.minimum(np.log2(1.0 + np.maximum(seconds, 0.0)), TIME_BUCKETS - 1).astype(np.int64)


def span_buckets(times: Times, now: float) -> NDArray[np.int64]:
    """(L, L): at step i, how long event j lies before the moment that is predicted.

    That moment is the next event's time, and `now` for the last step.
    """
    asked = np.append(times[1:], now)
    return time_buckets(asked[:, None] - times[None, :])


class TwoTower:
    """Both towers of one release."""

    def __init__(
        self,
        facts: TowerFacts,
        table: ItemTable,
        user: Path,
        index: Index,
        item: Path | None = None,
        background: Background | None = None,
    ) -> None:
        self.facts, self.background = facts, background
        self._own: Mapping[int, Floats] = {}
        self._table = table
        self._step = LastSteps.load(user.with_suffix(STEP))
        if self._step is not None and not self._step.fits(facts.dim, facts.history):
            raise ValueError(f"{user.with_suffix(STEP)} is of other towers than {facts}")
        self._session = session(user)
        self._item = session(item) if item is not None else None
        self._asked = frozenset(each.name for each in self._session.get_inputs())
        self._items = GrowingIndex(index, table.known, self._from_content)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Open what `save_table` and the exporter wrote. Raises OSError or ValueError."""
        facts = msgspec.json.decode((folder / "tower.json").read_bytes(), type=TowerFacts)
        table = read_table(folder, ItemTable)
        index = open_index(folder, table.known, table.vectors)
        table = table.within(index)
        item = folder / ITEM_NETWORK
        network = item if item.exists() else None
        return cls(facts, table, folder / "user.onnx", index, network, Background.load(folder))

    @property
    def table(self) -> ItemTable:
        """What the item tower came to."""
        return self._table

    def user_vector(
        self, user: UserState, now: float, columns: ItemColumns | None = None
    ) -> Floats | None:
        """Turn the visitor into a vector (dim,); None for somebody we have seen do nothing.

        With `columns`, items that are newer than the release count through their content;
        without, they are passed over.
        """
        last = self.facts.history
        rows, signals = user.history[-last:], user.signals[-last:]
        times = user.times[-last:].astype(np.float64)
        vectors, usable = self._vectors(rows, columns)
        if not usable.all():
            vectors, signals, times = vectors[usable], signals[usable], times[usable]
        if not len(vectors):
            return None
        codes = outcome_codes(signals)
        if "spans" in self._asked:
            return self._run(vectors=vectors, outcomes=codes, spans=span_buckets(times, now))
        waits = time_buckets(np.append(times[1:], now) - times)
        ages = time_buckets(now - times)
        if self._step is not None:
            return self._step(vectors, codes, waits, ages)
        return self._run(vectors=vectors, outcomes=codes, waits=waits, ages=ages)

    def _run(self, **feed: NDArray[Any]) -> Floats:
        """What the network of a release says that has no `LastSteps`."""
        answer: Floats = self._session.run(None, {n: each[None] for n, each in feed.items()})[0][0]
        return answer

    def candidates(
        self,
        user: UserState,
        now: float,
        columns: ItemColumns,
        excluded: Rows,
        limit: int,
        allowed: Allowed | None = None,
    ) -> tuple[Rows, Floats]:
        """Find the `limit` servable items nearest to the visitor, with dot products, best first.

        `excluded` is sorted; with `allowed` only rows among these. Nobody known gets nothing.
        """
        vector = self.user_vector(user, now, columns)
        if vector is None:
            return np.empty(0, np.int32), np.empty(0, np.float32)
        return self._items.nearest(vector, columns, excluded, limit, allowed)

    def similar(
        self, row: int, columns: ItemColumns, limit: int, allowed: Allowed | None = None
    ) -> tuple[Rows, Floats]:
        """Find the `limit` servable items most like `row`, and their cosines, best first."""
        vectors, usable = self._vectors(np.array([row], np.int32), columns)
        if not usable[0]:
            return np.empty(0, np.int32), np.empty(0, np.float32)
        own = np.array([row], np.int32)
        rows, _ = self._items.nearest(vectors[0], columns, own, 4 * limit + 50, allowed)
        others, _ = self._vectors(rows, columns)
        norms = np.linalg.norm(others, axis=1) * np.linalg.norm(vectors[0])
        return best(rows, (others @ vectors[0] / np.maximum(norms, 1e-9)).astype(np.float32), limit)

    def newcomers(self, columns: ItemColumns) -> Rows:
        """Servable rows that came after the release."""
        return self._items.newcomers(columns).rows

    def place(self, own: Mapping[int, Floats]) -> None:
        """Give newcomers a part (dim,) of their own beside what their content says."""
        self._own = {**self._own, **own}
        self._items.moved()

    def content_of(self, rows: Rows, columns: ItemColumns) -> Floats:
        """(n, dim): where content alone puts items."""
        names = columns.category_names()
        known = {name: code for code, name in enumerate(self.facts.categories)}
        codes = np.array([known.get(name, -1) for name in names] + [-1], np.int64)
        held = codes[columns.categories[rows].astype(np.int64)]
        return self._placed(columns.read(rows, ("content",))["content"], held)

    def vectors(self, rows: Rows, columns: ItemColumns) -> Floats:
        """(n, dim): item vectors by row, 0 where nothing is known."""
        vectors, usable = self._vectors(rows, columns)
        return vectors if usable.all() else np.where(usable[:, None], vectors, np.float32(0.0))

    def _vectors(self, rows: Rows, columns: ItemColumns | None) -> tuple[Floats, Mask]:
        """Vectors by row, and which of them mean anything."""
        vectors, usable = _gathered(self._table, rows)
        if columns is None or usable.all():
            return vectors, usable
        fresh = self._items.newcomers(columns)
        if len(fresh.rows):
            at = np.minimum(np.searchsorted(fresh.rows, rows), len(fresh.rows) - 1)
            late = ~usable & (fresh.rows[at] == rows)
            vectors[late] = fresh.vectors[at[late]]
            usable = usable | late
        return vectors, usable

    def _from_content(self, rows: Rows, columns: ItemColumns) -> tuple[Floats, Mask]:
        vectors, own = self.content_of(rows, columns), self._own
        moved = [at for at, row in enumerate(rows.tolist()) if row in own] if own else []
        if moved:
            vectors[moved] += np.stack([own[int(rows[at])] for at in moved])
        return vectors, np.ones(len(rows), np.bool_)

    def _placed(self, content: Floats, categories: NDArray[np.int64]) -> Floats:
        if self._item is None or not len(content):  # older releases bring arrays alone
            return content_vectors(content, categories, self._table)
        codes = np.where(categories < 0, len(self.facts.categories), categories)
        feed = {"content": np.asarray(content, np.float32), "categories": codes}
        vectors: Floats = self._item.run(None, feed)[0]
        return vectors


@kernel
def _gathered(table: ItemTable, rows: Rows) -> tuple[Floats, Mask]:
    """Vectors by row (that of any other where nothing is known), and where something is."""
    vectors, scales, known, places = table.vectors, table.scales, table.known, table.places
    found, usable = (
        np.empty((len(rows), vectors.shape[1]), np.float32),
        np.empty(len(rows), np.bool_),
    )
    last = len(known) - 1
    for at in range(len(rows)):
        ahead(vectors, place_of(places, min(max(rows[min(at + SOON, len(rows) - 1)], 0), last)))
        row = rows[at]
        usable[at] = 0 <= row <= last and known[row]
        place = place_of(places, row if usable[at] else 0)
        scale = scales[place] if place < len(scales) else np.float32(1.0)
        for i in range(vectors.shape[1]):
            found[at, i] = np.float32(vectors[place, i]) * scale if last >= 0 else np.float32(0.0)
    return found, usable


def content_vectors(content: Floats, categories: NDArray[np.int64], table: ItemTable) -> Floats:
    """Take the content path in numpy: content (n, 64), category codes (n, 8) with -1 for none."""
    vectors = content @ table.content
    if not len(table.categories):
        return vectors.astype(np.float32)
    present = categories >= 0
    bag = np.where(present[..., None], table.categories[np.maximum(categories, 0)], 0.0).sum(1)
    both: Floats = (vectors + bag / np.maximum(present.sum(1), 1)[:, None]).astype(np.float32)
    return both


def save_table(
    folder: Path,
    facts: TowerFacts,
    table: ItemTable,
    how: Building | None = None,
    tune: Tune | None = None,
) -> Tuned | None:
    """Write everything but the user tower, and build the index; with `tune`, how well it does.

    `table` has vectors as they are; they are packed where the index is more than a look at each,
    and left to the index where that brings them.
    """
    (folder / "tower.json").write_bytes(msgspec.json.encode(facts))
    rows, vectors = held(table.known, np.asarray(table.vectors, np.float32))
    index = build_index(rows, vectors, how)
    if isinstance(index, IvfIndex):
        write_table(folder, table._replace(vectors=np.empty((0, vectors.shape[1]), np.int8)))
    else:
        write_table(folder, table.packed() if len(rows) > EXACT_LIMIT else table)
    done = tuned(index, rows, vectors, tune.asked, tune.wanted) if tune else None
    index.save(folder)
    return done
