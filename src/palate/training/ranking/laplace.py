"""How sure the click head is: Laplace's approximation over its weights on the shared layer."""

from collections.abc import Sequence

import numpy as np
import torch

from palate.arrays import Floats
from palate.models.laplace import Laplace
from palate.models.ranker import TINY, Knots, RankerFacts
from palate.models.trees import Trees
from palate.training.ranking.blend import Blend
from palate.training.ranking.fitting import CHUNK, Fitted, lay_out, row_weights
from palate.training.ranking.folds import Fold, Kind, Learnt, judged
from palate.training.ranking.lists import RankedList

SPREAD = 1.0
"""Standard deviation of a click's logit before any row was seen, on average over the rows."""
LEAST_STRAY, MOST_STRAY = 0.3, 2.0


def fit_laplace(learnt: Learnt, facts: RankerFacts, lists: Sequence[RankedList]) -> Laplace | None:
    """The Gaussian at the weights that were learnt, by the curvature on `lists`.

    A deviation d adds h·d to the logit of a click, as it is served, of a row with layer h. The
    Hessian of the cross-entropy is Σ w·p·(1 - p)·h·hᵀ over the rows (w: how many items a row stands
    for; p: the calibrated probability); the prior is as wide as makes the logit spread by `SPREAD`.
    None where there are no lists, the layer says nothing, or trees are heard alone.
    """
    if isinstance(learnt, Trees):
        return None
    network = learnt.network if isinstance(learnt, Blend) else learnt
    knots, parts, square, rows = facts.knots.get("click", Knots()), [], 0.0, 0
    for at in range(0, len(lists), CHUNK):
        some = lists[at : at + CHUNK]
        layer = _layer(network, some).astype(np.float64)
        p = np.clip(knots.apply(learnt.raw(some)[:, 0]), TINY, 1.0 - TINY).astype(np.float64)
        weights = np.concatenate([row_weights(each) for each in some])
        parts.append((layer * (weights * p * (1.0 - p))[:, None]).T @ layer)
        square, rows = square + float((layer**2).sum()), rows + len(layer)
    if not square:
        return None
    curved = np.sum(parts, axis=0)
    return Laplace(curved + square / rows / SPREAD**2 * np.eye(len(curved)))


def stray_of(folds: Sequence[Fold], kind: Kind) -> float:
    """How far, in the click's logit, items are from what the ranker expects of what comes later.

    An item that was expected E times and taken O times has Var(O) = E + s²·E² where its own rate
    differs by a factor of variance s² (moments of a gamma-Poisson; the logarithm of the factor has
    about log(1 + s²)). Counted over the judged lists of every fold, of which nothing was learnt.
    """
    judge = judged(folds)
    rows = np.concatenate([each.rows[each.kept] for each in judge])
    taken = np.concatenate([each.labels[each.kept, 0] for each in judge])
    said = np.concatenate([fold.answers[kind].predicted[:, 0] for fold in folds])
    weights = np.concatenate([row_weights(each) for each in judge])
    expected = np.bincount(rows, said * weights)
    beyond = (np.bincount(rows, taken) - expected) ** 2 - expected
    square = max(float(beyond.sum() / max((expected**2).sum(), TINY)), 0.0)
    return float(np.clip(np.sqrt(np.log1p(square)), LEAST_STRAY, MOST_STRAY))


def _layer(network: Fitted, lists: Sequence[RankedList]) -> Floats:
    """(rows, SHARED): of the kept rows, end to end."""
    laid = lay_out(lists, network)
    with torch.inference_mode():
        layer = network.network.eval().layer(laid.seen).numpy()
    return np.concatenate([layer[i, : len(each.kept)] for i, each in enumerate(lists)])
