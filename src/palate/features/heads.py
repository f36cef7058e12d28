"""The compiled loop behind the leaderboards: two passes over the items, whatever their number.

Nothing is kept by item, only the heads: a board holds a few times its depth and lets go of the rest
whenever it is full. So ten million items need no more memory than ten thousand.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Doubles, Floats, Rows
from palate.features.engagements import Engagements, spread
from palate.features.folds import ENGAGED_AT
from palate.jit import kernel
from palate.keys import ROW, cut, key_of, score_of
from palate.mapped.projections import slot_in

ROOM = 2
"""A board holds so many times its depth before it is cut."""


class Heads(NamedTuple):
    """The best of each board so far."""

    keys: NDArray[np.int64]
    """(boards, ROOM * depth)."""
    sizes: NDArray[np.int64]
    """(boards,)."""
    bars: Floats
    """(boards,): what an item has to be worth more than."""

    @classmethod
    def none(cls, boards: int, depth: int) -> "Heads":
        """Empty boards."""
        keys = np.empty((boards, ROOM * depth), np.int64)
        return cls(keys, np.zeros(boards, np.int64), np.zeros(boards, np.float32))


class Counted(NamedTuple):
    """What is known of the items."""

    servable: NDArray[np.uint8]
    slots: Rows
    counts: Floats
    times: Doubles
    engaged: Engagements
    """This and the three above as in `ItemStates`."""
    categories: NDArray[np.int16]
    """(items, 8), -1 for none."""


class Rules(NamedTuple):
    """How counts are read, and which board is whose."""

    at: float
    """The moment at which counts are compared."""
    slots: NDArray[np.int64]
    """(4,): counts of what was taken in, of all time, of 7 days, 30 days and 1 day."""
    rates: Doubles
    """(4,): how fast each fades, in halvings a second."""
    segment_rate: float
    recent_share: float
    recent_prior: float
    segment_prior: float
    trend_prior: float
    deviations: float
    segments_at: int
    """Board of the first column of engagements; categories are behind its last one."""


@kernel
def totals(held: Counted, rules: Rules) -> Doubles:
    """What all servable items have together: of all time, of 7 days, and of each column."""
    numbers = np.zeros(held.engaged.wide.shape[1], np.float32)
    sums = np.zeros(2 + len(numbers))
    for row in range(len(held.servable)):
        slot = slot_in(held.slots, row, len(held.counts))
        if held.servable[row] and slot:  # others have nothing
            for n in range(2):
                sums[n] += _faded(held, slot, rules, n)
            fade = _segment_fade(held, slot, rules)
            spread(held.engaged, slot, numbers)
            for column in range(len(numbers)):
                sums[2 + column] += np.float32(numbers[column] * fade)
    return sums


@kernel
def rank(held: Counted, rules: Rules, sums: Doubles, heads: Heads, depth: int) -> None:
    """Fill the boards: popular, trending, of each column that has anything, of each category."""
    weight = rules.recent_share * sums[1] / (sums[1] + rules.recent_prior)
    blend, numbers = _blend(sums[2:], rules), np.zeros(len(sums) - 2, np.float32)
    for row in range(len(held.servable)):
        if held.servable[row] == 0:
            continue
        slot = slot_in(held.slots, row, len(held.counts))
        ever = _faded(held, slot, rules, 0) / max(sums[0], 1.0)
        recent = _faded(held, slot, rules, 1) / max(sums[1], 1.0)
        popular = np.float32(weight * recent + (1.0 - weight) * ever)
        _offer(heads, 0, popular, row, depth)
        _offer(heads, 1, _trend(held, slot, rules), row, depth)
        fade = _segment_fade(held, slot, rules)
        spread(held.engaged, slot, numbers)
        for at in range(len(blend[0])):
            column, own, others = blend[0][at], blend[1][at], blend[2][at]
            worth = np.float32(own * np.float32(numbers[column] * fade))
            worth = np.float32(worth + np.float32(others * popular))
            if worth > heads.bars[rules.segments_at + column]:
                _offer(heads, rules.segments_at + column, worth, row, depth)
        for place in range(held.categories.shape[1]):
            code = held.categories[row, place]
            if code >= 0 and not _before(held.categories, row, place):
                _offer(heads, rules.segments_at + len(sums) - 2 + code, popular, row, depth)


@kernel
def _blend(totals: Doubles, rules: Rules) -> tuple[NDArray[np.int64], Doubles, Doubles]:
    """Columns that have anything; what counts there, and what everybody's popularity does.

    The fewer events a column has, the more everybody's decides.
    """
    active = np.flatnonzero(totals > 0.0)
    active = active[active > 0]  # the first is of whom nothing is known
    own = totals[active] / (totals[active] + rules.segment_prior)
    return active, own / np.maximum(totals[active], 1.0), 1.0 - own


@kernel
def head(heads: Heads, board: int, depth: int) -> tuple[Rows, Floats]:
    """The `depth` best of a board, best first, equals by row."""
    keys = np.sort(heads.keys[board, : heads.sizes[board]])[:depth]
    rows, scores = np.empty(len(keys), np.int32), np.empty(len(keys), np.float32)
    for at in range(len(keys)):
        rows[at], scores[at] = np.int32(keys[at] & ROW), score_of(keys[at])
    return rows, scores


@kernel
def _offer(heads: Heads, board: int, worth: np.float32, row: int, depth: int) -> None:
    if not worth > heads.bars[board]:
        return
    heads.keys[board, heads.sizes[board]] = key_of(worth, row)
    heads.sizes[board] += 1
    if heads.sizes[board] == heads.keys.shape[1]:
        heads.bars[board] = cut(heads.keys[board], depth)
        heads.sizes[board] = depth


@kernel
def _faded(held: Counted, slot: int, rules: Rules, n: int) -> np.float32:
    if slot == 0:
        return np.float32(0.0)
    age = max(rules.at - held.times[slot, ENGAGED_AT], 0.0)
    return np.float32(held.counts[slot, rules.slots[n]] * 2.0 ** (-age * rules.rates[n]))


@kernel
def _trend(held: Counted, slot: int, rules: Rules) -> np.float32:
    month, day = _faded(held, slot, rules, 2), _faded(held, slot, rules, 3)
    bound = max(day - rules.deviations * np.sqrt(day), 0.0)
    return np.float32(bound / (month / 30.0 + rules.trend_prior))


@kernel
def _segment_fade(held: Counted, slot: int, rules: Rules) -> float:
    age = max(rules.at - held.times[slot, ENGAGED_AT], 0.0)
    return float(2.0 ** (-age * rules.segment_rate))


@kernel
def _before(categories: NDArray[np.int16], row: int, place: int) -> bool:
    found = False
    for earlier in range(place):
        found = found or categories[row, earlier] == categories[row, place]
    return found
