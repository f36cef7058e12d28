"""Makes a head's number mean what it says: of the items given 0.2, one in five comes true."""

from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression

from palate.arrays import Doubles, Floats
from palate.models.ranker import Knots

FEWEST = 20
"""Positives a head needs before its curve is believed."""
POSITIVES, ROWS = 5.0, 30.0
"""What a step of the curve has to rest on; smaller ones are joined with their neighbour."""
MOST = 60
"""Steps of a curve."""
PSEUDO = 20.0
"""Rows that say the same as the step beside it are added to the first and to the last step: a few
lucky rows at the end cannot promise 100 %."""
DECILES = 10

Blocks: TypeAlias = NDArray[np.float64]


def calibrate(raw: Floats, labels: Floats, weights: Floats) -> Knots:
    """Curve from raw probabilities to observed shares (n,), each row with its weight.

    Isotonic regression (Zadrozny & Elkan 2002), then a knot at the middle of each step and straight
    lines between them: unlike the staircase it keeps the order that the network found, and the mean
    of each step stays what was observed. Beyond the last step the line goes on to the largest raw
    probability that was seen, and promises no more after it. With too few positives, or where
    nothing rises, the raw probability is scaled to the observed share.
    """
    took = labels > 0
    if FEWEST <= took.sum() < len(took):
        middles, shares = _steps(raw, took, weights)
        if len(middles) > 1:
            return _knots(middles, shares, float(raw.max()))
    share = float((labels * weights).sum() / max((raw * weights).sum(), 1e-9))
    return Knots((0.0, 1.0), (0.0, min(share, 1.0)))


def _steps(raw: Floats, took: NDArray[np.bool_], weights: Floats) -> tuple[Doubles, Doubles]:
    """Middle and observed share of each step, both rising, the ends pulled to their neighbours."""
    order = np.argsort(raw, kind="stable")
    x, w = raw[order].astype(np.float64), weights[order].astype(np.float64)
    y = took[order].astype(np.float64)
    curve = IsotonicRegression().fit(x, y, sample_weight=w).predict(x)
    starts = np.flatnonzero(np.append(True, np.diff(curve) > 0))
    sums = [np.add.reduceat(each, starts) for each in (w, w * y, w * x)]
    merged = _joined(np.stack(sums, axis=1))
    total, positive, place = merged.T
    shares = positive / total
    if len(shares) > 1:
        shares[0] = (positive[0] + PSEUDO * shares[1]) / (total[0] + PSEUDO)
        shares[-1] = (positive[-1] + PSEUDO * shares[-2]) / (total[-1] + PSEUDO)
    return place / total, shares


def _joined(blocks: Blocks) -> Blocks:
    """(steps, 3: weight, positives, weight · raw): joined until each rests on enough."""
    enough = max(POSITIVES, blocks[:, 1].sum() / MOST)
    kept = [blocks[-1].copy()]
    for block in blocks[-2::-1]:
        if kept[-1][0] < ROWS or kept[-1][1] < enough:
            kept[-1] += block
        else:
            kept.append(block.copy())
    if len(kept) > 1 and kept[-1][1] < enough:
        rest = kept.pop()
        kept[-1] += rest
    return np.array(kept[::-1])


def _knots(middles: Doubles, shares: Doubles, largest: float) -> Knots:
    slope = (shares[-1] - shares[-2]) / (middles[-1] - middles[-2])
    last = min(float(shares[-1] + slope * (largest - middles[-1])), 1.0)
    x = [0.0, *map(float, middles)]
    y = [0.0, *map(float, shares)]
    if largest > middles[-1]:
        x, y = [*x, largest], [*y, last]
    return Knots(tuple(x), tuple(y))


class Reliability(NamedTuple):
    """Predicted against observed, in parts of equal weight, least likely first."""

    weight: Doubles
    predicted: Doubles
    """(parts,) mean prediction."""
    observed: Doubles
    """(parts,) share that came true."""

    @property
    def error(self) -> float:
        """ECE: mean distance of the prediction from what came true."""
        gap = np.abs(self.predicted - self.observed) * self.weight
        return float(gap.sum() / max(self.weight.sum(), 1e-9))


def reliability(predicted: Floats, labels: Floats, weights: Floats) -> Reliability:
    """Compare predictions with what came true, decile by decile."""
    order = np.argsort(predicted, kind="stable")
    ends = np.cumsum(weights[order], dtype=np.float64)
    which = np.minimum((ends / max(ends[-1], 1e-9) * DECILES).astype(int), DECILES - 1)
    total: Doubles = np.bincount(which, weights[order], DECILES).astype(np.float64)
    some = np.maximum(total, 1e-9)
    said = np.bincount(which, predicted[order] * weights[order], DECILES) / some
    came = np.bincount(which, labels[order] * weights[order], DECILES) / some
    return Reliability(total, said, came)
