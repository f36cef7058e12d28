"""Sums in 32 bits, by a toss.

A sum that 32 bits cannot hold is rounded up or down by a toss whose odds are its distance to either
side, so that it is right on average however often that happens: rounded to the nearest, a popular
item's sum would neither grow past 2^24 nor fade. The toss hangs on the event and the sum alone, so
it falls the same way in every replay.
"""

import math

import numpy as np

from palate.jit import Single, kernel

LARGEST = float(np.finfo(np.float32).max)
PLACES = 24
"""Binary places of a float32."""
UNIT, TICKS = 2.0**53, 4_096.0
GOLDEN, FIRST, SECOND = map(np.uint64, (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))


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
