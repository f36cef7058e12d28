"""What a generator's rank is worth: one formula for fusion, for the ladder and for reasons."""

from collections.abc import Mapping, Sequence
from math import inf, isinf
from typing import NamedTuple

import numpy as np

from palate.arrays import Floats
from palate.funnel.types import Pool, Query
from palate.models.visits import visit_of

PATIENCE = 10
"""How slowly a rank loses worth: the entry at rank r counts 1 / (PATIENCE + r)."""

SENSIBLE: Mapping[str, float] = {
    "two_tower": 1.2,
    "covisit": 1.0,
    "linear": 0.5,
    "together": 0.3,
    "ials": 0.5,
    "popular": 0.5,
    "popular_in_segment": 0.4,
    "popular_in_region": 0.1,
    "popular_in_genre": 0.3,
    "followed": 0.3,
    "content": 0.3,
    "trending": 0.3,
    "fresh": 0.1,
    "anything": 0.0,
    "eligible": 0.0,
}
"""Before any training: what people did together first, then what everyone does."""

ADMITTED: Mapping[str, float] = {
    **SENSIBLE,
    "ials": 1.0,
    "popular_in_segment": 0.8,
    "two_tower": 0.7,
    "covisit": 0.7,
}
"""By what the pool is filled before any training: depth counts here, where fusion looks at the
head. Training fits others where these are surely better (`training.ranking.moments.admission`)."""

UNNAMED = 0.3
"""Weight of a generator that `credit` does not name, where it names others."""


FROM_HISTORY = frozenset(
    ("two_tower", "covisit", "linear", "ials", "content", "popular_in_genre", "followed")
)
"""Generators that go by what the visitor did; thin histories make them guess."""
FROM_EVERYBODY = frozenset(
    ("popular", "popular_in_segment", "popular_in_region", "trending", "together")
)
"""What goes by everybody, or by everybody who took one of the same: right where little is known."""


BARELY = 0.01
"""A part of a weight that is not worth having."""


BY_LOT = frozenset(("anything", "eligible"))
"""What chance brings: nobody's word, so it neither fills the page nor moves what others propose."""


class Lean(NamedTuple):
    """How thin histories give way to what everybody takes."""

    thin: float
    """Acts at which a history has half of its say."""
    lift: float
    """What everybody's word gains, at most, where there is next to no history."""


FUSED, POOLED = Lean(3.0, 0.5), Lean(5.0, 1.0)
"""Chosen on splits inside the training events; a pool may lean further than a page."""


def leaning(names: Sequence[str], known: float, lean: Lean) -> Floats:
    """(generators,): how much each one's weight counts, by how many acts are `known`.

    A history has its say (`_say`), and what everybody takes gains in return.
    """
    say = _say(known, lean)
    factors = {
        **dict.fromkeys(FROM_HISTORY, say),
        **dict.fromkeys(FROM_EVERYBODY, 1.0 + lean.lift * (1.0 - say)),
    }
    return np.array([factors.get(name, 1.0) for name in names], np.float32)


def worth(pool: Pool, credit: Mapping[str, float], known: float = inf, visit: str = "") -> Floats:
    """(n, generators): weight / (PATIENCE + rank), 0 where the generator did not find the item.

    Reciprocal rank fusion (Cormack, Clarke, Büttcher 2009) with weights, those of `weights_of`.
    """
    weights = weights_of(pool.generators, credit, known, visit)
    found: Floats = np.where(pool.ranks > 0, weights / (PATIENCE + pool.ranks), np.float32(0))
    return found.astype(np.float32, copy=False)


def heard(query: Query) -> tuple[float, str]:
    """How many acts are known of the visitor, and the kind of visit: what weights go by."""
    return query.known, visit_of(query.known, query.idle)


def weights_of(
    generators: Sequence[str], credit: Mapping[str, float], known: float = inf, visit: str = ""
) -> Floats:
    """(generators,): what each one weighs to this visitor: pages and reasons go by it.

    A weight named ``visit/generator`` stands before the generator's own in that kind of visit;
    without `credit` every generator weighs 1. Weights lean by how much is `known` of the visitor
    (`leaning`), and a stranger hears what everybody takes, whatever weights were found for people
    with a history (`_for_strangers`).

    >>> weights_of(("covisit", "popular"), {"covisit": 1.0, "newcomer/covisit": 0.5}, 3, "newcomer")
    array([0.25 , 0.375], dtype=float32)
    """
    return _leant(_named(generators, credit, visit), generators, known)


def credits_of(
    generators: Sequence[str], credit: Mapping[str, float], known: float = inf, visit: str = ""
) -> Floats:
    """(generators,): what each one weighs as a reason.

    As it does in the order (`weights_of`), but a history's word counts in full from the first act
    on: how little one click says makes it weigh less, and it is still why the page moved. Whom
    somebody follows is said, not guessed.
    """
    full = _named(generators, credit, visit)
    own = [name == "followed" or (name in FROM_HISTORY and known > 0.0) for name in generators]
    told: Floats = np.where(own, full, _leant(full, generators, known))
    return told


def _named(generators: Sequence[str], credit: Mapping[str, float], visit: str) -> Floats:
    """(generators,): the weights as they are given."""
    unnamed = UNNAMED if credit else 1.0
    own = [credit.get(f"{visit}/{n}", credit.get(n, unnamed)) for n in generators]
    return np.array(own, np.float32)


def _leant(weights: Floats, generators: Sequence[str], known: float) -> Floats:
    """The same to a visitor of so many acts."""
    if isinf(known):
        return weights
    leant: Floats = weights * leaning(generators, known, FUSED)
    found: Floats = np.maximum(leant, _for_strangers(generators, known))
    return found


def _say(known: float, lean: Lean) -> float:
    """The part of its say that a history has: n / (n + thin) of n acts."""
    return 1.0 if isinf(known) else known / (known + lean.thin)


def _for_strangers(generators: Sequence[str], known: float) -> Floats:
    """(generators,): the least weights of what everybody takes.

    Moments of the past are of people who did something, so weights that were fitted on them may be
    0 for all that does not go by a history, and then a stranger's page is in no order at all. The
    sensible weight holds where nothing is known, a sixteenth of it at 9 acts, nothing of it later.
    Where nothing goes by a history anyway, weights mean what they say to everybody.
    """
    unknown = (1.0 - _say(known, FUSED)) ** 2
    if unknown < BARELY or FROM_HISTORY.isdisjoint(generators):
        return np.zeros(len(generators), np.float32)
    everybody = [SENSIBLE[name] if name in FROM_EVERYBODY else 0.0 for name in generators]
    return np.array(everybody, np.float32) * np.float32(unknown)
