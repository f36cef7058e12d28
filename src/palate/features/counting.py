"""How an item's numbers grow: the part of the fold that writes what all processes share.

Ten million items' numbers lie in memory, so they are 32 bits wide (`mapped/rounding.py`), all
numbers of one signal have one moment as of which they hold, and an item has numbers from the first
event on that counts.
"""

from typing import NamedTuple

import numpy as np

from palate.arrays import Doubles, Floats, Rows
from palate.events.kinds import Signal
from palate.features.engagements import Engagements, add, fade
from palate.features.folds import (
    ACTED,
    COUNTING,
    ENGAGED_AT,
    FIRST_AT,
    ITEM_CLOCKS,
    LAST_AT,
    SEGMENT_HALF_LIFE,
    FoldTable,
)
from palate.jit import Single, kernel
from palate.mapped.rounding import rounded

ACTS, ENGAGED = int(ACTED), int(Signal.ENGAGED)
SEGMENT_RATE = 1.0 / SEGMENT_HALF_LIFE
REGION_AT = 256
"""See `features.segments.profile_code`."""


class Items(NamedTuple):
    """Items' numbers, by slot; see `ItemStates`."""

    slots: Rows
    counts: Floats
    times: Doubles
    engaged: Engagements


@kernel
def credit(
    items: Items,
    item: int,
    profile: int,
    event: tuple[int, int, float, float],
    folds: FoldTable,
) -> None:
    """Let an item's numbers grow by what somebody of a profile did with it."""
    kind, signal, value, time = event
    slot = items.slots[item]
    counts, times = items.counts[slot], items.times[slot]
    bit = np.uint32(1) << np.uint32(kind)
    for f in range(COUNTING):
        if folds.signals[f] & signal == 0 or (folds.kinds[f] != 0 and folds.kinds[f] & bit == 0):
            continue
        weight = np.float64(value) if folds.by_value[f] == 1 else 1.0
        if not np.isnan(weight):
            counts[f] = grown(counts[f], times[ITEM_CLOCKS[f]], folds.rate[f], weight, time)
    if signal & ENGAGED != 0:
        _engaged(items.engaged, slot, times[ENGAGED_AT], profile, time)
    _tell(times, signal, time)


@kernel
def _tell(times: Doubles, signal: int, time: float) -> None:
    """Bring the moments up to an event."""
    for s in range(FIRST_AT):
        if signal & (1 << s) != 0 and (times[s] == 0.0 or time > times[s]):
            times[s] = time
    if signal & ACTS != 0:
        if times[FIRST_AT] == 0.0 or time < times[FIRST_AT]:
            times[FIRST_AT] = time
        if times[LAST_AT] == 0.0 or time > times[LAST_AT]:
            times[LAST_AT] = time


@kernel
def grown(held: Single, as_of: float, rate: float, weight: float, time: float) -> Single:
    """What a sum becomes by `weight` at `time`; see `features.folds`."""
    value = np.float64(held)
    if value == 0.0 and as_of == 0.0:
        return rounded(weight, time)
    if time >= as_of:
        return rounded(value * np.exp2((as_of - time) * rate) + weight, time)
    return rounded(value + weight * np.exp2((time - as_of) * rate), time)


@kernel
def _engaged(held: Engagements, slot: int, as_of: float, profile: int, time: float) -> None:
    """Count an engagement for its user's segment and region."""
    segment, region = profile % REGION_AT, profile // REGION_AT
    columns, weight = held.wide.shape[1], 1.0
    if as_of == 0.0 or time >= as_of:
        fade(held, slot, np.exp2((as_of - time) * SEGMENT_RATE), time)
    else:
        weight = np.exp2((time - as_of) * SEGMENT_RATE)
    add(held, slot, segment if segment < columns else 0, weight, time)
    if 0 < region < columns:
        add(held, slot, region, weight, time)
