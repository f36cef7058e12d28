"""Some slots are given away by lot, so that we learn of items we know too little about."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from palate.funnel.types import Query, Slate
from palate.reranking.editorial.constraint import Constraint
from palate.stores import Stores


@dataclass(frozen=True, slots=True)
class Explore:
    """ε-greedy, with the probability of every choice on record.

    Every so many slots of the page one may explore: with probability ε it is given to a uniform
    draw from what was ranked but did not make the page (the shortlist's rest and the items of
    exploring generators); the item it would have had changes places with the drawn one. With a
    pool of m items that gives each of them the slot with probability ε/m, whatever the other slots
    drew, and leaves it to its owner with 1 - ε. All other slots are certain.
    """

    epsilon: float
    """Probability with which a slot that may explore does so."""
    first: int = 4
    """The first position, from 1, that may."""
    every: int = 4
    """Then every so many positions."""
    most: int = 120
    """Items at most that it draws from."""
    within: tuple[Constraint, ...] = ()
    """Operators' constraints that hold of the page whatever is drawn."""

    @property
    def reads(self) -> tuple[str, ...]:
        return ()

    @property
    def required(self) -> bool:
        return False

    @classmethod
    def default(cls, stores: Stores) -> Self:
        return cls(stores.settings.explore.epsilon)

    def apply(self, query: Query, slate: Slate) -> Slate:
        page = min(query.size, len(slate))
        slots = self._slots(slate, page)
        pool = self._pool(query, slate, slots) if self.epsilon > 0 and len(slots) else slots[:0]
        slots = slots[: len(pool)]
        if not len(slots):
            return slate
        dice = query.dice("explore")
        given = slots[dice.random(len(slots)) < self.epsilon]
        drawn = pool[dice.permutation(len(pool))[: len(given)]]
        order = np.arange(len(slate))
        order[given], order[drawn] = drawn, given
        propensity = np.ones(len(slate), np.float32)
        propensity[slots] = 1 - self.epsilon
        propensity[given] = self.epsilon / len(pool)
        explore = np.zeros(len(slate), np.bool_)
        explore[given] = True
        return replace(slate.take(order), explore=explore, propensity=propensity)

    def _slots(self, slate: Slate, page: int) -> NDArray[np.intp]:
        """Places that may explore: not those that an operator's rule gave away."""
        slots = np.arange(self.first - 1, page, self.every)
        if not slate.marks:
            return slots
        return slots[[row not in slate.marks for row in slate.rows[slots].tolist()]]

    def _pool(self, query: Query, slate: Slate, slots: NDArray[np.intp]) -> NDArray[np.intp]:
        """Places of the items that may be drawn."""
        page = min(query.size, len(slate))
        pool = np.arange(page, min(len(slate), page + self.most))
        for each in self.within:
            pool = pool[each.admits(query, slate, slots.tolist())[pool]]
        return pool
