"""Item filters: how much each item of a history speaks for every other item.

A visitor's score of b is the sum over the history of fade^(steps back) · W[a, b], and `prior` times
what it is for the average user. So it is additive, and a reason can say how much each item gave.
`training.solved.linear` learns W: EASE (Steck 2019, eq. 8) on small catalogues, RP3beta (Paudel et
al. 2017, section 3.2) on large ones; and, for visitors of whom little is known, how many people
took both. Unlike co-visitation it reads the whole history: what people keep coming back to, not
what comes next.
"""

from pathlib import Path
from typing import Literal, NamedTuple, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from palate.arrays import Floats, Mask, Rows
from palate.index.exact import best, largest
from palate.index.slots import outside, summed
from palate.jit import kernel, swift
from palate.tables import read_table, write_table

FACTS = "linear.json"
DENSE = 50_000
"""Items up to which a number for each of them is the quickest way to the best."""
HEAD = 4_096
"""Beyond: items that the average user likes most, which compete with those that a history names."""


class LinearFacts(msgspec.Struct, frozen=True, kw_only=True):
    """``linear.json``: what was chosen on held-out events."""

    method: Literal["ease", "rp3beta", "together"] = "ease"
    regularization: float = 0.0
    """EASE: what is added to the diagonal. RP3beta: beta, how much popular items are held down;
    together: by which power of its count either item is."""
    fade: float = 1.0
    """Weight of an item of the history per step back."""
    prior: float = 0.0
    """What the average user's scores count beside the history's: thin ones shrink towards it."""
    metric: float = 0.0
    """Recall on the held-out events."""


class LinearTable(NamedTuple):
    """W, row by row: each item's weightiest neighbours."""

    rows: Rows
    """(items, neighbours), -1 pads."""
    weights: Floats
    """(items, neighbours); an EASE weight may be negative."""
    average: Floats
    """(items,): the mean user's score of every item."""


class Linear:
    """The filter of one release; its arrays are mapped from the release's files."""

    def __init__(self, facts: LinearFacts, table: LinearTable) -> None:
        self.facts, self.table = facts, table
        self._head = np.empty(0, np.int32)
        if self.items > DENSE and facts.prior > 0.0:
            self._head = np.argpartition(-table.average, HEAD)[:HEAD].astype(np.int32)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Map what `save` wrote. Raises OSError or ValueError."""
        facts = msgspec.json.decode((folder / FACTS).read_bytes(), type=LinearFacts)
        return cls(facts, read_table(folder, LinearTable))

    def save(self, folder: Path) -> None:
        """Write facts and arrays into `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / FACTS).write_bytes(msgspec.json.encode(self.facts))
        write_table(folder, self.table)

    @property
    def items(self) -> int:
        """Rows known when it was learnt."""
        return len(self.table.rows)

    def score(self, history: Rows) -> Floats:
        """(items,): every item's score for a history, newest first; unknown rows say nothing."""
        rows, scales = self.scaled(history)
        if not len(rows):
            return np.zeros(self.items, np.float32)
        scores = self.table.average * np.float32(self.facts.prior)
        _add(scores, (rows, scales), self.table.rows, self.table.weights)
        return scores

    def candidates(
        self, history: Rows, servable: NDArray[np.uint8], excluded: Rows, limit: int
    ) -> tuple[Rows, Floats]:
        """The `limit` servable items that the history speaks for most; `excluded` is sorted."""
        if self.items > DENSE:
            return self._sparsely(history, servable, excluded, limit)
        scores = self.score(history)
        open_: Mask = servable[: len(scores)] != 0
        scores = scores[: len(open_)]
        wanted = (scores > 0) & open_
        wanted[excluded[excluded < len(wanted)]] = False
        rows = np.flatnonzero(wanted).astype(np.int32)
        return best(rows, scores[rows], limit)

    def _sparsely(
        self, history: Rows, servable: NDArray[np.uint8], excluded: Rows, limit: int
    ) -> tuple[Rows, Floats]:
        """The same without a look at every item: what the history names, and the general head."""
        given = self.scaled(history)
        if not len(given[0]):
            return np.empty(0, np.int32), np.empty(0, np.float32)
        rows, scores = _named(given, self.table.rows, self.table.weights, self._head)
        scores = scores + self.table.average[rows] * np.float32(self.facts.prior)
        rows, scores = rows[scores > 0], scores[scores > 0]
        may = (servable.take(rows, mode="clip") != 0) & outside(rows, excluded)
        return best(rows[may], scores[may], limit)

    def reasons(self, history: Rows, row: int, limit: int = 2) -> tuple[Rows, Floats]:
        """The items of the history that gave most of `row`'s score, and how much each gave."""
        return self.reasons_of(self.scaled(history), row, limit)

    def reasons_of(
        self, scaled: tuple[Rows, Floats], row: int, limit: int = 2
    ) -> tuple[Rows, Floats]:
        """As `reasons`, of a history that is `scaled`: for whole slates."""
        rows, scales = scaled
        parts = _parts(rows, row, scales, self.table.rows, self.table.weights)
        most = largest(parts, limit)
        most = most[parts[most] > 0]
        return rows[most], parts[most]

    def scaled(self, history: Rows) -> tuple[Rows, Floats]:
        """Items of the history that the filter knows, and what each one's word counts."""
        scales = self.facts.fade ** np.arange(len(history), dtype=np.float32)
        known = (history >= 0) & (history < self.items)
        return history[known].astype(np.int32), scales[known].astype(np.float32)


@kernel
def _named(
    given: tuple[Rows, Floats], rows: Rows, weights: Floats, head: Rows
) -> tuple[Rows, Floats]:
    """The items that a history speaks of, each with its sum, and those of `head`."""
    history, scales = given
    most = len(history) * rows.shape[1] + len(head)
    others, worth, found = np.empty(most, np.int32), np.zeros(most), len(head)
    others[:found] = head
    for at in range(len(history)):
        for slot in range(rows.shape[1]):
            other = rows[history[at], slot]
            if other < 0:
                break
            others[found], worth[found] = other, scales[at] * weights[history[at], slot]
            found += 1
    return summed(others[:found], worth[:found])


@kernel
def _add(scores: Floats, given: tuple[Rows, Floats], rows: Rows, weights: Floats) -> None:
    history, scales = given
    for at in range(len(history)):
        item, scale = history[at], scales[at]
        for slot in range(rows.shape[1]):
            other = rows[item, slot]
            if other < 0:
                break
            scores[other] += scale * weights[item, slot]


@swift
def _parts(history: Rows, wanted: int, scales: Floats, rows: Rows, weights: Floats) -> Floats:
    """No branch within: a row holds `wanted` once at most, and is read on the vector unit."""
    parts = np.zeros(len(history), np.float32)
    for at in range(len(history)):
        item, found = history[at], np.float32(0.0)
        for slot in range(rows.shape[1]):
            found += weights[item, slot] if rows[item, slot] == wanted else np.float32(0.0)
        parts[at] = scales[at] * found
    return parts
