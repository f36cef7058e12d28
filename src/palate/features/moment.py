"""What a feature can read: one user, some candidates, one moment.

Counters are read at the *site's* time, which stands still while nothing happens (the newest event's
time, or `now` where that is earlier): an item is not unpopular because the site was asleep, and a
history imported years later still has its shape.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Floats, Rows
from palate.catalog.columns import ItemColumns
from palate.events.kinds import Signal
from palate.features import relation
from palate.features.folds import ITEM_FOLDS, ITEM_SLOT, USER_FOLDS, USER_SLOT, table_of
from palate.features.items import ItemStates
from palate.features.record import UserState

LATELY = 10
"""Items of the history whose content is compared."""
ITEM_RATE = table_of(ITEM_FOLDS).rate * np.log(2.0)
USER_RATE = table_of(USER_FOLDS).rate


@dataclass(frozen=True)
class Moment:
    """Candidates before a user at a time; what several features need is computed once."""

    user: UserState
    now: float
    rows: Rows
    scores: Floats
    """(n, generators): NaN where the generator did not find the item."""
    ranks: NDArray[np.int16]
    """(n, generators): from 1; 0 where the generator did not find the item."""
    generators: tuple[str, ...]
    columns: ItemColumns
    states: ItemStates

    @cached_property
    def at(self) -> float:
        """The site's time."""
        return min(self.now, self.states.newest) if self.states.newest else self.now

    @cached_property
    def _scores(self) -> Floats:
        """(generators, n), 0 where a generator did not find the item."""
        scores = np.ascontiguousarray(self.scores.T, np.float32)
        scores[self._ranks == 0] = 0.0
        return scores

    @cached_property
    def _ranks(self) -> NDArray[np.int16]:
        """(generators, n)."""
        return np.ascontiguousarray(self.ranks.T)

    @cached_property
    def _closeness(self) -> Floats:
        """(generators, n): 1 / rank, 0 where a generator did not find the item."""
        ranks = self._ranks.astype(np.float32)
        close: Floats = np.divide(1.0, ranks, out=np.zeros_like(ranks), where=ranks > 0)
        return close

    def score(self, generator: str) -> Floats | float:
        """A generator's score, 0 where it did not find the item."""
        if generator not in self.generators:
            return 0.0
        score: Floats = self._scores[self.generators.index(generator)]
        return score

    def closeness(self, generator: str) -> Floats | float:
        """1 / rank, 0 where the generator did not find the item."""
        if generator not in self.generators:
            return 0.0
        close: Floats = self._closeness[self.generators.index(generator)]
        return close

    @cached_property
    def found(self) -> Floats:
        """How many generators found each candidate."""
        found: Floats = (self._closeness > 0).sum(axis=0, dtype=np.float32)
        return found

    @cached_property
    def best(self) -> Floats:
        """1 / the best rank any generator gave; 0 where none gave one."""
        best: Floats = self._closeness.max(axis=0, initial=0.0)
        return best

    @cached_property
    def _counts(self) -> Floats:
        """(item folds, n): decayed to the site's time."""
        pairs = np.take(self.states.counters, self.rows, axis=0, mode="clip")
        pairs[self.rows >= self.states.capacity] = 0.0
        power = ((pairs[:, :, 1] - self.at) * ITEM_RATE).astype(np.float32)
        # exp runs on vectors in float32, exp2 does not.
        decay = np.exp(np.minimum(power, 0.0, out=power), out=power)
        counts: Floats = np.ascontiguousarray((pairs[:, :, 0] * decay).T, np.float32)
        return counts

    def count(self, fold: str) -> Floats:
        """An item counter of `features.folds`, at the site's time."""
        counts: Floats = self._counts[ITEM_SLOT[fold]]
        return counts

    def since(self, fold: str) -> Floats:
        """Seconds since the time that `first_time` or `last_time` holds; 0 for never."""
        rows = np.minimum(self.rows, self.states.capacity - 1)
        when = self.states.counters[rows, ITEM_SLOT[fold], 0] * (self.rows == rows)
        since: Floats = np.where(when > 0, np.maximum(self.at - when, 0.0), 0.0).astype(np.float32)
        return since

    @cached_property
    def _own(self) -> NDArray[np.float64]:
        pairs = self.user.counters
        own: NDArray[np.float64] = pairs[:, 0] * np.exp2(
            -np.maximum(self.at - pairs[:, 1], 0.0) * USER_RATE
        )
        return own

    def own(self, fold: str) -> float:
        """One of the user's counters, at the site's time."""
        return float(self._own[USER_SLOT[fold]])

    @cached_property
    def _read(self) -> dict[str, NDArray[Any]]:
        return self.columns.read(
            self.rows, ("published", "min_age", "categories", "creator", "tags", "content")
        )

    def column(self, name: str) -> NDArray[Any]:
        """What the catalogue says of the candidates."""
        return self._read[name]

    @cached_property
    def age(self) -> Floats:
        """Seconds since publication; 0 where it is unknown or still to come."""
        # fmax gives the 0 where the date is NaN.
        seconds: Floats = np.fmax(self.at - self.column("published"), 0.0).astype(np.float32)
        return seconds

    @cached_property
    def past(self) -> relation.Past:
        """The user's history with what the catalogue says of it."""
        user = self.user
        told = self.columns.read(user.history, ("categories", "creator"))
        return relation.Past(
            user.signals, user.kinds, user.values, told["categories"], told["creator"]
        )

    @cached_property
    def tastes(self) -> NDArray[np.float64]:
        """(categories, 5): see `relation.tastes`."""
        codes = int(self.past.categories.max(initial=-1)) + 1
        return relation.tastes(self.past, codes)

    @cached_property
    def affinities(self) -> Floats:
        """(7, n): see `relation.affinities`."""
        affinities: Floats = relation.affinities(self.tastes, self.column("categories")).T
        return affinities

    @cached_property
    def creators(self) -> Floats:
        """(3, n): see `relation.creators`."""
        return relation.creators(self.past, self.column("creator")).T

    @cached_property
    def exposure(self) -> Floats:
        """(2, n): see `relation.exposure`."""
        return relation.exposure(self.rows, self.user.shown, self.user.shown_times, self.now).T

    @cached_property
    def noted(self) -> NDArray[np.uint32]:
        """Signals the user gave to each candidate."""
        return relation.noted(self.rows, self.user.seen, self.user.seen_signals)

    def gave(self, signal: Signal) -> Floats:
        """1 where the user gave the candidate this signal."""
        gave: Floats = (self.noted & np.uint32(signal) != 0).astype(np.float32)
        return gave

    @cached_property
    def lately(self) -> Rows:
        """What the user took in last, newest first."""
        return self.user.engaged(LATELY)

    @cached_property
    def likeness(self) -> Floats:
        """(lately, n): cosine of content with each of the last items taken in; at least one row."""
        if not len(self.lately):
            return np.zeros((1, len(self.rows)), np.float32)
        mine = self.columns.read(self.lately, ("content",))["content"]
        likeness: Floats = mine @ self.column("content").T
        return likeness

    def liking(self, signal: Signal) -> Floats:
        """Cosine of content with the mean of the items that got a signal; 0 where none did."""
        rows = self.user.history[self.user.signals & np.uint8(signal) != 0]
        mean = self.columns.read(rows, ("content",))["content"].sum(axis=0)
        length = float(np.sqrt(mean @ mean))
        liking: Floats = self.column("content") @ (mean / max(length, 1e-6))
        return liking

    @cached_property
    def in_segment(self) -> tuple[Floats, Floats]:
        """Engagements of the user's segment with each candidate, and their share of all."""
        if not self.user.segment:
            return np.zeros(len(self.rows), np.float32), np.zeros(len(self.rows), np.float32)
        rows = np.minimum(self.rows, self.states.capacity - 1)
        counts = self.states.by_segment(self.at, rows)
        mine = counts[:, min(self.user.segment, counts.shape[1] - 1)]
        share: Floats = mine / (counts.sum(axis=1) + np.float32(1.0))
        return mine, share

    @cached_property
    def era_gap(self) -> Floats:
        """Years between a candidate's publication and the mean of the last items'; 0 if unknown."""
        mine = self.columns.read(self.lately, ("published",))["published"]
        known = mine[~np.isnan(mine)]
        if not len(known):
            return np.zeros(len(self.rows), np.float32)
        gap = np.abs(self.column("published") - known.mean()) / (365.25 * 86_400.0)
        years: Floats = np.fmax(gap, 0.0).astype(np.float32)
        return years
