"""How each number grows from events: one declaration a number, one table for the kernel.

A counter is a value and the moment as_of which it holds. An event of weight w at time t ≥ as_of
makes it (value · 2^-((t - as_of)/h) + w, t); a late one, t < as_of, adds w · 2^-((as_of - t)/h) and
leaves as_of alone. So the order of arrival does not matter beyond rounding, and two counters of the
same fold add up as exactly as two events do.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import product
from math import inf
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Doubles
from palate.events.kinds import Kind, Signal

HOUR, DAY = 3_600.0, 86_400.0

Grows: TypeAlias = Literal["decay", "first", "last"]
"""A decayed sum, the earliest time, the latest time."""


@dataclass(frozen=True, slots=True)
class Fold:
    """One number of a user or an item."""

    name: str
    of: Signal
    """Grows with events that carry any of these signals."""
    half_life: float = inf
    """Seconds after which it counts half; infinite is a plain total."""
    kinds: tuple[Kind, ...] = ()
    """Only these kinds; empty is all."""
    by_value: bool = False
    """The weight is the event's value (events without one do not count), else 1."""
    grows: Grows = "decay"


class FoldTable(NamedTuple):
    """The declarations as columns, one row a fold: what the kernel reads."""

    signals: NDArray[np.uint8]
    kinds: NDArray[np.uint32]
    rate: Doubles
    """1 / half life; 0 for totals."""
    by_value: NDArray[np.uint8]
    grows: NDArray[np.uint8]
    """0 decay, 1 first, 2 last."""


GROWS: tuple[Grows, ...] = ("decay", "first", "last")
SIGNALS = {
    "shown": Signal.SHOWN,
    "clicked": Signal.CLICKED,
    "engaged": Signal.ENGAGED,
    "positive": Signal.POSITIVE,
    "negative": Signal.NEGATIVE,
}
ACTED = Signal.CLICKED | Signal.ENGAGED | Signal.POSITIVE | Signal.NEGATIVE
"""What a user did, as opposed to what was put before them."""


def decayed(half_lives: dict[str, float]) -> tuple[Fold, ...]:
    """One fold per signal and half life: ``engaged_7d``."""
    return tuple(
        Fold(f"{name}_{span}", signal, half_life)
        for (name, signal), (span, half_life) in product(SIGNALS.items(), half_lives.items())
    )


RATINGS = (
    Fold("rating_sum", Signal.ENGAGED, kinds=(Kind.RATING,), by_value=True),
    Fold("rating_count", Signal.ENGAGED, kinds=(Kind.RATING,)),
)
ITEM_FOLDS = (
    *decayed({"1h": HOUR, "1d": DAY, "7d": 7 * DAY, "30d": 30 * DAY, "total": inf}),
    *RATINGS,
    Fold("first_time", ACTED, grows="first"),
    Fold("last_time", ACTED, grows="last"),
)
USER_FOLDS = (*decayed({"1h": HOUR, "1d": DAY, "30d": 30 * DAY, "total": inf}), *RATINGS)

COUNTING = len(ITEM_FOLDS) - 2
"""Folds of items that count; `first_time` and `last_time` stand behind them."""
ITEM_CLOCKS = np.array([list(SIGNALS.values()).index(f.of) for f in ITEM_FOLDS[:COUNTING]])
"""Place of each count's moment among an item's times: all counts of a signal have the same."""
FIRST_AT, LAST_AT = len(SIGNALS), len(SIGNALS) + 1
ENGAGED_AT = list(SIGNALS).index("engaged")

ITEM_SLOT = {fold.name: slot for slot, fold in enumerate(ITEM_FOLDS)}
USER_SLOT = {fold.name: slot for slot, fold in enumerate(USER_FOLDS)}
SEGMENT_HALF_LIFE = 30 * DAY


def table_of(folds: Sequence[Fold]) -> FoldTable:
    """Compile declarations for the kernel."""
    return FoldTable(
        np.array([fold.of for fold in folds], np.uint8),
        np.array([sum(1 << kind for kind in fold.kinds) for fold in folds], np.uint32),
        np.array([1.0 / fold.half_life for fold in folds], np.float64),
        np.array([fold.by_value for fold in folds], np.uint8),
        np.array([GROWS.index(fold.grows) for fold in folds], np.uint8),
    )


def layout_of(folds: Sequence[Fold]) -> int:
    """24 bits that change with any declaration: a record of other folds is never misread."""
    told = repr([fold.name for fold in folds]).encode()
    told += b"".join(column.tobytes() for column in table_of(folds))
    return int.from_bytes(blake2b(told, digest_size=3).digest(), "little")
