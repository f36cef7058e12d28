"""No genre fills the first screen alone."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from palate.funnel.types import Query, Slate
from palate.jit import kernel
from palate.stores import Stores


@dataclass(frozen=True, slots=True)
class AtMost:
    """At most `cap` items that share a value of `column` among the first `screen`.

    What is over the cap moves down behind the first screen; when nothing else is left it comes
    back, so a page is never shorter for it.
    """

    column: str = "categories"
    """An item column of codes: one, or several a row (-1 for none). `categories`, `creator`, or
    `code`: what the live release says an item is about, from its words alone."""
    cap: int = 5
    screen: int = 12

    @property
    def reads(self) -> tuple[str, ...]:
        return (self.column,)

    @property
    def required(self) -> bool:
        return False

    @classmethod
    def default(cls, stores: Stores) -> Self:
        return cls()

    def apply(self, query: Query, slate: Slate) -> Slate:
        if len(slate) <= self.cap:
            return slate
        codes = slate.columns[self.column].reshape(len(slate), -1).astype(np.int32)
        return slate.take(_order(codes, self.cap, min(self.screen, len(slate))))


@kernel
def _order(codes: NDArray[np.int32], cap: int, screen: int) -> NDArray[np.int64]:
    used = np.zeros(max(0, codes.max()) + 1, np.int64)
    order = np.empty(len(codes), np.int64)
    placed = np.zeros(len(codes), np.bool_)
    filled = 0
    for i in range(len(codes)):
        fits = filled < screen
        for code in codes[i]:
            fits = fits and (code < 0 or used[code] < cap)
        if fits:
            for code in codes[i]:
                if code >= 0:
                    used[code] += 1
            order[filled], placed[i] = i, True
            filled += 1
    for i in range(len(codes)):
        if not placed[i]:
            order[filled] = i
            filled += 1
    return order
