"""Peers: what a team would try first, each with a small grid that is searched inside train.

A peer learns from a `Past` with some settings and gives back a scorer: histories (oldest first) in,
(histories, rows) out. What only changes the reading of a history (`decay`) is not learnt again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import scipy.sparse as sp
from implicit.cpu.als import AlternatingLeastSquares
from scipy.linalg import lapack

from compared.questions import Past
from palate.arrays import Floats, Rows

DAY = 86_400.0
BLOCK = 512
Settings: TypeAlias = Mapping[str, Any]
Scorer: TypeAlias = Callable[[Sequence[Rows], Settings], Floats]


@dataclass(frozen=True, slots=True)
class Peer:
    """A model by name."""

    name: str
    learn: Callable[[Past, Settings], Scorer]
    grid: tuple[Settings, ...] = ({},)
    reading: tuple[Settings, ...] = ({},)
    """Settings of the scorer, tried with every one of `grid`."""
    timed: bool = False
    """True where it means nothing without real times."""

    @property
    def trials(self) -> int:
        """The tuning budget."""
        return len(self.grid) * len(self.reading)


def matrix(histories: Sequence[Rows], size: int, decay: float = 1.0) -> sp.csr_matrix:
    """(histories, size): decay^(items taken since)."""
    ends = np.cumsum([0, *map(len, histories)])
    rows = np.concatenate([*histories, np.empty(0, np.int32)])
    since = np.repeat(ends[1:], np.diff(ends)) - 1 - np.arange(ends[-1])
    weights = np.power(np.float32(decay), since).astype(np.float32)
    return sp.csr_matrix((weights, rows.astype(np.int32), ends), shape=(len(histories), size))


def dense(scores: Any) -> Floats:
    """Whatever a product of matrices gave, as an array."""
    return np.asarray(scores.toarray() if sp.issparse(scores) else scores, np.float32)


def _everybody(scores: Floats) -> Scorer:
    return lambda histories, _: np.repeat(scores[None].astype(np.float32), len(histories), 0)


def popularity(past: Past, settings: Settings) -> Scorer:
    """How many took each item, in the last `days` where given."""
    days = settings.get("days")
    which = past.items if days is None else past.items[past.times >= past.now - days * DAY]
    return _everybody(np.bincount(which, minlength=past.size).astype(np.float32))


def decayed_popularity(past: Past, settings: Settings) -> Scorer:
    """How many took each item, each counting half after every `half_life` days."""
    age = (past.now - past.times) / (settings["half_life"] * DAY)
    counts = np.bincount(past.items, 0.5**age, minlength=past.size)
    return _everybody(counts.astype(np.float32))


def item_knn(past: Past, settings: Settings) -> Scorer:
    """Counts taken together by counts^`power` with shrinkage, the `k` nearest of every candidate.

    With `power` .5 it is the cosine, with 0 plain co-occurrence.
    """
    size, k = past.size, min(settings["k"], past.size)
    taken = matrix(past.histories, size)
    near = (taken.T @ taken).toarray()
    counts = np.maximum(np.diag(near).copy(), 1) ** np.float32(settings["power"])
    np.fill_diagonal(near, 0)
    for start in range(0, size, BLOCK):  # by columns: candidates
        part = near[:, start : start + BLOCK]
        part /= counts[:, None] * counts[None, start : start + BLOCK] + settings["shrink"]
        if k < size:
            part[part < np.partition(part, size - k, axis=0)[size - k][None]] = 0
    weights = sp.csr_matrix(near)
    weights = weights if weights.nnz < size * size / 20 else near
    return lambda histories, how: dense(matrix(histories, size, how["decay"]) @ weights)


def rp3beta(past: Past, settings: Settings) -> Scorer:
    """Three steps of a random walk, popular items held down (Paudel et al. 2017, section 3.2)."""
    taken = matrix(past.histories, past.size)
    lengths = np.maximum(np.diff(taken.indptr), 1)
    counts = np.maximum(np.bincount(taken.indices, minlength=past.size), 1).astype(np.float32)
    walks = sp.diags((1.0 / lengths).astype(np.float32)) @ taken
    weights = sp.diags(1.0 / counts) @ (taken.T @ walks) @ sp.diags(counts ** -settings["beta"])
    weights = sp.csr_matrix(weights, dtype=np.float32)
    weights.setdiag(0)
    ready = weights if weights.nnz < past.size**2 / 20 else weights.toarray()
    return lambda histories, how: dense(matrix(histories, past.size, how["decay"]) @ ready)


def ease(past: Past, settings: Settings) -> Scorer:
    """A linear filter of all items on all items (Steck 2019, eq. 8)."""
    size = past.size
    taken = matrix(past.histories, size)
    gram = np.asfortranarray((taken.T @ taken).toarray().astype(np.float32))
    gram[np.diag_indices(size)] += np.float32(settings["penalty"])
    factor, failed = lapack.spotrf(gram, lower=1, overwrite_a=1)
    inverse, failed = lapack.spotri(factor, lower=1, overwrite_c=1) if not failed else (factor, 1)
    if failed:
        raise ValueError("the Gram matrix cannot be inverted: a larger penalty is needed")
    inverse = np.tril(inverse) + np.tril(inverse, -1).T
    weights = -inverse / np.diag(inverse)[None]
    weights[np.diag_indices(size)] = 0
    ready = np.ascontiguousarray(weights, np.float32)
    return lambda histories, how: dense(matrix(histories, size, how["decay"]) @ ready)


def ease_and_recent(past: Past, settings: Settings) -> Scorer:
    """EASE and recent popularity, each standardised, the latter as its root.

    Recent is what came in the last `days`, or what counts half after every `half_life` days.
    """
    by_taste = ease(past, settings)

    def score(histories: Sequence[Rows], how: Settings) -> Floats:
        counted = decayed_popularity if "half_life" in how else popularity
        recent = np.sqrt(counted(past, how)(histories[:1], {})[0])
        scores = standard(by_taste(histories, {"decay": 1.0}))
        scores += np.float32(how["weight"]) * standard(recent[None])
        return scores

    return score


def standard(scores: Floats) -> Floats:
    """Each list with mean 0 and deviation 1."""
    each: Floats = scores - scores.mean(1, keepdims=True)
    each /= each.std(1, keepdims=True) + np.float32(1e-9)
    return each


def ials(past: Past, settings: Settings) -> Scorer:
    """`implicit`'s alternating least squares; users are folded in from their histories."""
    model = AlternatingLeastSquares(
        factors=settings["dim"],
        alpha=settings["alpha"],
        regularization=settings["penalty"],
        iterations=12,
        random_state=settings.get("seed", 1),
        num_threads=1,
    )
    model.fit(matrix(past.histories, past.size), show_progress=False)
    items = np.asarray(model.item_factors)

    def score(histories: Sequence[Rows], how: Settings) -> Floats:
        rows = matrix(histories, past.size, how["decay"])
        users = model.recalculate_user(np.arange(len(histories)), rows)
        return np.asarray(np.asarray(users) @ items.T, np.float32)

    return score


def grid_of(**choices: Sequence[Any]) -> tuple[Settings, ...]:
    """All combinations."""
    found: list[dict[str, Any]] = [{}]
    for name, values in choices.items():
        found = [{**each, name: value} for each in found for value in values]
    return tuple(found)


DECAYS = grid_of(decay=(1.0, 0.95, 0.8, 0.6))
PEERS = {
    peer.name: peer
    for peer in (
        Peer("popularity", popularity),
        Peer("popularity 30d", lambda p, _: popularity(p, {"days": 30}), timed=True),
        Peer("popularity 7d", lambda p, _: popularity(p, {"days": 7}), timed=True),
        Peer(
            "popularity decayed", decayed_popularity,
            grid_of(half_life=(1, 2, 4, 7, 14, 30, 60, 120)), timed=True,
        ),
        Peer(
            "item-kNN", item_knn, grid_of(k=(100, 300), shrink=(10.0, 100.0), power=(0.5,)), DECAYS,
        ),
        Peer(
            "co-occurrence", item_knn,
            grid_of(k=(10**6,), shrink=(10.0,), power=(0, 0.1, 0.2, 0.35)), DECAYS,
        ),
        Peer("RP3beta", rp3beta, grid_of(beta=(0.0, 0.3, 0.5, 0.7)), DECAYS),
        Peer("EASE", ease, grid_of(penalty=(100.0, 300.0, 1000.0, 3000.0)), DECAYS),
        Peer(
            "EASE + popularity", ease_and_recent, grid_of(penalty=(300.0, 1000.0)),
            grid_of(days=(7, 30), weight=(0.1, 0.3, 1.0, 2.0, 4.0, 8.0)), timed=True,
        ),
        Peer(
            "EASE + decayed popularity", ease_and_recent, grid_of(penalty=(300.0, 1000.0)),
            grid_of(half_life=(2, 7, 30), weight=(0.3, 1.0, 2.0, 4.0)), timed=True,
        ),
        Peer(
            "iALS (implicit)", ials,
            (
                {"dim": 64, "alpha": 1.0, "penalty": 5.0},
                {"dim": 64, "alpha": 10.0, "penalty": 10.0},
                {"dim": 128, "alpha": 10.0, "penalty": 5.0},
                {"dim": 32, "alpha": 1.0, "penalty": 10.0},
            ),
            DECAYS,
        ),
    )
}  # fmt: skip
