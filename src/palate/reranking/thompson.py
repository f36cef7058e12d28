"""Thompson sampling whose every probability is known: a fixed ensemble of plausible worlds.

Each item's click rate is a Beta posterior: a prior from the content path (what the items most like
it have earned, leaning towards what the ranker expects) and its own counts. Of these posteriors
`WORLDS` joint draws are made once and for all, by a hash of item and world, so that they move with
the evidence and not with the request (ensemble sampling, Lu and Van Roy 2017, arXiv:1705.07347).
A request draws a world and takes its best items: how often an item is the s-th best is counted
over the worlds, and is its probability to stand in the s-th slot. With ε the slots go to a uniform
draw instead, so no probability is below ε / pool.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Floats, Mask, Rows
from palate.jit import kernel, swift

WORLDS = 64
PRIOR = 20.0
"""Times shown that the prior is worth."""
START, STARTING = 0.05, 100.0
"""Click rate that a site begins with, and how many showings that is worth."""
SURE = 2.0
"""Standard deviations between an item and the page's last from which it is decided."""
KNOWN = 100.0
"""Engagements that tell enough, whoever showed the item."""

_Z = np.random.Generator(np.random.PCG64(11)).standard_normal(4_096).astype(np.float32)


class Counts(NamedTuple):
    """What is known of each candidate, decayed with a half-life of 30 days."""

    shown: Floats
    taken: Floats
    """Clicks; never more than it was shown."""
    engaged: Floats


class Posterior(NamedTuple):
    """Beta parameters by candidate."""

    a: Floats
    b: Floats

    @property
    def mean(self) -> Floats:
        found: Floats = self.a / (self.a + self.b)
        return found

    @property
    def spread(self) -> Floats:
        """Standard deviations."""
        total = self.a + self.b
        found: Floats = np.sqrt(self.a * self.b / (total * total * (total + 1.0)))
        return found


class Policy(NamedTuple):
    """What a request may draw, and how likely."""

    best: NDArray[np.int64]
    """(WORLDS, slots): the places in the pool of each world's best."""
    owed: NDArray[np.int64]
    """The same, those first that are on trial."""
    first: float
    """Share of the worlds' draws that go by `owed`."""
    share: Floats
    """(slots, pool): how often an item gets the s-th slot when a world is drawn."""

    def draw(self, epsilon: float, dice: np.random.Generator) -> NDArray[np.int64]:
        """(slots,): who gets each slot."""
        slots, pool = self.share.shape
        if dice.random() < epsilon:
            return dice.permutation(pool)[:slots]
        order = self.owed if dice.random() < self.first else self.best
        drawn: NDArray[np.int64] = order[dice.integers(WORLDS)]
        return drawn

    def propensity(self, epsilon: float) -> Floats:
        """(slots, pool): the probability of every item in every slot; rows add up to 1."""
        found: Floats = epsilon / self.share.shape[1] + (1.0 - epsilon) * self.share
        return found


def posterior(counts: Counts, content: Floats, scores: Floats) -> Posterior:
    """From the counts, content vectors and ranks of the candidates, best first."""
    taken, shown = counts.taken, counts.shown
    site = (taken.sum() + START * STARTING) / (shown.sum() + STARTING)
    by_likeness = _told(content @ content.T, taken, shown)
    earned = (by_likeness[0] + site * PRIOR) / (by_likeness[1] + PRIOR)
    span = float(scores.max() - scores.min()) or 1.0
    expected = np.clip(earned * (0.5 + (scores - scores.min()) / span), 1e-3, 0.9)
    a = expected * PRIOR + taken
    b = (1.0 - expected) * PRIOR + shown - taken
    return Posterior(a.astype(np.float32), b.astype(np.float32))


@swift
def _told(likeness: Floats, taken: Floats, shown: Floats) -> Floats:
    """(2, n): what was taken and shown of all others, by the fourth power of how like they are.

    Only what is really alike tells much of an item.
    """
    out = np.zeros((2, len(taken)), np.float32)
    for i in range(len(taken)):
        took, saw = np.float32(0.0), np.float32(0.0)
        for j in range(len(taken)):
            near = likeness[i, j] if likeness[i, j] > 0.0 else np.float32(0.0)
            near *= near
            near *= near
            near = near if i != j else np.float32(0.0)
            took += near * taken[j]
            saw += near * shown[j]
        out[0, i], out[1, i] = took, saw
    return out


def decided(found: Posterior, counts: Counts, bar: float) -> Mask:
    """Where there is nothing more to learn: surely above or below the `bar`, or well known."""
    sure = np.abs(found.mean - bar) > SURE * found.spread
    return np.asarray((sure & (counts.shown >= PRIOR)) | (counts.engaged >= KNOWN))


def policy(
    rows: Rows, found: Posterior, slots: int, trial: Mask | None = None, first: float = 0.0
) -> Policy:
    """The ensemble's word on a pool; `slots` is at most its size.

    Where some are on `trial`, a share `first` of the draws takes the best of these (and the best of
    the others where there are fewer of them than slots).
    """
    best = _best(rows, found, slots, np.zeros(len(rows), np.bool_), _Z)
    share = _shares(best, len(rows))
    if trial is None or not trial.any():
        return Policy(best, best, 0.0, share)
    owed = _best(rows, found, slots, trial, _Z)
    share += np.float32(first) * (_shares(owed, len(rows)) - share)
    return Policy(best, owed, first, share)


@kernel
def _shares(best: NDArray[np.int64], pool: int) -> Floats:
    """(slots, pool): in how many worlds each is the s-th best."""
    share = np.zeros((best.shape[1], pool), np.float32)
    for world in range(len(best)):
        for slot in range(best.shape[1]):
            share[slot, best[world, slot]] += np.float32(1.0 / WORLDS)
    return share


@swift
def _gamma(shape: np.float32, z: np.float32) -> np.float32:
    """A gamma draw from a normal one (Wilson and Hilferty 1931)."""
    ninth = np.float32(1.0) / (np.float32(9.0) * shape)
    root = np.float32(1.0) - ninth + z * np.sqrt(ninth)
    root = max(root, np.float32(0.01))
    return np.float32(shape * root * root * root)


@kernel
def _best(
    rows: Rows, found: Posterior, slots: int, ahead: Mask, normal: Floats
) -> NDArray[np.int64]:
    """(WORLDS, slots): every world's best, in order, those `ahead` first; equals by their place."""
    a, b = found.a, found.b
    best = np.empty((WORLDS, slots), np.int64)
    rate = np.empty(len(rows), np.float32)
    for world in range(WORLDS):
        for i in range(len(rows)):
            mixed = np.uint64(rows[i]) * np.uint64(0x9E3779B97F4A7C15)
            mixed ^= (np.uint64(world) + np.uint64(1)) * np.uint64(0xD1B54A32D192ED03)
            mixed ^= mixed >> np.uint64(29)
            mixed *= np.uint64(0xBF58476D1CE4E5B9)
            one, other = (mixed >> np.uint64(20)) & np.uint64(4095), mixed >> np.uint64(52)
            good, bad = _gamma(a[i], normal[one]), _gamma(b[i], normal[other])
            rate[i] = good / (good + bad)
            if ahead[i]:
                rate[i] += np.float32(1.0)
        for slot in range(slots):
            at = np.argmax(rate)
            best[world, slot] = at
            rate[at] = np.float32(-1.0)
    return best
