"""New items get a start."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from palate.funnel.types import Query, Slate
from palate.stores import Stores

DAY = 86_400.0


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
        age = (query.now - slate.columns["published"]) / (self.half_life_days * DAY)
        gain = np.nan_to_num(np.exp2(-np.maximum(age, 0.0))).astype(np.float32)
        if not len(slate) or gain.max() < 1e-6:  # noqa: PLR2004  nothing is new
            return slate
        spread = float(slate.scores[0] - slate.scores[min(query.size, len(slate)) - 1])
        return slate.scored(slate.scores + np.float32(self.lift * spread) * gain)
