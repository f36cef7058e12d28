"""What the ranker's numbers mean on a surface: calibrated on pages that were really shown there."""

from collections.abc import Mapping, Sequence
from itertools import chain

import numpy as np

from palate.models.ranker import HEADS, Knots
from palate.training.ranking.folds import Fold, Kind, Layout, curves, raw_of
from palate.training.ranking.moments.rows import SURFACE

FEWEST = 100
"""Of what came true on a surface, before a head has a curve of its own there."""


def of_surfaces(
    kind: Kind, layout: Layout, folds: Sequence[Fold], knots: Mapping[str, Knots]
) -> dict[str, dict[str, Knots]]:
    """By surface and head; only Home, whose generators the rows are made by.

    Each page is answered for by a ranker that has learnt from earlier ones. Where too little came
    true for a head, it keeps the curve of the reconstruction (`knots`), lowered as much as the
    clicks are: so the heads stay in proportion in the value formula.
    """
    pages = [layout.shown_during(fold.judge, SURFACE) for fold in folds]
    whole = list(chain(*pages))
    came = sum((each.labels.sum(axis=0) for each in whole), np.zeros(len(HEADS)))
    if came[0] < FEWEST:
        return {}
    told = zip(folds, pages, strict=True)
    raw = np.concatenate([raw_of(fold.answers[kind].learnt, page) for fold, page in told if page])
    own, clicks = curves(raw, whole), HEADS[0]
    lower = own[clicks].apply(raw[:, 0]).mean() / max(knots[clicks].apply(raw[:, 0]).mean(), 1e-9)
    enough = {head: bool(count >= FEWEST) for head, count in zip(HEADS, came, strict=True)}
    return {
        SURFACE: {
            head: own[head] if enough[head] else _lowered(knots[head], min(float(lower), 1.0))
            for head in HEADS
        }
    }


def _lowered(knots: Knots, share: float) -> Knots:
    return Knots(knots.raw, tuple(each * share for each in knots.observed))
