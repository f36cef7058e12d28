"""Learns item filters: EASE where a dense matrix is small, RP3beta and plain counts everywhere.

Which of them, how strongly held down, and how fast a history fades is chosen by recall on the
newest held-out events; then the choice is fitted on everything.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse

from palate.arrays import Floats, Rows
from palate.models.linear import Linear, LinearFacts, LinearTable
from palate.training.solved.histories import Histories, gram

NEIGHBOURS = 512
"""Weightiest entries of W kept per item: all of them change recall in the fourth place."""
LONGEST = 500
"""Newest items of a history that pairs are counted over, so that no crawler costs a night."""
CELLS = 1 << 25
"""Of the dense block in which the neighbours of some items are computed at a time."""
SHRINK = 10.0
"""Added to what counts of people who took both are divided by: few of them say little."""
SCRATCH = 1e-9


class LinearPlan(NamedTuple):
    """What to fit."""

    method: Literal["ease", "rp3beta", "together"] = "ease"
    regularization: float = 300.0
    """EASE: added to the diagonal. RP3beta: beta. Together: the power."""
    fade: float = 1.0
    prior: float = 0.0


def fit(histories: Histories, plan: LinearPlan, neighbours: int = NEIGHBOURS) -> Linear:
    """Learn W from what users took in.

    Raises ValueError (from LAPACK) where EASE's matrix is not positive: more regularization helps.
    """
    held = recent(histories, LONGEST)
    if plan.method == "ease":
        rows, weights = strongest(ease(held, plan.regularization), neighbours)
    elif plan.method == "rp3beta":
        rows, weights = rp3beta(held, plan.regularization, neighbours)
    else:
        rows, weights = together(held, plan.regularization, neighbours)
    facts = LinearFacts(
        method=plan.method,
        regularization=plan.regularization,
        fade=plan.fade,
        prior=plan.prior,
    )
    return Linear(facts, LinearTable(rows, weights, _average(held, rows, weights)))


def ease(histories: Histories, regularization: float) -> Floats:
    """(rows, rows): W of EASE, W[a, b] = -P[a, b] / P[b, b] with P the inverse of XᵀX + λ."""
    matrix = gram(histories, np.ones(histories.users))
    places = np.arange(histories.rows)
    matrix[places, places] += np.float32(regularization)
    factor = linalg.cholesky(matrix, lower=True, overwrite_a=True, check_finite=False)
    inverse, _ = linalg.lapack.spotri(factor, lower=True, overwrite_c=True)
    inverse = np.tril(inverse) + np.tril(inverse, -1).T
    weights = np.asarray(-inverse / np.diag(inverse)[None, :], np.float32)
    weights[places, places] = 0.0
    return weights


def rp3beta(histories: Histories, beta: float, neighbours: int) -> tuple[Rows, Floats]:
    """Three steps of a random walk: item, somebody who took it, another of their items.

    W[a, b] = sum over users of both of 1 / (n_a · n_user), divided by n_b^beta.
    """
    taken = matrix_of(histories)
    lengths = np.maximum(np.diff(histories.starts), 1)
    counts = np.maximum(histories.counts(), 1).astype(np.float32)
    walks = sparse.diags_array((1.0 / lengths).astype(np.float32)) @ taken

    def weigh(block: Floats, start: int) -> Floats:
        block *= counts[None, :] ** -beta / counts[start : start + len(block), None]
        return block

    return _by_blocks(taken, walks, weigh, neighbours)


def together(histories: Histories, power: float, neighbours: int) -> tuple[Rows, Floats]:
    """W[a, b] = users who took both / ((n_a · n_b)^power + 10): what people of little history get.

    With power 0 a popular item of the history says more, and popular items are said more of.
    """
    taken = matrix_of(histories)
    scale = np.maximum(histories.counts(), 1).astype(np.float32) ** power

    def weigh(block: Floats, start: int) -> Floats:
        block /= scale[start : start + len(block), None] * scale[None, :] + SHRINK
        return block

    return _by_blocks(taken, taken, weigh, neighbours)


def _by_blocks(
    taken: sparse.csr_array,
    other: sparse.csr_array,
    weigh: Callable[[Floats, int], Floats],
    neighbours: int,
) -> tuple[Rows, Floats]:
    """The strongest of takenᵀ · other, weighed, some rows at a time; no item speaks for itself."""
    columns, tables = taken.tocsc(), []
    size = max(1, CELLS // max(taken.shape[1], 1))
    for start in range(0, taken.shape[1], size):
        block = (columns[:, start : start + size].T @ other).toarray()
        block = weigh(block, start)
        places = np.arange(len(block))
        block[places, places + start] = 0.0
        tables.append(strongest(block.astype(np.float32, copy=False), neighbours))
    return (
        np.concatenate([rows for rows, _ in tables]),
        np.concatenate([weights for _, weights in tables]),
    )


def matrix_of(histories: Histories) -> sparse.csr_array:
    """(users, rows): 1 where somebody took something in."""
    ones = np.ones(len(histories.items), np.float32)
    shape = (histories.users, histories.rows)
    return sparse.csr_array((ones, histories.items, histories.starts), shape=shape)


def strongest(weights: Floats, neighbours: int) -> tuple[Rows, Floats]:
    """Each row's weightiest entries by magnitude, the weightiest first."""
    kept = min(neighbours, weights.shape[1])
    strength = np.abs(weights)
    rows = np.argpartition(-strength, kept - 1, axis=1)[:, :kept]
    order = np.argsort(-np.take_along_axis(strength, rows, axis=1), axis=1, kind="stable")
    rows = np.take_along_axis(rows, order, axis=1)
    values = np.take_along_axis(weights, rows, axis=1)
    rows = np.where(np.abs(values) > SCRATCH, rows, -1)
    return rows.astype(np.int32), values.astype(np.float32)


def recent(histories: Histories, longest: int) -> Histories:
    """The newest `longest` items of each user."""
    lengths = np.diff(histories.starts)
    if not len(lengths) or lengths.max() <= longest:
        return histories
    back: NDArray[np.int64] = np.repeat(histories.starts[1:], lengths) - np.arange(
        len(histories.items)
    )
    starts = np.concatenate([[0], np.cumsum(np.minimum(lengths, longest))]).astype(np.int64)
    return Histories(starts, histories.items[back <= longest], histories.rows)


def _average(histories: Histories, rows: Rows, weights: Floats) -> Floats:
    """(rows,): the mean over users of what their histories give every item."""
    share = histories.counts() / max(int((np.diff(histories.starts) > 0).sum()), 1)
    given = (weights * share[:, None]).ravel()
    held = rows.ravel() >= 0
    out = np.bincount(rows.ravel()[held], given[held], minlength=histories.rows)
    return out.astype(np.float32)
