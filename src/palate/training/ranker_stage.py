"""The ranker's part of a run: rows out of history, training, calibration, and the gate."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch

from palate.arrays import Doubles, Floats, Keys
from palate.models.ranker import HEADS, Knots, RankerFacts
from palate.ranking.value import weights_of
from palate.releases.manifest import Verdict
from palate.training.calibration import calibrate, expected_error
from palate.training.dataset import Dataset
from palate.training.export import as_tensor
from palate.training.gate import fit_fusion, fusion_scores, judge_ranker, refused
from palate.training.lists import PLAIN, RankedList, ndcg
from palate.training.ranker import RankerNetwork, fit_ranker, row_weights
from palate.training.report import Report
from palate.training.rows import RowSource, generator_names, reconstruct, sample_moments

FOLDS = ((0.4, 0.6, 0.8), (0.6, 0.8, 1.0))
"""Shares of the moments: what comes first trains, the next part calibrates, the last judges. Both
rankers are judged, for the people in one part are too few to tell; the second is what may ship."""
WHOLE = 0.6
"""From here on lists keep every candidate: they are judged."""
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
    """Live through the moments after the cut, learn from them, and judge on the last of them."""
    settings = source.stores.settings.training
    moments = sample_moments(data.events, data.part(cut), settings.ranker_queries)
    late = moments[int(len(moments) * WHOLE) :]
    if len(moments) < FEWEST_MOMENTS or len({m.user for m in late}) < FEWEST_USERS:
        why = f"Too little for a ranker: {len(moments):,} moments after the cut."
        return RankerOutcome(refused("ranker", f"{why} The release ranks by weighted fusion."))
    report("rows", 0.0, f"replaying the log with {len(moments):,} moments")
    lists = reconstruct(source, data, moments, int(len(moments) * WHOLE), report)
    if sum(each.labels.any() for each in lists) < FEWEST_MOMENTS // 2:
        why = "Too little for a ranker: the generators hardly ever found what was taken."
        return RankerOutcome(refused("ranker", f"{why} The release ranks by weighted fusion."))
    report("ranker", 0.0, f"{len(lists):,} lists, {settings.ranker_candidates} items of most")
    names = generator_names(source)
    folds = [_fold(source, lists, names, shares, report) for shares in FOLDS]
    last = folds[-1]
    judged = [np.concatenate(parts) for parts in zip(*(f.judged for f in folds), strict=True)]
    users: Keys = np.array([each.user for f in folds for each in f.judge], np.uint64)
    verdict = judge_ranker(judged, users, settings.seed)
    return RankerOutcome(
        verdict,
        last.network if verdict.shipped else None,
        last.facts,
        last.fusion,
        _metrics(last.judge, names, last.predicted),
        {"moments": len(lists), "rows": sum(len(each.kept) for each in lists)},
    )


class _Fold(NamedTuple):
    """A ranker and the fusion it has to beat, learnt from one past and judged on what followed."""

    network: RankerNetwork
    facts: RankerFacts
    fusion: Mapping[str, float]
    judge: Sequence[RankedList]
    predicted: Floats
    judged: tuple[Doubles, ...]
    """NDCG@10 of each list: the ranker's and fusion's by the value formula, then both plain."""


def _fold(
    source: RowSource,
    lists: Sequence[RankedList],
    names: tuple[str, ...],
    shares: tuple[float, float, float],
    report: Report,
) -> _Fold:
    settings = source.stores.settings
    first, second, third = (int(len(lists) * share) for share in shares)
    train, held, judge = lists[:first], lists[first:second], lists[second:third]
    fusion = fit_fusion(train, held, names, settings.training.seed)
    votes = {
        source.features.index(column): weight
        for name, weight in fusion.items()
        if weight > 0 and (column := f"{name}_rank") in source.features
    }
    learnt = (_learnable(train), _learnable(held), votes)
    network = fit_ranker(*learnt, settings.training, report)
    facts = _facts(network, train, held, source.features)
    predicted = _calibrated(network, facts, np.concatenate([each.features for each in judge]))
    value = weights_of(settings.ranking.value, HEADS)
    orders = predicted @ value, fusion_scores(judge, names, fusion)
    worth, plain = ([ndcg(judge, order, v) for order in orders] for v in (value, PLAIN))
    return _Fold(network, facts, fusion, judge, predicted, (worth[0], worth[1], *plain))


def _learnable(lists: Sequence[RankedList]) -> Sequence[RankedList]:
    return [each for each in lists if each.labels.any()] or lists


def _raw(network: RankerNetwork, features: Floats) -> Floats:
    with torch.inference_mode():
        raw: Floats = network.eval()(as_tensor(features)).numpy()
    return raw


def _facts(
    network: RankerNetwork,
    train: Sequence[RankedList],
    held: Sequence[RankedList],
    features: tuple[str, ...],
) -> RankerFacts:
    raw = _raw(network, np.concatenate([each.features for each in held]))
    labels = np.concatenate([each.labels[each.kept] for each in held])
    weights = np.concatenate([row_weights(each) for each in held])
    means = np.concatenate([each.features for each in train]).mean(axis=0)
    knots = {h: calibrate(raw[:, i], labels[:, i], weights) for i, h in enumerate(HEADS)}
    return RankerFacts(features=features, means=tuple(map(float, means)), knots=knots)


def _calibrated(network: RankerNetwork, facts: RankerFacts, features: Floats) -> Floats:
    raw = _raw(network, features)
    curves = [facts.knots.get(head, Knots()) for head in HEADS]
    return np.stack([curve.apply(raw[:, i]) for i, curve in enumerate(curves)], axis=1)


def _metrics(
    judge: Sequence[RankedList], names: tuple[str, ...], predicted: Floats
) -> dict[str, float]:
    """Per generator: NDCG@10 alone and recall of its list; and the calibration's error."""
    labels = np.concatenate([each.labels for each in judge])
    ranks = np.concatenate([each.ranks for each in judge]).astype(np.float32)
    wanted = max(sum(each.relevant for each in judge), 1)
    out: dict[str, float] = {"union/recall": float(labels[:, 0].sum()) / wanted}
    for i, name in enumerate(names):
        found = ranks[:, i] > 0
        alone = np.where(found, 1.0 / np.maximum(ranks[:, i], 1.0), 0.0).astype(np.float32)
        out[f"{name}/ndcg@10"] = float(ndcg(judge, alone).mean())
        out[f"{name}/recall"] = float(labels[found, 0].sum()) / wanted
    even = np.ones(len(labels), np.float32)
    for i, head in enumerate(HEADS):
        out[f"ranker/{head}/ece"] = expected_error(predicted[:, i], labels[:, i], even)
    return out
