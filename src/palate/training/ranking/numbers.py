"""The numbers of a ranker's training, as the manifest has them."""

import sys
from collections.abc import Sequence

import numpy as np

from palate.arrays import Floats
from palate.models.ranker import HEADS
from palate.training.ranking.calibration import reliability
from palate.training.ranking.folds import Fold, Kind, Layout, judged
from palate.training.ranking.lists import RankedList


def counts_of(lists: Sequence[RankedList], layout: Layout) -> dict[str, float]:
    """How much there is of what, and where what is learnt from comes from."""
    learnable, logged = layout.learnable(lists, sys.maxsize), layout.logged
    return {
        "moments": len(lists),
        "lists_reconstructed": sum(each.place is None for each in learnable),
        "lists_shown": sum(each.place is not None for each in learnable),
        "pages_shown": sum(not each.unanswered for each in logged),
        "pages_unanswered": sum(each.unanswered for each in logged),
        "rows": sum(len(each.kept) for each in (*lists, *logged)),
    }


def metrics_of(names: tuple[str, ...], folds: Sequence[Fold], kind: Kind) -> dict[str, float]:
    """Per generator: NDCG@10 alone and recall of its list; and the heads' calibration."""
    judge = judged(folds)
    labels = np.concatenate([each.labels for each in judge])
    ranks = np.concatenate([each.ranks for each in judge])
    wanted = max(sum(each.relevant for each in judge), 1)
    out: dict[str, float] = {"union/recall": float(labels[:, 0].sum()) / wanted}
    for i, name in enumerate(names):
        alone = np.concatenate([fold.baselines[name] for fold in folds])
        out[f"{name}/ndcg@10"] = float(alone.mean())
        out[f"{name}/recall"] = float(labels[ranks[:, i] > 0, 0].sum()) / wanted
    predicted = np.concatenate([fold.answers[kind].predicted for fold in folds])
    return out | _calibration(predicted, labels)


def _calibration(predicted: Floats, labels: Floats) -> dict[str, float]:
    """Error of each head, and observed over predicted by decile, least likely first."""
    out: dict[str, float] = {}
    even = np.ones(len(labels), np.float32)
    for i, head in enumerate(HEADS):
        found = reliability(predicted[:, i], labels[:, i], even)
        out[f"ranker/{head}/ece"] = found.error
        for tenth, (said, came) in enumerate(zip(found.predicted, found.observed, strict=True), 1):
            out[f"ranker/{head}/decile_{tenth}"] = round(float(came / max(said, 1e-9)), 4)
    return out
