"""The ranker's part of a run: rows out of history, training, calibration, and the gate."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from palate.arrays import Floats, Keys
from palate.models.ranker import HEADS, Knots, RankerFacts
from palate.ranking.value import weights_of
from palate.releases.manifest import Verdict
from palate.training.calibration import calibrate, expected_error
from palate.training.dataset import Dataset
from palate.training.export import as_tensor
from palate.training.gate import fit_fusion, fusion_scores, judge_ranker, refused
from palate.training.lists import RankedList, ndcg
from palate.training.ranker import RankerNetwork, fit_ranker, row_weights
from palate.training.report import Report
from palate.training.rows import RowSource, generator_names, reconstruct, sample_moments

TRAINED, CALIBRATED = 0.6, 0.8
"""Shares of the moments: the first part trains, the next calibrates, the rest judges."""
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
    full = int(len(moments) * CALIBRATED)
    if len(moments) < FEWEST_MOMENTS or len({m.user for m in moments[full:]}) < FEWEST_USERS:
        why = f"Too little for a ranker: {len(moments):,} moments after the cut."
        return RankerOutcome(refused("ranker", f"{why} The release ranks by weighted fusion."))
    report("rows", 0.0, f"replaying the log with {len(moments):,} moments")
    lists = reconstruct(source, data, moments, full, report)
    if sum(each.labels.any() for each in lists[:full]) < FEWEST_MOMENTS // 2:
        why = "Too little for a ranker: the generators hardly ever found what was taken."
        return RankerOutcome(refused("ranker", f"{why} The release ranks by weighted fusion."))
    names = generator_names(source)
    train, held, judge = lists[: int(len(lists) * TRAINED)], lists[:full], lists[full:]
    held = held[len(train) :]
    report("ranker", 0.0, f"{len(train):,} lists of up to {settings.ranker_candidates} items")
    fusion = fit_fusion(train, names)
    network = fit_ranker(_learnable(train), _learnable(held), settings, report)
    facts = _facts(network, train, held, source.features)
    value = weights_of(source.stores.settings.ranking.value, HEADS)
    predicted = _calibrated(network, facts, np.concatenate([each.features for each in judge]))
    ours, theirs = ndcg(judge, predicted @ value), ndcg(judge, fusion_scores(judge, names, fusion))
    users: Keys = np.array([each.user for each in judge], np.uint64)
    verdict = judge_ranker(ours, theirs, users, settings.seed)
    return RankerOutcome(
        verdict,
        network if verdict.shipped else None,
        facts,
        fusion,
        _metrics(judge, names, predicted),
        {"moments": len(lists), "rows": sum(len(each.kept) for each in lists)},
    )


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
