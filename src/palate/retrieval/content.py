"""Items that are described like those you took in."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from palate.arrays import Floats, Rows
from palate.catalog.columns import ItemColumns
from palate.catalog.quantised import dots
from palate.features.boards import Leaderboards
from palate.funnel.types import Candidates, Query, Reason
from palate.index.exact import best
from palate.stores import Stores

HEADS = 4
"""Categories whose heads are looked at in a large catalogue."""
NEAR = 8
"""To this power a cosine of vectors stands for one of words, where an item came after these were
compared: of what is nearly the same much is left, of what only is of the same kind little."""
NEVER = np.float32(-np.inf)


@dataclass(frozen=True, slots=True)
class Content:
    """What is described like the last items, or like the seed item; needs no events at all.

    Word for word where a release has compared the items (`columns.alike`), and beyond those by the
    vectors that tell what they are about.
    """

    columns: ItemColumns
    boards: Leaderboards
    history: int = 10
    """How many of the visitor's last items are looked at; each counts `fade` of the one after."""
    fade: float = 0.7
    dense: float = 0.2
    """What a cosine of two vectors is worth where one of the words themselves is worth 1."""
    scan: int = 20_000
    """Up to so many items everything is compared; beyond, the heads of the items' categories and
    what is fresh, since a scan of a million vectors takes longer than a whole request may."""

    @classmethod
    def default(cls, stores: Stores) -> Self:
        return cls(stores.columns, stores.boards)

    async def generate(self, query: Query, limit: int) -> Candidates:
        history = query.about(self.history)
        fading = (self.fade ** np.arange(len(history))).astype(np.float32)
        wanted = fading @ self._vectors(history)
        if not wanted.any():
            return Candidates.none()
        near, worth = self._near(history, fading)
        rows = self._reachable(query, history, limit, near)
        scores = self._likeness(rows, wanted, query)
        at = near if len(rows) == self.columns.size else np.searchsorted(rows, near)
        scores[at] += worth
        self._add_newcomers(scores, rows, history, fading)
        found = Candidates(*best(rows, scores, limit))
        return found.take(found.scores > 0.0)  # at a right angle or beyond it is not like it at all

    def explain(self, query: Query, row: int) -> Reason:
        """The item that gave most, and how like it this one is: by words or by what it is about."""
        history = query.about(self.history)
        about = self._vectors(history) @ self._vectors(np.array([row], np.int32))[0]
        words = self._word_for_word(history, row)
        if row >= len(self.columns.alike.rows) > 0:
            words = np.maximum(about, 0) ** NEAR
        nearest = int(np.argmax(self.dense * about + words))
        weight = float(max(about[nearest], words[nearest]))
        return Reason("similar_to_item", (int(history[nearest]),), (weight,))

    def _near(self, history: Rows, weights: Floats) -> tuple[Rows, Floats]:
        """What a release found to be described like these, ascending, and what that is worth."""
        alike, known = self.columns.alike, history < len(self.columns.alike.rows)
        rows, cosines = alike.rows[history[known]], alike.cosines[history[known]]
        there = (rows >= 0) & (rows < self.columns.size)
        worth = (weights[known, None] * cosines)[there]
        found, place = np.unique(rows[there], return_inverse=True)
        return found.astype(np.int32), np.bincount(place, worth, len(found)).astype(np.float32)

    def _add_newcomers(self, scores: Floats, rows: Rows, history: Rows, weights: Floats) -> None:
        """What came after the release has been compared with nothing: its vector has to do."""
        compared = len(self.columns.alike.rows)
        new = np.searchsorted(rows, compared) if compared else len(rows)
        if new < len(rows):
            about = self._vectors(history) @ self._vectors(rows[new:]).T
            scores[new:] += weights @ np.maximum(about, 0) ** NEAR

    def _word_for_word(self, history: Rows, row: int) -> Floats:
        """(history,): the cosine with each of these where a release found it."""
        alike, found = self.columns.alike, np.zeros(len(history), np.float32)
        known = history < len(alike.rows)
        beside = alike.rows[history[known]] == row
        found[known] = (alike.cosines[history[known]] * beside).sum(axis=1)
        return found

    def _vectors(self, rows: Rows) -> Floats:
        return self.columns.read(rows, ["content"])["content"]

    def _reachable(self, query: Query, history: Rows, limit: int, near: Rows) -> Rows:
        """All rows, or in a large catalogue those that are looked at, ascending."""
        size = self.columns.size
        if size <= self.scan:
            return np.arange(size, dtype=np.int32)
        if query.matching and query.matching.rows is not None:
            return np.union1d(query.matching.rows[: self.scan], near)
        codes = self.columns.read(history, ["categories"])["categories"].ravel()
        newest = list(dict.fromkeys(code for code in codes.tolist() if code >= 0))[:HEADS]
        heads = [self.boards.category(code, limit)[0] for code in newest]
        return np.unique(np.concatenate([near, *heads, self.boards.top("fresh", limit)[0]]))

    def _likeness(self, rows: Rows, wanted: Floats, query: Query) -> Floats:
        """What vectors say; `NEVER` for what may not be proposed."""
        columns = self.columns
        everything = len(rows) == columns.size
        excluded, servable = query.excluded, query.servable(columns)
        servable = servable[: columns.size] if everything else servable[rows]
        scores = dots(columns.content, rows, wanted)
        scores *= np.float32(self.dense)
        scores[servable == 0] = NEVER
        if everything:
            scores[excluded[excluded < len(scores)]] = NEVER
        else:
            scores[~query.welcomes(rows)] = NEVER
        return scores
