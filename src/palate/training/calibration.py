"""Makes a head's number mean what it says: of the items given 0.2, one in five comes true."""

import numpy as np
from sklearn.isotonic import IsotonicRegression

from palate.arrays import Floats
from palate.models.ranker import Knots

FEWEST = 20
"""Positives a head needs before its curve is believed."""
MOST = 64
"""Knots kept of a curve."""


def calibrate(raw: Floats, labels: Floats, weights: Floats) -> Knots:
    """Isotonic curve from raw probabilities to observed shares (n,), each row with its weight.

    With too few positives the raw probability is scaled to the observed share, no more.
    """
    weights = weights.astype(np.float64)
    if (labels > 0).sum() < FEWEST:
        share = float((labels * weights).sum() / max((raw * weights).sum(), 1e-9))
        return Knots((0.0, 1.0), (0.0, min(share, 1.0)))
    curve = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip")
    curve.fit(raw.astype(np.float64), labels.astype(np.float64), sample_weight=weights)
    xs, ys = curve.X_thresholds_, curve.y_thresholds_
    if len(xs) > MOST:
        at = np.unique(np.linspace(0, len(xs) - 1, MOST).astype(int))
        xs, ys = xs[at], ys[at]
    return Knots(tuple(map(float, xs)), tuple(map(float, ys)))


def expected_error(predicted: Floats, labels: Floats, weights: Floats, bins: int = 10) -> float:
    """ECE over bins of equal weight: mean distance of the prediction from what came true."""
    order = np.argsort(predicted, kind="stable")
    ends = np.cumsum(weights[order], dtype=np.float64)
    which = np.minimum((ends / ends[-1] * bins).astype(int), bins - 1)
    total = np.bincount(which, weights[order], bins)
    gap = np.bincount(which, (predicted - labels)[order] * weights[order], bins)
    return float(np.abs(gap).sum() / max(total.sum(), 1e-9))
