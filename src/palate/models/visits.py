"""What kind of visit a page is for: what is right in the middle of one is wrong at its start.

Who comes back after days wants something else than what followed the last act of last time, and of
who is new next to nothing is known. A ranker may be good for the one and poor for the other, so
moments are learnt from and judged by kind.
"""

from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Visit: TypeAlias = Literal["newcomer", "returning", "within"]
VISITS: tuple[Visit, ...] = ("newcomer", "returning", "within")
NEWCOMER: Visit = "newcomer"
FEW = 10.0
"""Acts below which somebody is a newcomer."""
AWAY = 1_800.0
"""Seconds since the last act from which on somebody returns: what ends a session by default."""


def visit_of(known: float, idle: float) -> Visit:
    """By how many acts of the visitor are known, and how many seconds ago the last one was.

    >>> visit_of(3, 86_400.0), visit_of(40, 86_400.0), visit_of(40, 60.0)
    ('newcomer', 'returning', 'within')
    """
    if known < FEW:
        return NEWCOMER
    return "returning" if idle >= AWAY else "within"


def visits_of(known: NDArray[Any], idle: NDArray[Any]) -> NDArray[np.int64]:
    """(n,): which of `VISITS` each one is, as `visit_of` says.

    >>> visits_of(np.array([3, 40, 40]), np.array([86_400.0, 86_400.0, 60.0])).tolist()
    [0, 1, 2]
    """
    return np.where(known < FEW, 0, np.where(idle >= AWAY, 1, 2)).astype(np.int64)
