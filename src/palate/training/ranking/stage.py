"""The ranker's part of a run: rows out of history, training, calibration, and the gate."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np

from palate.arrays import Floats
from palate.models.ranker import HEADS, RankerFacts
from palate.releases.manifest import Verdict
from palate.settings import TrainingSettings
from palate.training.dataset import Dataset
from palate.training.gate import judge_ranker, refused
from palate.training.ranking.calibration import reliability
from palate.training.ranking.folds import (
    FOLDS,
    JUDGED,
    Fold,
    Layout,
    curves,
    learnable,
    run_fold,
)
from palate.training.ranking.lists import RankedList, ndcg
from palate.training.ranking.network import RankerNetwork, fit_ranker
from palate.training.ranking.rows import RowSource, generator_names, reconstruct, sample_moments
from palate.training.report import Report

FEWEST_MOMENTS, FEWEST_USERS = 100, 10
"""Below this no ranker is tried: the gate could not tell."""


@dataclass(frozen=True, slots=True)
class RankerOutcome:
    """A judged ranker; `network` is None where it stays behind."""

    verdict: Verdict
    network: RankerNetwork | None = None
    facts: RankerFacts | None = None
    fusion: Mapping[str, float] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    data: Mapping[str, float] = field(default_factory=dict)


def learn_ranker(source: RowSource, data: Dataset, cut: float, report: Report) -> RankerOutcome:
    """Live through the moments after the cut, learn from them, and judge most of them."""
    settings = source.stores.settings
    count, horizon = settings.training.ranker_queries, settings.training.horizon
    moments = sample_moments(data.events, data.part(cut), count, horizon)
    late = moments[int(len(moments) * JUDGED) :]
    if len(moments) < FEWEST_MOMENTS or len({m.user for m in late}) < FEWEST_USERS:
        why = f"Too little for a ranker: {len(moments):,} moments after the cut."
        return RankerOutcome(refused("ranker", f"{why} The release ranks by weighted fusion."))
    report("rows", 0.0, f"replaying the log with {len(moments):,} moments")
    lists = reconstruct(source, data, moments, int(len(moments) * JUDGED), report)
    if sum(each.labels.any() for each in lists) < FEWEST_MOMENTS // 2:
        why = "Too little for a ranker: the generators hardly ever found what was taken."
        return RankerOutcome(refused("ranker", f"{why} The release ranks by weighted fusion."))
    report("ranker", 0.0, f"{len(lists):,} lists, {settings.training.ranker_candidates} items each")
    layout = Layout(source.features, generator_names(source))
    folds = [run_fold(lists, shares, layout, settings, report) for shares in FOLDS]
    verdict = _judged(folds, settings.training.seed)
    network = (
        _whole(lists, layout, folds[-1], settings.training, report) if verdict.shipped else None
    )
    return RankerOutcome(
        verdict,
        network,
        _facts(layout, lists, folds) if network else None,
        folds[-1].fusion,
        _metrics(layout.generators, folds),
        {"moments": len(lists), "rows": sum(len(each.kept) for each in lists)},
    )


def _judged(folds: Sequence[Fold], seed: int) -> Verdict:
    """All parts together: the more people, the surer the verdict."""
    users = np.concatenate([fold.users for fold in folds])
    ranker = np.concatenate([fold.ranker for fold in folds])
    return judge_ranker(ranker, np.concatenate([fold.baseline for fold in folds]), users, seed)


def _whole(
    lists: Sequence[RankedList],
    layout: Layout,
    last: Fold,
    settings: TrainingSettings,
    report: Report,
) -> RankerNetwork:
    """What ships: the judged recipe over every moment, for as many passes as were best."""
    planned = msgspec.structs.replace(settings, ranker_epochs=last.epochs)
    return fit_ranker(learnable(lists), [], layout.votes(last.fusion), planned, report).network


def _facts(layout: Layout, lists: Sequence[RankedList], folds: Sequence[Fold]) -> RankerFacts:
    """Calibrated on what the folds said of lists they had not learnt from."""
    judge = [each for fold in folds for each in fold.judge]
    knots = curves(np.concatenate([fold.raw for fold in folds]), judge)
    means = np.concatenate([each.features for each in lists]).mean(axis=0)
    return RankerFacts(features=layout.features, means=tuple(map(float, means)), knots=knots)


def _metrics(names: tuple[str, ...], folds: Sequence[Fold]) -> dict[str, float]:
    """Per generator: NDCG@10 alone and recall of its list; and the heads' calibration."""
    judge = [each for fold in folds for each in fold.judge]
    labels = np.concatenate([each.labels for each in judge])
    ranks = np.concatenate([each.ranks for each in judge]).astype(np.float32)
    wanted = max(sum(each.relevant for each in judge), 1)
    out: dict[str, float] = {"union/recall": float(labels[:, 0].sum()) / wanted}
    for i, name in enumerate(names):
        found = ranks[:, i] > 0
        alone = np.where(found, 1.0 / np.maximum(ranks[:, i], 1.0), 0.0).astype(np.float32)
        out[f"{name}/ndcg@10"] = float(ndcg(judge, alone).mean())
        out[f"{name}/recall"] = float(labels[found, 0].sum()) / wanted
    return out | _calibration(np.concatenate([fold.predicted for fold in folds]), labels)


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
