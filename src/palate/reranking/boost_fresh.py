"""New items get a start."""

from dataclasses import dataclass
from math import log2
from typing import Self

import numpy as np

from palate.funnel.types import Query, Slate
from palate.stores import Stores

DAY = 86_400.0
NOTHING_NEW = log2(1e6)
"""Half-lives after which a millionth of the gain is left."""


@dataclass(frozen=True, slots=True)
class BoostFresh:
    """Lifts an item by how new it is; items without a date are not new."""

    lift: float = 0.2
    """What a brand-new item gains, in units of the distance between the page's best and worst."""
    half_life_days: float = 7.0
    """The gain halves with every so many days since publication."""

    @property
    def reads(self) -> tuple[str, ...]:
        return ("published",)

    @property
    def required(self) -> bool:
        return False

    @classmethod
    def default(cls, stores: Stores) -> Self:
        return cls()

    def apply(self, query: Query, slate: Slate) -> Slate:
        if not len(slate):
            return slate
        span = self.half_life_days * DAY
        newest = np.fmax.reduce(slate.columns["published"])
        if not (query.now - newest) / span < NOTHING_NEW:
            return slate
        age = (query.now - slate.columns["published"]) / span
        gain = np.exp2(-np.maximum(age, 0.0)).astype(np.float32)
        gain[np.isnan(gain)] = 0.0
        spread = float(slate.scores[0] - slate.scores[min(query.size, len(slate)) - 1])
        return slate.scored(slate.scores + np.float32(self.lift * spread) * gain)
