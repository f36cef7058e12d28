"""The gate: a learnt part ships only where it beats what serves without it."""

from collections.abc import Mapping, Sequence

import numpy as np

from palate.arrays import Doubles, Floats, Keys
from palate.funnel.types import Pool
from palate.funnel.worth import SENSIBLE, UNNAMED, worth
from palate.releases.manifest import Verdict
from palate.training.lists import RankedList, ndcg

FLOOR = -0.002
"""Lower end of the 90 % interval that is still accepted: the mean has to be above zero anyway."""
RESAMPLES = 2_000
CHOICES = (0.0, 0.1, 0.25, 0.5, 1.0, 2.0)
ROUNDS = 2
FITTED = 600
"""Lists that the fusion is fitted on; more change nothing but the time it takes."""


def fusion_scores(
    lists: Sequence[RankedList], names: tuple[str, ...], weights: Mapping[str, float]
) -> Floats:
    """What weighted fusion gives every pool entry, end to end."""
    return np.concatenate([worth(_pool(each, names), weights).sum(axis=1) for each in lists])


def sensible(names: tuple[str, ...]) -> dict[str, float]:
    """The weights before any training."""
    return {name: SENSIBLE.get(name, UNNAMED) for name in names}


def fit_fusion(
    train: Sequence[RankedList], held: Sequence[RankedList], names: tuple[str, ...], seed: int
) -> dict[str, float]:
    """Weights of the generators' reciprocal ranks: fitted ones only where they prove themselves.

    A search over nine weights always finds something that suits its own rows. What it finds on
    `train` is taken where it is better on `held`, with the 90 % interval over users above 0.
    """
    before = sensible(names)
    fitted = _searched(train[:: max(1, len(train) // FITTED)], names, before)
    new, old = (ndcg(held, fusion_scores(held, names, w)) for w in (fitted, before))
    users: Keys = np.array([each.user for each in held], np.uint64)
    return fitted if paired(new, old, users, seed)[1] > 0 else before


def _searched(
    lists: Sequence[RankedList], names: tuple[str, ...], weights: Mapping[str, float]
) -> dict[str, float]:
    """The best NDCG@10 on `lists`, one weight after the other."""
    votes = np.concatenate([worth(_pool(each, names), dict.fromkeys(names, 1.0)) for each in lists])
    found = np.array([weights[name] for name in names], np.float32)
    best = float(ndcg(lists, votes @ found).mean())
    for _ in range(ROUNDS):
        for at in range(len(names)):
            for choice in CHOICES:
                tried = found.copy()
                tried[at] = choice
                reached = float(ndcg(lists, votes @ tried).mean())
                if reached > best and tried.any():
                    best, found = reached, tried
    return {name: round(float(w), 4) for name, w in zip(names, found, strict=True)}


def paired(challenger: Doubles, champion: Doubles, users: Keys, seed: int) -> tuple[float, ...]:
    """(mean, 5th, 95th percentile) of the difference over users, resampled by user."""
    _, who = np.unique(users, return_inverse=True)
    counts = np.bincount(who)
    each = np.bincount(who, challenger - champion) / counts
    dice = np.random.Generator(np.random.PCG64(seed))
    means = each[dice.integers(0, len(each), (RESAMPLES, len(each)))].mean(axis=1)
    return float(each.mean()), float(np.quantile(means, 0.05)), float(np.quantile(means, 0.95))


def judge_ranker(judged: Sequence[Doubles], users: Keys, seed: int) -> Verdict:
    """Compare NDCG@10 list by list on parts of the log that neither side has seen.

    `judged` are the ranker's and fusion's with gains by the value formula, for by that the ranker
    is asked to order; then both where everything taken counts 1: there it must not be provably
    worse.
    """
    ours, theirs, *plain = judged
    mean, low, high = paired(ours, theirs, users, seed)
    flat, _, top = paired(plain[0], plain[1], users, seed)
    shipped = mean > 0 and low > FLOOR and top > 0
    _, who = np.unique(users, return_inverse=True)
    levels = [float((np.bincount(who, x) / np.bincount(who)).mean()) for x in judged]
    said = (
        f"By the value formula the ranker reaches NDCG@10 {levels[0]:.4f} against {levels[1]:.4f}"
        f" of weighted fusion on {len(users):,} held-out moments of {who.max() + 1:,} users:"
        f" {mean:+.4f}, 90 % interval {low:+.4f} to {high:+.4f}; where everything taken counts the"
        f" same, {flat:+.4f}. "
    )
    verdict = (
        "It ships."
        if shipped
        else f"It stays behind (the mean must be above 0, the interval above {FLOOR}, and hits not"
        " provably fewer): the release ranks by weighted fusion."
    )
    numbers = {"ranker": levels[0], "fusion": levels[1], "mean": mean, "low": low, "high": high}
    numbers |= {"plain_ranker": levels[2], "plain_fusion": levels[3], "plain_mean": flat}
    return Verdict(part="ranker", shipped=shipped, sentence=said + verdict, numbers=numbers)


def judge_tower(tower: float, popularity: float, events: int) -> Verdict:
    """Compare how well the very next event is foreseen, on events after those learnt from."""
    shipped = events > 0 and tower > popularity
    said = (
        f"The two-tower foresees the next of {events:,} held-out events with NDCG@10 {tower:.4f}"
        f" against {popularity:.4f} of popularity. "
        if events
        else "There are no events to judge the two-tower by. "
    )
    verdict = "It ships." if shipped else "It stays behind: the release does without it."
    return Verdict(
        part="two_tower",
        shipped=shipped,
        sentence=said + verdict,
        numbers={"two_tower": tower, "popularity": popularity, "events": float(events)},
    )


def refused(part: str, why: str) -> Verdict:
    """A part that was not tried."""
    return Verdict(part=part, shipped=False, sentence=why)


def _pool(each: RankedList, names: tuple[str, ...]) -> Pool:
    return Pool(each.rows, np.zeros(each.ranks.shape, np.float32), each.ranks, names)
