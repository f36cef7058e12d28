"""Why an item ranked below the page: what it lacks, measured against the items that were shown."""

from dataclasses import dataclass

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from palate.arrays import Floats, Rows
from palate.funnel.engine import Funnel
from palate.funnel.facts import features_of
from palate.funnel.types import Answer, Pool, Query

MOST = 8
"""What is told: the rest costs less than these."""


@dataclass(frozen=True, slots=True)
class Cost:
    """One thing in which the item differs from what was shown, and what that costs it."""

    name: str
    """A feature, or ``GENERATOR rank`` where no ranker reads features."""
    value: float
    shown: float
    """The median of the items shown; of a rank, 0 is not proposed at all."""
    cost: float
    """What the ranker's score would gain with this alone as it is of those."""


@dataclass(frozen=True, slots=True)
class Gap:
    """How far an item is from the page, in the ranker's score."""

    bar: float
    """The score of the last place on the page."""
    costs: tuple[Cost, ...]
    """What costs most first."""
    enough: int
    """How many of them, the first ones, together lift it over the bar; 0 where all do not."""


def gap(funnel: Funnel, query: Query, answer: Answer, row: int) -> Gap | None:
    """Ask the ranker about the item with one thing changed at a time, then with several.

    None where the item, or nothing of the page, was ranked. By occlusion, so costs need not add up.
    """
    pool, ranked = answer.trace.pool, answer.trace.ranked
    if pool is None or ranked is None or row not in ranked.rows:
        return None
    shown = answer.slate.rows[np.isin(answer.slate.rows, ranked.rows)]
    places = _places(pool, np.concatenate([np.array([row], np.int32), shown]))
    if len(places) < 2:  # noqa: PLR2004  nothing to be measured against
        return None
    bar = float(ranked.scores[min(query.size, len(ranked)) - 1])
    trial = _Trial.of(funnel, query, pool.take(places))
    return _measured(trial, bar)


@dataclass(frozen=True, slots=True)
class _Trial:
    """The item's own row, asked again with other values."""

    funnel: Funnel
    query: Query
    own: Pool
    names: tuple[str, ...]
    values: Floats
    """(things,): features, or the generators' ranks."""
    typical: Floats
    """(things,): of the items shown."""
    scores: Floats
    """(generators,): typical scores, for those that are changed with their ranks."""

    @classmethod
    def of(cls, funnel: Funnel, query: Query, pool: Pool) -> "_Trial":
        """Of a pool whose first entry is the item; the others are what was shown."""
        reads = funnel.ranker.reads
        if reads:
            found = features_of(funnel.stores, query, pool, reads)
            names, scores = tuple(reads), np.empty(0, np.float32)
            values, typical = found[0], np.median(found[1:], axis=0)
        else:
            names = tuple(f"{each} rank" for each in pool.generators)
            values, typical = pool.ranks[0].astype(np.float32), _middle(pool.ranks[1:])
            scores = np.nan_to_num(np.nanmedian(_told(pool.scores[1:]), axis=0))
        own = pool.take(slice(1))
        return cls(funnel, query, own, names, values, typical.astype(np.float32), scores)

    def score(self, changed: NDArray[np.bool_]) -> Floats:
        """(trials,): the ranker's word where the things that are True are as of those shown."""
        values = np.where(changed, self.typical, self.values).astype(np.float32)
        pool = self.own.take(np.zeros(len(changed), np.intp))
        if self.funnel.ranker.reads:
            return self.funnel.ranker.score(self.query, pool, values)
        scores = np.where(changed, self.scores, pool.scores).astype(np.float32)
        told = structs.replace(
            pool, ranks=values.astype(np.int16), scores=np.where(values > 0, scores, np.nan)
        )
        return self.funnel.ranker.score(self.query, told, np.empty((len(told), 0), np.float32))


def _measured(trial: _Trial, bar: float) -> Gap:
    width = len(trial.names)
    one_each = np.concatenate([np.zeros((1, width), np.bool_), np.eye(width, dtype=np.bool_)])
    scores = trial.score(one_each)
    gains = scores[1:] - scores[0]
    order = np.argsort(-gains, kind="stable")
    order = order[gains[order] > 0]
    together = np.zeros((len(order), width), np.bool_)
    for n, at in enumerate(order):
        together[n:, at] = True
    reached = np.flatnonzero(trial.score(together) >= bar) if len(order) else order
    enough = int(reached[0]) + 1 if len(reached) else 0
    costs = tuple(
        Cost(trial.names[at], float(trial.values[at]), float(trial.typical[at]), float(gains[at]))
        for at in order[: max(MOST, enough)].tolist()
    )
    return Gap(bar, costs, enough)


def _places(pool: Pool, rows: Rows) -> NDArray[np.intp]:
    at = {row: n for n, row in enumerate(pool.rows.tolist())}
    return np.array([at[row] for row in rows.tolist() if row in at], np.intp)


def _middle(ranks: NDArray[np.int16]) -> Floats:
    """The median by column; who did not propose an item comes after all who did."""
    last = np.where(ranks > 0, ranks.astype(np.float64), np.inf)
    middle = np.sort(last, axis=0)[(len(last) - 1) // 2]
    return np.where(np.isfinite(middle), middle, 0.0).astype(np.float32)


def _told(scores: Floats) -> Floats:
    """The scores; 0 in columns where nobody was scored, so that there is a median."""
    silent = np.isnan(scores).all(axis=0, keepdims=True)
    return np.where(silent, np.float32(0), scores)
