"""What each feature is worth to a ranker: how much worse it orders when the feature is shuffled."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from palate.arrays import Floats
from palate.features.measured import Measured, missing
from palate.models.ranker import HEADS
from palate.models.trees import Trees
from palate.ranking.value import weights_of
from palate.settings import Settings
from palate.training.ranking.fitting import Fitted, lay_out
from palate.training.ranking.folds import Learnt
from palate.training.ranking.lists import RankedList, ndcg

Order: TypeAlias = NDArray[np.int64]
Scored: TypeAlias = Callable[[int, Order], Floats]
"""(rows,) what orders, with one feature's column in another order."""

LISTS, ITEMS = 150, 30
"""How many moments are ordered anew for each feature, and candidates of each, of which at most half
were taken: two seconds for all of them together. Many moments of few candidates tell more than the
reverse."""


def measure(
    learnt: Learnt, lists: Sequence[RankedList], features: tuple[str, ...], settings: Settings
) -> Mapping[str, Measured]:
    """Share of missing, and permutation importance (Breiman 2001) in NDCG@10, by feature.

    `lists` came after everything that was learnt from. A feature is shuffled among all candidates
    of all of them; a negative number is chance.
    """
    right = [each for each in lists if each.labels[each.kept].any()]
    if not right:
        return {}
    dice = np.random.Generator(np.random.PCG64(settings.training.seed))
    spread = np.unique(np.linspace(0, len(right) - 1, LISTS).astype(int))
    small = [_cut(right[at], dice) for at in spread.tolist()]
    rows = np.concatenate([each.features for each in small])
    scored = _scored(learnt, small, rows, settings)
    whole = ndcg(small, scored(0, np.arange(len(rows)))).mean()
    told, found = missing(features, rows), {}
    for at, name in enumerate(features):
        lost, order = 0.0, dice.permutation(len(rows))
        if (rows[:, at] != rows[0, at]).any():
            lost = float(whole - ndcg(small, scored(at, order)).mean())
        found[name] = Measured(missing=told[name], importance=round(lost, 6))
    return found


def _scored(
    learnt: Learnt, lists: Sequence[RankedList], rows: Floats, settings: Settings
) -> Scored:
    if isinstance(learnt, Trees):
        return _trees(learnt, rows)
    value = weights_of(settings.ranking.value, HEADS)
    if isinstance(learnt, Fitted):
        raw = _network(learnt, lists)
        return lambda at, order: raw(at, order) @ value
    network, grown, mix = _network(learnt.network, lists), _trees(learnt.trees, rows), learnt.mix
    return lambda at, order: mix(network(at, order), grown(at, order)) @ value


def _cut(each: RankedList, dice: np.random.Generator) -> RankedList:
    """The list as if nothing but some `ITEMS` of its kept rows had been proposed, and wanted."""
    taken = each.labels[each.kept].any(axis=1)
    hits = dice.permutation(np.flatnonzero(taken))[: ITEMS // 2]
    rest = dice.permutation(np.flatnonzero(~taken))[: ITEMS - len(hits)]
    which = np.sort(np.concatenate([hits, rest]))
    kept = each.kept[which]
    labels = each.labels[kept]
    return replace(
        each,
        rows=each.rows[kept],
        ranks=each.ranks[kept],
        labels=labels,
        relevant=int(labels[:, 0].sum()),
        kept=np.arange(len(kept)),
        features=each.features[which],
        place=None if each.place is None else each.place[kept],
    )


def _network(fitted: Fitted, lists: Sequence[RankedList]) -> Scored:
    """(rows, heads): the lists are laid out once, for on every scale a column is shuffled alike."""
    laid, network = lay_out(lists, fitted), fitted.network.eval()
    seen, present = laid.seen, laid.weights > 0
    own = {feature: at for at, feature in enumerate(fitted.reads.tolist())}

    def scored(at: int, order: Order) -> Floats:
        mine, changed = own.get(at, -1), seen
        if mine >= 0:
            changed = changed._replace(scaled=_shuffled(seen.scaled, mine, present, order))
        if mine in network.close:
            vote = network.close.index(mine)
            changed = changed._replace(close=_shuffled(seen.close, vote, present, order))
        with torch.inference_mode():
            raw: Floats = network.probabilities(changed)[present].numpy()
        return raw

    return scored


def _shuffled(table: Tensor, column: int, present: Tensor, order: Order) -> Tensor:
    out = table.clone()
    values = table[..., column][present]
    out[..., column][present] = values[torch.from_numpy(order)]
    return out


def _trees(trees: Trees, rows: Floats) -> Scored:
    def scored(at: int, order: Order) -> Floats:
        changed = rows.copy()
        changed[:, at] = rows[order, at]
        return trees(changed)

    return scored
