"""What each generator's word counts where the pool is filled: as finds most of what is taken.

The pool is filled by worth, and worth is linear in the weights: so these are what makes it
likeliest that what was taken is drawn from everything that was proposed, by a softmax of its worth.
That is a convex problem, and has one answer.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax

from palate.arrays import Doubles, Keys, Rows
from palate.funnel.merge import DEPTH, Admission, merge
from palate.funnel.types import Candidates
from palate.funnel.worth import ADMITTED, BY_LOT, POOLED, UNNAMED, leaning
from palate.training.dataset import Dataset
from palate.training.gate import Gain, level, paired
from palate.training.ranking.moments.rows import POOL, Moment, RowSource, lived

ASKED = 400
"""Moments that are asked, evenly over time; more change nothing and cost a look at the log each."""
FEWEST = 100
"""Moments of either half of the people below which nobody can tell."""
POSITIVES, OTHERS = 20, 200
"""Of what a moment's generators proposed: what was taken, and a sample of what was not, at most."""
BETTER = 0.02
"""The pool has to gain so much of what it found before, whoever had been asked: what suits visits
of the coming weeks a little better need not suit those after."""
PULL = 0.01
"""Towards the sensible weights: what says nothing here (nobody follows anybody) keeps its own."""
KEPT = 0.25
"""Of its sensible weight every generator keeps so much: strangers are few among the moments of some
sites, and what everybody takes is all that there is for them."""


class Said(NamedTuple):
    """What every generator said at one moment, and what was taken."""

    user: int
    known: float
    proposals: list[Candidates]
    taken: Rows


class Admitted(NamedTuple):
    """Weights that find more than the sensible ones; none where that is not sure, or little."""

    weights: Mapping[str, float]
    before: float = 0.0
    """Share of what was taken that the pool held by the sensible weights …"""
    after: float = 0.0
    """… and by the new ones, each half of the people asked with what was found for the other."""
    gain: Gain = Gain(0.0, 0.0, 0.0)

    def __str__(self) -> str:
        if not self.weights:
            return ""
        return (
            f" The pool of {POOL} is filled by weights that find {self.after:.1%} of what is taken"
            f" instead of {self.before:.1%} ({self.gain})."
        )

    def numbers(self) -> dict[str, float]:
        """For the manifest: of the weights that ship, where anybody was asked."""
        if not self.weights:
            return {"pool/recall": self.before} if self.before else {}
        return {"pool/recall_before": self.before, "pool/recall": self.after}


def admitted(source: RowSource, data: Dataset, moments: Sequence[Moment], until: int) -> Admitted:
    """Ask the generators at some of these moments, and weigh what they say.

    What was taken from log position `until` on is not known yet: there judging begins.
    """
    if len(moments) < 2 * FEWEST:
        return Admitted({})
    some = moments[:: -(-len(moments) // ASKED)]
    names, said = asyncio.run(_said(source, data, some, until))
    return weighed(names, said, source.admission.quotas, source.stores.settings.training.seed)


async def _said(
    source: RowSource, data: Dataset, moments: Sequence[Moment], until: int
) -> tuple[tuple[str, ...], list[Said]]:
    names: tuple[str, ...] = ()
    found: list[Said] = []
    async for each in lived(source, data, moments):
        names, moment = each.names, each.moment
        taken = [row for row, told in moment.labels.items() if told[0] and moment.came[row] < until]
        taken_in = np.array(taken, np.int32)
        found.append(Said(moment.user, each.query.known, each.proposals, taken_in))
    return names, found


def weighed(
    names: tuple[str, ...], said: Sequence[Said], quotas: Mapping[str, int], seed: int
) -> Admitted:
    """The weights, where they surely find enough more than the sensible ones do."""
    halves = [[each for each in said if each.user % 2 == odd] for odd in (0, 1)]
    if min(map(len, halves)) < FEWEST:
        return Admitted({})
    asked, new, old = list[Said](), list[float](), list[float]()
    for own, others in (halves, halves[::-1]):
        fitted = Admission(_fitted(names, others, seed), quotas)
        new += [_recall(names, each, fitted) for each in own]
        old += [_recall(names, each, Admission(quotas=quotas)) for each in own]
        asked += own
    users: Keys = np.array([each.user for each in asked], np.uint64)
    gain = paired(np.array(new), np.array(old), users, seed)
    before, after = (level(np.array(each), users) for each in (old, new))
    weights = _fitted(names, said, seed) if gain.low > BETTER * before else {}
    return Admitted(weights, before, after, gain)


def _recall(names: tuple[str, ...], each: Said, admission: Admission) -> float:
    pool = merge(names, each.proposals, POOL, each.known, admission)
    return float(np.isin(each.taken, pool.rows).mean())


def _fitted(names: tuple[str, ...], said: Sequence[Said], seed: int) -> dict[str, float]:
    """Weights of the generators that go by more than a lot, as large together as before."""
    dice = np.random.Generator(np.random.PCG64(seed))
    drawn = [part for each in said if (part := _drawn(names, each, dice)) is not None]
    before = np.array([ADMITTED.get(name, UNNAMED) for name in names])
    if not drawn or not before.any():
        return {}
    told = _side_by_side(drawn)
    height = minimize(lambda c: told.loss(c * before)[0], 1.0, bounds=[(0.1, 100.0)]).x[0]

    def loss(weights: Doubles) -> tuple[float, Doubles]:
        value, slope = told.loss(weights)
        apart = weights - height * before
        pull = PULL / len(apart)
        return value + pull * float(apart @ apart), slope + 2 * pull * apart

    start = height * before
    bounds = [(KEPT * each, None) for each in start]
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    found *= before.sum() / max(found.sum(), 1e-9)
    meant = zip(names, found.tolist(), strict=True)
    return {name: round(weight, 4) for name, weight in meant if name not in BY_LOT}


class _Votes(NamedTuple):
    """What was proposed at one moment, or at several, side by side and padded."""

    votes: Doubles
    """(…, n, generators): 1 of a first rank, falling as worth does, 0 of what was not proposed."""
    shares: Doubles
    """(…, n): of what was taken, adding up to 1."""
    stands: Doubles
    """(…, n): the logarithm of how many each stands for; minus infinity for padding."""

    def loss(self, weights: Doubles) -> tuple[float, Doubles]:
        """Mean cross-entropy of the moments, and its slope."""
        told = log_softmax(self.votes @ weights + self.stands, axis=1)
        known = self.shares > 0
        value = -float((self.shares[known] * told[known]).sum()) / len(told)
        slope = np.einsum("mn,mng->g", np.exp(told) - self.shares, self.votes) / len(told)
        return value, slope


def _drawn(names: tuple[str, ...], each: Said, dice: np.random.Generator) -> _Votes | None:
    """Some of what was proposed at a moment; None where nothing of it was taken."""
    pool = merge(names, each.proposals, max(1, sum(map(len, each.proposals))), each.known)
    taken = np.isin(pool.rows, each.taken)
    meant = [name not in BY_LOT for name in names]
    known = (pool.ranks[:, meant] > 0).any(axis=1)
    hits, rest = dice.permutation(np.flatnonzero(taken & known)), np.flatnonzero(~taken & known)
    hits = hits[:POSITIVES]  # the best by today's weights would not show what these leave out
    if not len(hits):
        return None
    few = dice.choice(rest, min(OTHERS, len(rest)), replace=False)
    ranks = pool.ranks[np.concatenate([hits, few])]
    votes = np.where(ranks > 0, (DEPTH + 1.0) / (DEPTH + ranks), 0.0)
    votes *= leaning(names, each.known, POOLED)
    votes *= meant
    stands = np.zeros(len(ranks))
    stands[len(hits) :] = np.log(max(len(rest), 1) / max(len(few), 1))
    return _Votes(votes, np.where(np.arange(len(ranks)) < len(hits), 1.0 / len(hits), 0.0), stands)


def _side_by_side(drawn: Sequence[_Votes]) -> _Votes:
    size = len(drawn), max(len(each.shares) for each in drawn)
    votes, shares = np.zeros((*size, drawn[0].votes.shape[1])), np.zeros(size)
    stands = np.full(size, -np.inf)
    for at, each in enumerate(drawn):
        few = slice(len(each.shares))
        votes[at, few], shares[at, few], stands[at, few] = each
    return _Votes(votes, shares, stands)
