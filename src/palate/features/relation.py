"""How candidates relate to what the user did: compiled loops over categories and creators."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Doubles, Floats, Rows
from palate.events.kinds import Kind, Signal
from palate.jit import kernel

ENGAGED, POSITIVE, NEGATIVE = int(Signal.ENGAGED), int(Signal.POSITIVE), int(Signal.NEGATIVE)
RATING = int(Kind.RATING)
RECENT = 20
"""Engagements that count as recent."""
RATING_PRIOR = 3.0
"""Ratings of a category at which its mean gets half of its weight."""

TASTES = ("recent", "ever", "liked", "disliked", "rated")
"""Columns of the table of tastes."""
RECENT_AT, EVER_AT, LIKED_AT, DISLIKED_AT, RATED_AT = range(5)


class Past(NamedTuple):
    """A user's history, oldest first, with what the catalogue says of it."""

    signals: NDArray[np.uint8]
    kinds: NDArray[np.uint8]
    values: Floats
    categories: NDArray[np.int16]
    """(n, places), -1 pads."""
    creator: Rows


@kernel
def tastes(past: Past, categories: int) -> Doubles:
    """One row per category (see `TASTES`).

    Shares of recent engagements, of all, of likes and of dislikes that fell on it, and how much
    better than usual it was rated.
    """
    table = np.zeros((categories, 5))
    totals = np.zeros(5)
    rated = np.zeros(categories)
    mean = _mean_rating(past)
    for back in range(len(past.signals)):
        at = len(past.signals) - 1 - back
        _weigh(past, at, table, totals)
        if past.kinds[at] == RATING and not np.isnan(past.values[at]):
            for code in past.categories[at]:
                if code >= 0:
                    table[code, RATED_AT] += past.values[at] - mean
                    rated[code] += 1.0
    for column in range(RATED_AT):
        table[:, column] /= max(totals[column], 1.0)
    table[:, RATED_AT] /= rated + RATING_PRIOR
    return table


@kernel
def _weigh(past: Past, at: int, table: Doubles, totals: Doubles) -> None:
    signal = past.signals[at]
    engaged = signal & ENGAGED != 0
    recent = engaged and totals[RECENT_AT] < RECENT
    falls = (recent, engaged, signal & POSITIVE != 0, signal & NEGATIVE != 0)
    for column in range(RATED_AT):
        if not falls[column]:
            continue
        totals[column] += 1.0
        for code in past.categories[at]:
            if code >= 0:
                table[code, column] += 1.0


@kernel
def _mean_rating(past: Past) -> float:
    total, count = 0.0, 0
    for at in range(len(past.signals)):
        if past.kinds[at] == RATING and not np.isnan(past.values[at]):
            total += past.values[at]
            count += 1
    return total / max(count, 1)


@kernel
def affinities(table: Doubles, categories: NDArray[np.int16]) -> Floats:
    """(n, 7): how a candidate's categories suit the tastes.

    The mean of each taste over them, then their largest share of engagements, and how many of them
    the user knows, as a share.
    """
    out = np.zeros((len(categories), 7), np.float32)
    for row in range(len(categories)):
        count = 0
        for code in categories[row]:
            if code < 0 or code >= len(table):
                continue
            count += 1
            for column in range(5):
                out[row, column] += table[code, column]
            out[row, 5] = max(out[row, 5], table[code, EVER_AT])
            out[row, 6] += table[code, EVER_AT] > 0.0
        for column in (0, 1, 2, 3, 4, 6):
            out[row, column] /= max(count, 1)
    return out


@kernel
def creators(past: Past, creator: Rows) -> Floats:
    """(n, 3): recent engagements with, all engagements with and likes of the same creator."""
    out = np.zeros((len(creator), 3), np.float32)
    for row in range(len(creator)):
        recent = 0
        for back in range(len(past.signals)):
            at = len(past.signals) - 1 - back
            engaged = past.signals[at] & ENGAGED != 0
            recent += engaged
            if creator[row] < 0 or past.creator[at] != creator[row]:
                continue
            out[row, 0] += engaged and recent <= RECENT
            out[row, 1] += engaged
            out[row, 2] += past.signals[at] & POSITIVE != 0
    return out


@kernel
def exposure(rows: Rows, shown: Rows, times: Doubles, now: float) -> Floats:
    """(n, 2): how often each was shown lately, and seconds since the last time (0 for never)."""
    out = np.zeros((len(rows), 2), np.float32)
    for row in range(len(rows)):
        for at in range(len(shown)):
            if shown[at] == rows[row]:
                out[row, 0] += 1.0
                out[row, 1] = max(now - times[at], 0.0)
    return out


@kernel
def noted(rows: Rows, seen: Rows, signals: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Signals the user gave to each candidate; 0 for none."""
    out = np.zeros(len(rows), np.uint32)
    order = np.argsort(rows)
    ordered = rows[order]
    for at in range(len(seen)):
        place = np.searchsorted(ordered, seen[at])
        while place < len(rows) and ordered[place] == seen[at]:
            out[order[place]] = signals[at]
            place += 1
    return out
