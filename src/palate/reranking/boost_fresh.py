"""New items get a start."""

from dataclasses import dataclass
from math import log2
from typing import Self

import numpy as np

from palate.arrays import Floats, Times
from palate.funnel.types import Query, Slate
from palate.jit import kernel
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
    id: str = ""
    """Of the operator's rule that it does; "" where it is the surface's own."""

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
        gain = _newness(slate.columns["published"], query.now, self.half_life_days * DAY)
        if not gain.any():
            return slate
        spread = float(slate.scores[0] - slate.scores[min(query.size, len(slate)) - 1])
        return slate.scored(slate.scores + np.float32(self.lift * spread) * gain)


@kernel
def _newness(published: Times, now: float, span: float) -> Floats:
    """(n,): 1 for what is brand-new, half of it after each `span`; 0 where hardly anything is."""
    gain, newest = np.zeros(len(published), np.float32), np.inf
    for at in range(len(published)):
        age = max((now - published[at]) / span, 0.0)
        if age == age:  # noqa: PLR0124  not for what has no date
            gain[at] = 2.0**-age
            newest = min(newest, age)
    if not newest < NOTHING_NEW:
        gain[:] = 0.0
    return gain
