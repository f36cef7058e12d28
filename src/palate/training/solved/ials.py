"""Learns the factors of implicit ALS, items leaning on what their content says of them."""

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Floats
from palate.index.opening import Building
from palate.models.ials import Ials, IalsFacts, IalsTable, equations, penalty_of
from palate.training.solved.histories import Histories

EPOCHS = 5
USUAL = Building(1)
WARM_UP = 2
"""Epochs before content is asked: the first factors mean nothing yet."""
AT_ONCE = 256
"""Rows solved in one call of LAPACK."""
RIDGE = 1.0
"""Pull of W towards zero, in items."""


def fit(
    histories: Histories,
    content: Floats,
    facts: IalsFacts,
    epochs: int = EPOCHS,
    how: Building = USUAL,
) -> Ials:
    """Alternate between users and items, each solved exactly given the other.

    `content` is (rows, 64), zero where an item says nothing; without any it is plain iALS.
    """
    dice = np.random.Generator(np.random.PCG64(how.seed))
    features = with_constant(content)
    counts = histories.counts()
    scale = 0.1 / float(np.sqrt(facts.dim))
    items = dice.normal(0.0, scale, (histories.rows, facts.dim)).astype(np.float32)
    items[counts == 0] = 0.0
    prior, weights = np.zeros_like(items), np.zeros((features.shape[1], facts.dim), np.float32)
    takers, average = transposed(histories), np.zeros(facts.dim, np.float32)
    for epoch in range(epochs):
        leaning = np.broadcast_to(average, (histories.users, facts.dim))
        users = _side(histories, items, leaning, facts)
        average = users[np.diff(histories.starts) > 0].mean(axis=0)
        items = _side(takers, users, prior, facts)
        if epoch >= WARM_UP - 1 and content.any():
            weights = _regressed(features, items, counts, facts, histories.users)
            prior = features @ weights
    told = np.asarray(content.any(axis=1))
    items[(counts == 0) & told] = prior[(counts == 0) & told]
    gram = np.asarray(facts.unobserved * (items.T @ items), np.float32)
    known = np.asarray((counts > 0) | told)
    return Ials.of(facts, IalsTable(items, known, gram, weights, average), how)


def with_constant(content: Floats) -> Floats:
    """Content and a feature that is always 1 (but for items that say nothing)."""
    told = content.any(axis=1, keepdims=True)
    return np.hstack([content, told]).astype(np.float32)


def transposed(histories: Histories) -> Histories:
    """Users by item."""
    users = np.repeat(np.arange(histories.users), np.diff(histories.starts)).astype(np.int32)
    order = np.argsort(histories.items, kind="stable")
    starts = np.concatenate([[0], np.cumsum(histories.counts())]).astype(np.int64)
    return Histories(starts, users[order], histories.users)


def _side(side: Histories, others: Floats, prior: Floats, facts: IalsFacts) -> Floats:
    """One half of an epoch: every user, or every item, given the other side."""
    gram = np.asarray(facts.unobserved * (others.T @ others), np.float32)
    out = np.zeros((side.users, facts.dim), np.float32)
    busy = np.flatnonzero(np.diff(side.starts))
    for start in range(0, len(busy), AT_ONCE):
        which = busy[start : start + AT_ONCE]
        left, right = np.empty((len(which), facts.dim, facts.dim), np.float32), out[which]
        for place, at in enumerate(which.tolist()):
            met = others[side.of(at)]
            penalty = penalty_of(facts, len(met), side.rows)
            trust = np.ones(len(met), np.float32)
            left[place] = equations(gram, met, trust, penalty)
            right[place] = met.sum(axis=0) + np.float32(penalty) * prior[at]
        out[which] = np.linalg.solve(left, right[..., None])[..., 0]
    return out


def _regressed(
    features: Floats, items: Floats, counts: NDArray[np.int64], facts: IalsFacts, users: int
) -> Floats:
    """W: what content says of vectors, items weighed as their penalties are."""
    seen = (counts > 0) & features.any(axis=1)
    trust = (counts[seen] + facts.unobserved * users) ** facts.exponent
    trust = (trust / trust.mean()).astype(np.float32)
    told = features[seen]
    left = (told * trust[:, None]).T @ told + RIDGE * np.eye(told.shape[1], dtype=np.float32)
    right = (told * trust[:, None]).T @ items[seen]
    return np.asarray(np.linalg.solve(left, right), np.float32)
