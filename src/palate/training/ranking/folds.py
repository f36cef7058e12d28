"""Forward chaining: learn from the past, be calibrated on what follows, be judged on the rest.

One part of the log holds too few people to tell a good ranker from a lucky one. So the moments are
cut into several parts, in order of time, and every part but the first two is judged by a ranker
that has learnt from everything before it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from palate.arrays import Doubles, Floats, Keys
from palate.models.ranker import HEADS, Knots
from palate.ranking.value import weights_of
from palate.settings import Settings
from palate.training.export import as_tensor
from palate.training.ranking.calibration import calibrate
from palate.training.ranking.fusion import fit_fusion, fusion_scores
from palate.training.ranking.lists import RankedList, ndcg
from palate.training.ranking.network import RankerNetwork, fit_ranker, row_weights
from palate.training.report import Report

FOLDS = ((0.25, 0.4, 0.55), (0.4, 0.55, 0.7), (0.55, 0.7, 0.85), (0.7, 0.85, 1.0))
"""Shares of the moments: what comes first trains, the next part stops the training and calibrates,
the last is judged."""
JUDGED = FOLDS[0][1]
"""From here on lists keep every candidate."""


class Layout(NamedTuple):
    """Names that a fold's arrays are in order of."""

    features: tuple[str, ...]
    generators: tuple[str, ...]

    def votes(self, fusion: Mapping[str, float]) -> dict[int, float]:
        """Fusion's weights by the feature that holds 1 / the generator's rank."""
        columns = {f"{name}_rank": weight for name, weight in fusion.items() if weight > 0}
        return {at: columns[name] for at, name in enumerate(self.features) if name in columns}


@dataclass(frozen=True, slots=True)
class Fold:
    """What one ranker said of lists that came after everything it had learnt from."""

    fusion: Mapping[str, float]
    """The weights that it had to beat."""
    epochs: int
    """After how many passes its training was best."""
    judge: Sequence[RankedList]
    raw: Floats
    """(rows, heads): the network's own probabilities."""
    predicted: Floats
    """(rows, heads): calibrated on the part before."""
    ranker: Doubles
    """(lists,): NDCG@10 of the served order."""
    baseline: Doubles
    """(lists,): NDCG@10 of weighted fusion."""

    @property
    def users(self) -> Keys:
        """Who each list is of."""
        return np.array([each.user for each in self.judge], np.uint64)


def run_fold(
    lists: Sequence[RankedList],
    shares: tuple[float, float, float],
    layout: Layout,
    settings: Settings,
    report: Report,
) -> Fold:
    """Learn from the first share, stop and calibrate on the second, answer for the third."""
    first, second, third = (int(len(lists) * share) for share in shares)
    train, held, judge = lists[:first], lists[first:second], lists[second:third]
    fusion = fit_fusion(train, held, layout.generators, settings.training.seed)
    fitted = fit_ranker(
        learnable(train), learnable(held), layout.votes(fusion), settings.training, report
    )
    before = raw_of(fitted.network, held)
    knots = [curves(before, held)[head] for head in HEADS]
    raw = raw_of(fitted.network, judge)
    predicted = np.stack([curve.apply(raw[:, i]) for i, curve in enumerate(knots)], axis=1)
    served = predicted @ weights_of(settings.ranking.value, HEADS)
    return Fold(
        fusion,
        fitted.epochs,
        judge,
        raw,
        predicted,
        ndcg(judge, served),
        ndcg(judge, fusion_scores(judge, layout.generators, fusion)),
    )


def learnable(lists: Sequence[RankedList]) -> Sequence[RankedList]:
    """Lists with something right in them; all, where there is none."""
    return [each for each in lists if each.labels.any()] or lists


def raw_of(network: RankerNetwork, lists: Sequence[RankedList]) -> Floats:
    """(rows, heads): what a network says of the kept rows, end to end."""
    features = np.concatenate([each.features for each in lists])
    with torch.inference_mode():
        raw: Floats = network.eval()(as_tensor(features)).numpy()
    return raw


def curves(raw: Floats, lists: Sequence[RankedList]) -> dict[str, Knots]:
    """Each head's calibration on the kept rows of these lists."""
    labels = np.concatenate([each.labels[each.kept] for each in lists])
    weights = np.concatenate([row_weights(each) for each in lists])
    return {head: calibrate(raw[:, i], labels[:, i], weights) for i, head in enumerate(HEADS)}
