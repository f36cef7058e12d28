"""Makes a head's number mean what it says: of the items given 0.2, one in five comes true."""

import numpy as np
from sklearn.linear_model import LogisticRegression

from palate.arrays import Doubles, Floats
from palate.models.ranker import Knots

FEWEST = 20
"""Positives a head needs before its curve is believed."""
MOST = 64
"""Knots of a curve."""
EDGE = 1e-7
LOOSE = 1e4
"""Hardly any pull towards zero: two numbers are fitted on thousands of rows."""


def calibrate(raw: Floats, labels: Floats, weights: Floats) -> Knots:
    """Curve from raw probabilities to observed shares (n,), each row with its weight.

    Platt (1999): a line between the logits. Unlike a staircase it keeps the order that the network
    found, and a handful of lucky rows at the end cannot promise 100 %; beyond the largest raw
    probability that was seen it promises no more. With too few positives, or where the line falls,
    the raw probability is scaled to the observed share, no more.
    """
    weights, took = weights.astype(np.float64), labels > 0
    if FEWEST <= took.sum() < len(took):
        logits = _logit(raw)
        line = LogisticRegression(C=LOOSE).fit(logits[:, None], took, sample_weight=weights)
        slope, height = float(line.coef_[0, 0]), float(line.intercept_[0])
        if slope > 0:
            at = np.unique(np.linspace(logits.min(), logits.max(), MOST - 1))
            observed = _chance(slope * at + height)
            return Knots((0.0, *map(float, _chance(at))), (0.0, *map(float, observed)))
    share = float((labels * weights).sum() / max((raw * weights).sum(), 1e-9))
    return Knots((0.0, 1.0), (0.0, min(share, 1.0)))


def _logit(raw: Floats) -> Doubles:
    inside = np.clip(raw.astype(np.float64), EDGE, 1.0 - EDGE)
    logits: Doubles = np.log(inside / (1.0 - inside))
    return logits


def _chance(logits: Doubles) -> Doubles:
    chance: Doubles = 1.0 / (1.0 + np.exp(-logits))
    return chance


def expected_error(predicted: Floats, labels: Floats, weights: Floats, bins: int = 10) -> float:
    """ECE over bins of equal weight: mean distance of the prediction from what came true."""
    order = np.argsort(predicted, kind="stable")
    ends = np.cumsum(weights[order], dtype=np.float64)
    which = np.minimum((ends / ends[-1] * bins).astype(int), bins - 1)
    total = np.bincount(which, weights[order], bins)
    gap = np.bincount(which, (predicted - labels)[order] * weights[order], bins)
    return float(np.abs(gap).sum() / max(total.sum(), 1e-9))
