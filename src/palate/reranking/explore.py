"""Some slots are given away by lot, so that we learn of items we know too little about."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from palate.funnel.types import Query, Slate
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
        pool = len(slate) - page
        slots = np.arange(self.first - 1, page, self.every)[:pool]
        if self.epsilon <= 0 or not len(slots):
            return slate
        dice = query.dice("explore")
        given = slots[dice.random(len(slots)) < self.epsilon]
        drawn = page + dice.permutation(pool)[: len(given)]
        order = np.arange(len(slate))
        order[given], order[drawn] = drawn, given
        propensity = np.ones(len(slate), np.float32)
        propensity[slots] = 1 - self.epsilon
        propensity[given] = self.epsilon / pool
        explore = np.zeros(len(slate), np.bool_)
        explore[given] = True
        return replace(slate.take(order), explore=explore, propensity=propensity)
