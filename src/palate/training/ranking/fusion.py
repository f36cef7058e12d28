"""Weights of the generators' votes: they rank where no ranker does, and a ranker must beat them."""

from collections.abc import Mapping, Sequence

import numpy as np

from palate.arrays import Floats, Keys
from palate.funnel.types import Pool
from palate.funnel.worth import SENSIBLE, UNNAMED, worth
from palate.models.visits import VISITS
from palate.training.gate import paired
from palate.training.ranking.lists import Hits, RankedList, ndcg

CHOICES = (0.0, 0.1, 0.25, 0.5, 1.0, 2.0)
ROUNDS = 2
FITTED = 300
"""Lists that the fusion is fitted on; more change nothing but the time it takes."""
FEWEST = 40
"""Lists of a kind of visit, in either half of its people, below which it has no own weights."""


def fusion_scores(
    lists: Sequence[RankedList], names: tuple[str, ...], weights: Mapping[str, float]
) -> Floats:
    """What weighted fusion gives every pool entry, end to end."""
    return np.concatenate(
        [worth(_pool(each, names), weights, each.known, each.visit).sum(axis=1) for each in lists]
    )


def sensible(names: tuple[str, ...]) -> dict[str, float]:
    """The weights before any training."""
    return {name: SENSIBLE.get(name, UNNAMED) for name in names}


def fit_fusion(
    train: Sequence[RankedList], held: Sequence[RankedList], names: tuple[str, ...], seed: int
) -> dict[str, float]:
    """Weights of the generators' reciprocal ranks: fitted ones only where they prove themselves.

    A search over nine weights always finds something that suits its own rows. What it finds on
    `train` is taken where it is better on `held`, with the 90 % interval over users above 0. Then
    each kind of visit may get weights of its own (``visit/generator``), see `_of_visit`.
    """
    before = sensible(names)
    fitted = _searched(_some(train), names, before)
    new, old = (ndcg(held, fusion_scores(held, names, w)) for w in (fitted, before))
    found = fitted if paired(new, old, _users(held), seed)[1] > 0 else before
    own: dict[str, float] = {}
    for visit in VISITS:
        lists = [each for each in (*train, *held) if each.visit == visit]
        own |= {f"{visit}/{n}": w for n, w in _of_visit(lists, names, found, seed).items()}
    return found | own


def _of_visit(
    lists: Sequence[RankedList], names: tuple[str, ...], before: Mapping[str, float], seed: int
) -> dict[str, float]:
    """Weights half way to the best for these lists; empty where that gains nothing for sure.

    Whoever is asked is asked with what was found for the others: half of the people each time.
    """
    halves = [[each for each in lists if each.user % 2 == odd] for odd in (0, 1)]
    if min(map(len, halves)) < FEWEST:
        return {}
    asked, new, old = [], [], []
    for own, others in (halves, halves[::-1]):
        weights = _halfway(_searched(_some(others), names, before), before)
        new.append(ndcg(own, fusion_scores(own, names, weights)))
        old.append(ndcg(own, fusion_scores(own, names, before)))
        asked += own
    gain = paired(np.concatenate(new), np.concatenate(old), _users(asked), seed)
    return _halfway(_searched(_some(lists), names, before), before) if gain.sure else {}


def _halfway(found: Mapping[str, float], before: Mapping[str, float]) -> dict[str, float]:
    return {name: round((weight + before[name]) / 2, 4) for name, weight in found.items()}


def _some(lists: Sequence[RankedList]) -> Sequence[RankedList]:
    return lists[:: max(1, len(lists) // FITTED)]


def _users(lists: Sequence[RankedList]) -> Keys:
    users: Keys = np.array([each.user for each in lists], np.uint64)
    return users


def _searched(
    lists: Sequence[RankedList], names: tuple[str, ...], weights: Mapping[str, float]
) -> dict[str, float]:
    """The best NDCG@10 on `lists`, one weight after the other.

    From the weights as they are, and from the best generator alone: several that agree on what is
    wrong keep each other in, for to silence one of them changes nothing.
    """
    even = dict.fromkeys(names, 1.0)
    votes = np.concatenate([worth(_pool(each, names), even, each.known) for each in lists])
    hits, votes = Hits.of(lists), np.ascontiguousarray(votes.T)
    alone = max(np.eye(len(names), dtype=np.float32), key=lambda one: _reached(hits, one, votes))
    starts = np.array([weights[name] for name in names], np.float32), alone
    found = max((_climbed(hits, votes, each) for each in starts), key=lambda each: each[0])[1]
    return {name: round(float(w), 4) for name, w in zip(names, found, strict=True)}


def _reached(hits: Hits, weights: Floats, votes: Floats) -> float:
    return float(hits.ndcg(weights @ votes).mean())


def _climbed(hits: Hits, votes: Floats, start: Floats) -> tuple[float, Floats]:
    """How far one gets from there, and with which weights."""
    found, names = start.copy(), range(len(start))
    best = _reached(hits, found, votes)
    for _ in range(ROUNDS):
        for at in names:
            others = np.where(np.arange(len(start)) == at, np.float32(0), found)
            without = others @ votes
            for choice in CHOICES:
                reached = float(hits.ndcg(without + np.float32(choice) * votes[at]).mean())
                if reached > best and (choice or others.any()):
                    best, found[at] = reached, choice
    return best, found


def _pool(each: RankedList, names: tuple[str, ...]) -> Pool:
    return Pool(each.rows, np.zeros(each.ranks.shape, np.float32), each.ranks, names)
