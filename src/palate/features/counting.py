"""How an item's numbers grow: the part of the fold that writes what all processes share.

Ten million items' numbers lie in memory, so they are 32 bits wide, and all numbers of one signal
have one moment as of which they hold. A sum that 32 bits cannot hold is rounded up or down by a
toss whose odds are its distance to either side, so that it is right on average however often that
happens: rounded to the nearest, a popular item's sum would neither grow past 2^24 nor fade. The
toss hangs on the event and the sum alone, so it falls the same way in every replay.
"""

import math
from typing import NamedTuple

import numpy as np

from palate.arrays import Doubles, Floats
from palate.events.kinds import Signal
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

ACTS, ENGAGED = int(ACTED), int(Signal.ENGAGED)
SEGMENT_RATE = 1.0 / SEGMENT_HALF_LIFE
LARGEST = float(np.finfo(np.float32).max)
PLACES = 24
"""Binary places of a float32."""
UNIT, TICKS = 2.0**53, 4_096.0
GOLDEN, FIRST, SECOND = map(np.uint64, (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))
REGION_AT = 256
"""See `features.segments.profile_code`."""


class Items(NamedTuple):
    """Items' numbers, by row; see `ItemStates`."""

    counts: Floats
    times: Doubles
    segments: Floats


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
    counts, times = items.counts[item], items.times[item]
    bit = np.uint32(1) << np.uint32(kind)
    for f in range(COUNTING):
        if folds.signals[f] & signal == 0 or (folds.kinds[f] != 0 and folds.kinds[f] & bit == 0):
            continue
        weight = np.float64(value) if folds.by_value[f] == 1 else 1.0
        if not np.isnan(weight):
            counts[f] = grown(counts[f], times[ITEM_CLOCKS[f]], folds.rate[f], weight, time)
    if signal & ENGAGED != 0:
        _count_segment(items.segments[item], times[ENGAGED_AT], profile, time)
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
def rounded(exact: float, time: float) -> Single:
    """One of the two float32 beside a number: itself, or by a toss that is right on average."""
    bound = min(max(exact, -LARGEST), LARGEST)
    nearest = np.float32(bound)
    if np.float64(nearest) == bound:
        return nearest
    part, power = math.frexp(bound)
    step = math.ldexp(1.0, power - PLACES)
    return np.float32(bound + (_toss(part, time) - 0.5) * step)


@kernel
def _toss(part: float, time: float) -> float:
    """A number from 0 to 1 that hangs on these two (SplitMix64, Steele et al. 2014)."""
    mixed = np.uint64(np.int64(part * UNIT)) ^ (np.uint64(np.int64(time * TICKS)) * GOLDEN)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * FIRST
    mixed = (mixed ^ (mixed >> np.uint64(27))) * SECOND
    mixed = (mixed ^ (mixed >> np.uint64(31))) >> np.uint64(11)
    return np.int64(mixed) / UNIT


@kernel
def _count_segment(row: Floats, as_of: float, profile: int, time: float) -> None:
    """Count an engagement for its user's segment and region."""
    segment, region = profile % REGION_AT, profile // REGION_AT
    code = segment if segment < len(row) else 0
    weight = 1.0
    if as_of == 0.0 or time >= as_of:
        fade = np.exp2((as_of - time) * SEGMENT_RATE)
        for at in range(len(row)):
            if row[at] != 0.0:
                row[at] = rounded(np.float64(row[at]) * fade, time)
    else:
        weight = np.exp2((time - as_of) * SEGMENT_RATE)
    row[code] = rounded(np.float64(row[code]) + weight, time)
    if 0 < region < len(row):
        row[region] = rounded(np.float64(row[region]) + weight, time)
