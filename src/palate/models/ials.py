"""Implicit ALS that knows what items are like: a taste is solved for, not looked up.

    loss   sum over what was taken of c (1 - u·v)^2  +  unobserved · sum over all pairs of (u·v)^2
           + |u - average taste|^2 and |v - W·features|^2, weighted by how often they occur

(Hu, Koren, Volinsky 2008; weights of the penalty by Rendle et al. 2021, eq. 7; the content prior
as in feature-aware factorisation.) A visitor's vector is the exact minimum for their history, found
at request time by the same solver that training runs; so nobody needs a retraining. An item that
came later stands where its content puts it.
"""

from pathlib import Path
from typing import NamedTuple, Self

import msgspec
import numpy as np

from palate.arrays import Floats, Mask, Rows
from palate.catalog.columns import ItemColumns
from palate.index.growing import GrowingIndex
from palate.index.opening import Building, build_index, held, open_index
from palate.index.protocol import Allowed, Index
from palate.tables import read_table, write_table

FACTS = "ials.json"


class IalsFacts(msgspec.Struct, frozen=True, kw_only=True):
    """``ials.json``: the numbers that the solver goes by."""

    dim: int = 64
    unobserved: float = 0.1
    """Weight of a pair of which nothing is known."""
    regularization: float = 0.003
    exponent: float = 1.0
    """How the penalty grows with how often somebody or something occurs."""
    fade: float = 1.0
    """Confidence in an item of the history per step back."""
    metric: float = 0.0
    """Recall on the held-out events."""


class IalsTable(NamedTuple):
    """What was learnt, as arrays."""

    vectors: Floats
    """(items, dim)."""
    known: Mask
    """(items,): False where neither content nor events were known."""
    gram: Floats
    """(dim, dim): unobserved · sum of v vᵀ."""
    content: Floats
    """(65, dim): W; the last row belongs to a feature that is always 1."""
    average: Floats
    """(dim,): the mean user's taste, towards which thin histories shrink."""


class Ials:
    """The factors of one release."""

    def __init__(self, facts: IalsFacts, table: IalsTable, index: Index) -> None:
        self.facts, self.table, self._index = facts, table, index
        self._items = GrowingIndex(index, table.known, self.from_content)

    @classmethod
    def of(cls, facts: IalsFacts, table: IalsTable, how: Building | None = None) -> Self:
        """Build the index over freshly learnt factors."""
        return cls(facts, table, build_index(*held(table.known, table.vectors), how))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Map what `save` wrote. Raises OSError or ValueError."""
        facts = msgspec.json.decode((folder / FACTS).read_bytes(), type=IalsFacts)
        table = read_table(folder, IalsTable)
        return cls(facts, table, open_index(folder, table.known, table.vectors))

    def faded(self, fade: float) -> "Ials":
        """The same factors, with another confidence in what lies back."""
        return Ials(msgspec.structs.replace(self.facts, fade=fade), self.table, self._index)

    def save(self, folder: Path) -> None:
        """Write facts, arrays and index into `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / FACTS).write_bytes(msgspec.json.encode(self.facts))
        write_table(folder, self.table)
        self._index.save(folder)

    def user_vector(self, history: Rows, columns: ItemColumns | None = None) -> Floats | None:
        """The taste (dim,) that explains a history, newest first; None where nothing is known.

        With `columns`, items that came after the training count through their content.
        """
        vectors, usable = self.item_vectors(history, columns)
        if not usable.any():
            return None
        steps = np.arange(len(history), dtype=np.float32)
        trust = (np.float32(self.facts.fade) ** steps)[usable].astype(np.float32)
        penalty = penalty_of(self.facts, len(trust), len(self.table.vectors))
        return fold_in(self.table.gram, vectors[usable], trust, penalty, self.table.average)

    def score(self, history: Rows) -> Floats:
        """(items,): every item's score for a history, newest first."""
        vector = self.user_vector(history)
        if vector is None:
            return np.zeros(len(self.table.vectors), np.float32)
        scores: Floats = self.table.vectors @ vector
        return scores

    def candidates(
        self,
        history: Rows,
        columns: ItemColumns,
        excluded: Rows,
        limit: int,
        allowed: Allowed | None = None,
    ) -> tuple[Rows, Floats]:
        """The `limit` servable items nearest to the taste, best first; `excluded` is sorted.

        With `allowed` only rows among these.
        """
        vector = self.user_vector(history, columns)
        if vector is None:
            return np.empty(0, np.int32), np.empty(0, np.float32)
        rows, scores = self._items.nearest(vector, columns, excluded, limit, allowed)
        return rows[scores > 0], scores[scores > 0]

    def item_vectors(self, rows: Rows, columns: ItemColumns | None = None) -> tuple[Floats, Mask]:
        """Vectors by row, and which of them mean anything."""
        known = self.table.known
        inside = (rows >= 0) & (rows < len(known))
        usable: Mask = inside & known[np.where(inside, rows, 0)]
        vectors: Floats = self.table.vectors[np.where(usable, rows, 0)]
        if columns is not None and not usable.all():
            places = np.flatnonzero(~usable)
            prior, told = self.from_content(rows[places], columns)
            vectors[places], usable[places] = prior, told
        return vectors, usable

    def from_content(self, rows: Rows, columns: ItemColumns) -> tuple[Floats, Mask]:
        """Where content alone puts items, and which of them say anything of themselves."""
        content = columns.read(rows, ("content",))["content"]
        vectors: Floats = content @ self.table.content[:-1] + self.table.content[-1]
        return vectors.astype(np.float32, copy=False), np.asarray(content.any(axis=1))


def penalty_of(facts: IalsFacts, taken: int, others: int) -> float:
    """Weight of |u|^2 for somebody who took `taken` of `others` items (or the other way round)."""
    weight: float = (taken + facts.unobserved * others) ** facts.exponent
    return facts.regularization * weight


def equations(gram: Floats, others: Floats, trust: Floats, penalty: float) -> Floats:
    """(dim, dim): gram + sum of c o oᵀ + penalty·I, the left side of one row's minimum."""
    matrix = (others * trust[:, None]).T @ others + gram
    np.einsum("ii->i", matrix)[:] += penalty
    return np.asarray(matrix, np.float32)


def fold_in(gram: Floats, others: Floats, trust: Floats, penalty: float, prior: Floats) -> Floats:
    """The exact minimum for one user or item, given what it was together with.

    Solves (gram + sum of c o oᵀ + penalty·I) x = sum of c o + penalty·prior. `others` is
    (n, dim), `trust` (n,) their confidences; `prior` (dim,) is where x lies without any.
    """
    right = trust @ others + np.float32(penalty) * prior
    return np.asarray(np.linalg.solve(equations(gram, others, trust, penalty), right), np.float32)
