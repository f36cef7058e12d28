"""Thompson sampling whose every probability is known: a fixed ensemble of plausible worlds.

Each item's click rate is a Beta posterior: a prior from the content path (what the items most like
it have earned, leaning towards what the ranker expects) and its own counts. Where a release can
tell how sure its ranker is (`models.laplace`), the prior is worth as many showings as that. Of
these posteriors `WORLDS` joint draws are made once and for all, by a hash of item and world, so
that they move with the evidence and not with the request (ensemble sampling, Lu and Van Roy 2017,
arXiv:1705.07347).
A request draws a world and takes its best items: how often an item is the s-th best is counted
over the worlds, and is its probability to stand in the s-th slot. With ε the slots go to a uniform
draw instead, so no probability is below ε / pool.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Floats, Mask, Rows
from palate.funnel.types import Expected
from palate.index.slots import places_of
from palate.jit import kernel, swift

WORLDS = 64
PRIOR = 20.0
"""Times shown that the prior is worth, where nobody says how sure it is, …"""
LEAST_PRIOR, MOST_PRIOR = 4.0, 200.0
"""… and within which it is where the ranker does."""
MOST_LEAN, LEAST_CLICK = 10.0, 1e-6
"""How far the prior leans at most on the ranker's probability of a click."""
START, STARTING = 0.05, 100.0
"""Click rate that a site begins with, and how many showings that is worth."""
SURE = 2.0
"""Standard deviations between an item and the page's last from which it is decided."""
NINE, LEAST = np.float32(9.0), np.float32(0.01)
KNOWN = 100.0
"""Engagements that tell enough, whoever showed the item."""

_Z = np.random.Generator(np.random.PCG64(11)).standard_normal(4_096).astype(np.float32)


class Counts(NamedTuple):
    """What is known of each candidate, decayed with a half-life of 30 days."""

    shown: Floats
    taken: Floats
    """Clicks; never more than it was shown."""
    engaged: Floats


class Head(NamedTuple):
    """What the ranker says of some candidates."""

    click: Floats
    """(n,): probability of a click."""
    variance: Floats
    """(n,): of its logit."""


class Posterior(NamedTuple):
    """Beta parameters by candidate."""

    a: Floats
    b: Floats

    @property
    def mean(self) -> Floats:
        found: Floats = self.a / (self.a + self.b)
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


def head_of(expected: Expected, rows: Rows) -> Head:
    """What the ranker says of these rows, which it has ranked."""
    at = places_of(expected.rows, rows)
    variance = _variances(expected.layer, expected.doubt, at, np.float32(expected.stray**2))
    return Head(expected.click[at], variance)


@swift
def _variances(layer: Floats, doubt: Floats, at: NDArray[np.int64], own: np.float32) -> Floats:
    """(n,): |doubt · layer|² and an item's own."""
    found = np.empty(len(at), np.float32)
    for i in range(len(at)):
        total = own
        for r in range(len(doubt)):
            off = np.float32(0.0)
            for c in range(doubt.shape[1]):
                off += doubt[r, c] * layer[at[i], c]
            total += off * off
        found[i] = total
    return found


def posterior(
    counts: Counts, content: Floats, scores: Floats, head: Head | None = None
) -> Posterior:
    """From the counts, content vectors and ranks of the candidates, best first.

    With `head` the prior leans on the ranker's probability of a click and is worth the more the
    surer that is; without it leans on the scores, and is worth `PRIOR` showings.
    """
    a, b = np.empty((2, len(scores)), np.float32)
    lean = _by_order(scores) if head is None else _by_click(head.click)
    variance = np.zeros_like(scores) if head is None else head.variance
    alike = _told(content, counts.taken, counts.shown * lean)
    _expected(counts, alike, lean, variance, a, b)
    return Posterior(a, b)


def _by_order(scores: Floats) -> Floats:
    """From 1.5 for the best down to 0.5."""
    low, span = scores.min(), scores.max() - scores.min()
    found: Floats = np.float32(0.5) + (scores - low) / (span if span > 0.0 else np.float32(1.0))
    return found


def _by_click(click: Floats) -> Floats:
    """How much likelier to be clicked than the mean candidate."""
    share = click / np.float32(max(float(click.mean()), LEAST_CLICK))
    found: Floats = np.clip(share, np.float32(1.0 / MOST_LEAN), np.float32(MOST_LEAN))
    return found


@swift
def _told(content: Floats, taken: Floats, shown: Floats) -> Floats:
    """(2, n): what was taken and shown of all others, by the fourth power of how like they are.

    Only what is really alike tells much of an item.
    """
    count, width = content.shape
    out = np.zeros((2, count), np.float32)
    for i in range(count):
        took, saw = np.float32(0.0), np.float32(0.0)
        for j in range(i):
            near = np.float32(0.0)
            for d in range(width):
                near += content[i, d] * content[j, d]
            # no branch, for half of all are likely: it could not be foreseen
            near = near if near > np.float32(0.0) else np.float32(0.0)  # noqa: FURB136
            near *= near
            near *= near
            took += near * taken[j]
            saw += near * shown[j]
            out[0, j] += near * taken[i]
            out[1, j] += near * shown[i]
        out[0, i], out[1, i] = took, saw
    return out


@kernel
def _expected(
    counts: Counts, alike: Floats, lean: Floats, variance: Floats, a: Floats, b: Floats
) -> None:
    """Parameters: the prior from what is alike and from the ranker, and the own counts.

    What was shown counts by how much was expected of it, here and in `alike`: the site's rate would
    else rise with every good item that is found, and with it that of all others.
    """
    taken, shown = counts.taken, counts.shown
    site = (taken.sum() + START * STARTING) / ((shown * lean).sum() + STARTING)
    for i in range(len(lean)):
        earned = (alike[0, i] + site * PRIOR) / (alike[1, i] + PRIOR)
        mean = min(max(earned * lean[i], 1e-3), 0.9)
        worth = PRIOR
        if variance[i] > 0.0:
            # the logit of a Beta of n showings has a variance of about 1 / (n·m·(1 - m))
            worth = 1.0 / (mean * (1.0 - mean) * variance[i])
            worth = min(max(worth, LEAST_PRIOR), MOST_PRIOR)
        a[i] = mean * worth + taken[i]
        b[i] = (1.0 - mean) * worth + shown[i] - taken[i]


@kernel
def decided(found: Posterior, counts: Counts, bar: float) -> Mask:
    """Where there is nothing more to learn: surely above or below the `bar`, or well known."""
    a, b = found.a, found.b
    over = np.empty(len(a), np.bool_)
    for i in range(len(a)):
        total = a[i] + b[i]
        spread = np.sqrt(a[i] * b[i] / (total * total * (total + np.float32(1.0))))
        sure = abs(a[i] / total - bar) > SURE * spread
        over[i] = (sure and counts.shown[i] >= PRIOR) or counts.engaged[i] >= KNOWN
    return over


def policy(
    rows: Rows, found: Posterior, slots: int, trial: Mask | None = None, first: float = 0.0
) -> Policy:
    """The ensemble's word on a pool; `slots` is at most its size.

    Where some are on `trial`, a share `first` of the draws takes the best of these (and the best of
    the others where there are fewer of them than slots).
    """
    if trial is None or not trial.any():
        best, _ = _best(rows, found, slots, np.zeros(0, np.bool_), _Z)
        return Policy(best, best, 0.0, _shares(best, best, len(rows), 0.0))
    best, owed = _best(rows, found, slots, trial, _Z)
    return Policy(best, owed, first, _shares(best, owed, len(rows), first))


@kernel
def _shares(best: NDArray[np.int64], owed: NDArray[np.int64], pool: int, first: float) -> Floats:
    """(slots, pool): in how many worlds each is the s-th best; of a part `first` by `owed`."""
    share, other = np.zeros((2, best.shape[1], pool), np.float32)
    for world in range(WORLDS):
        for place in range(best.shape[1]):
            share[place, best[world, place]] += np.float32(1.0 / WORLDS)
            other[place, owed[world, place]] += np.float32(1.0 / WORLDS)
    if first > 0.0:
        part = np.float32(first)
        for place in range(best.shape[1]):
            for at in range(pool):
                share[place, at] += part * (other[place, at] - share[place, at])
    return share


@kernel
def _best(
    rows: Rows, found: Posterior, slots: int, ahead: Mask, normal: Floats
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(WORLDS, slots): every world's best, in order, and its best with those `ahead` first.

    Equals go by their place; where nobody may be ahead, both are the same.

    A Beta draw is one of two gamma draws over their sum, and a gamma draw is made of a normal one
    (Wilson and Hilferty 1931): in loops of one thing each, which run on the vector unit.
    """
    a, b, pool = found.a, found.b, len(rows)
    best = np.empty((WORLDS, slots), np.int64)
    owed = np.empty((WORLDS, slots), np.int64) if len(ahead) else best
    rate = np.empty(pool, np.float32)
    held = np.empty(slots, np.float32)
    shapes, scales = np.empty((4, pool), np.float32), np.empty((2, pool), np.float32)
    for i in range(pool):
        ninth, other = np.float32(1.0) / (NINE * a[i]), np.float32(1.0) / (NINE * b[i])
        shapes[0, i], shapes[1, i] = np.float32(1.0) - ninth, np.sqrt(ninth)
        shapes[2, i], shapes[3, i] = np.float32(1.0) - other, np.sqrt(other)
    for world in range(WORLDS):
        turn = (np.uint64(world) + np.uint64(1)) * np.uint64(0xD1B54A32D192ED03)
        for i in range(pool):
            mixed = (np.uint64(rows[i]) * np.uint64(0x9E3779B97F4A7C15)) ^ turn
            mixed ^= mixed >> np.uint64(29)
            mixed *= np.uint64(0xBF58476D1CE4E5B9)
            scales[0, i] = normal[(mixed >> np.uint64(20)) & np.uint64(4095)]
            scales[1, i] = normal[mixed >> np.uint64(52)]
        for i in range(pool):
            root = shapes[0, i] + scales[0, i] * shapes[1, i]
            root = root if root > LEAST else LEAST  # noqa: FURB136  max() asks for NaN
            good = a[i] * root * root * root
            root = shapes[2, i] + scales[1, i] * shapes[3, i]
            root = root if root > LEAST else LEAST  # noqa: FURB136
            bad = b[i] * root * root * root
            rate[i] = good / (good + bad)
        _first_of(rate, best[world], held)
        for i in range(len(ahead)):
            rate[i] += np.float32(1.0) if ahead[i] else np.float32(0.0)
        if len(ahead):
            _first_of(rate, owed[world], held)
    return best, owed


@kernel
def _first_of(rate: Floats, best: NDArray[np.int64], held: Floats) -> None:
    """Places of the largest, largest first, equals by their place."""
    held[:] = np.float32(-1.0)
    last = len(best) - 1
    for i in range(len(rate)):
        if rate[i] <= held[last]:
            continue
        at = last
        while at > 0 and rate[i] > held[at - 1]:
            best[at], held[at] = best[at - 1], held[at - 1]
            at -= 1
        best[at], held[at] = i, rate[i]
