"""Quotas: how many of each generator's first candidates have a seat in the pool.

Every generator is asked the questions; seats are then given away a few at a time, each time to the
generator that brings most of what people took *and nobody else has found yet*, for each new
candidate that takes a place: its marginal recall. Nobody gets fewer than a few, for what is new
or unknown cannot show its recall. One half of the questions finds the quotas, the
other says whether they are better than a pool that goes by worth alone.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Floats, Mask, Rows
from palate.evaluation.split import Case
from palate.evaluation.workspace import Workspace
from palate.funnel.engine import Funnel
from palate.funnel.merge import Admission, merge
from palate.funnel.retrieve import Guarded
from palate.funnel.stages import name_of
from palate.funnel.types import Candidates, Query

log = logging.getLogger("palate.evaluation")
STEP = 10
"""The fewest seats of a generator."""
AHEAD = (10, 20, 40)
"""Seats given away at a time: what is best may lie a little deeper."""
SHARES = (0.5, 1.0)
"""How much of the pool may be given away as seats; the rest goes by worth."""
BETTER = 1.01
"""Quotas have to find so many times what worth alone finds; less may be chance."""


@dataclass(frozen=True, slots=True)
class Proposals:
    """What every generator said to every question."""

    names: tuple[str, ...]
    pool: int
    weights: Mapping[str, float]
    """By which the pool is filled where no seats are given."""
    said: Sequence[Sequence[Candidates]]
    """One per question, then one per generator."""
    known: Sequence[float]
    """How much was known of each who asked (`Query.known`)."""
    relevant: Sequence[Rows]

    def recall(self, quotas: dict[str, int]) -> float:
        """Mean share of what was taken that the merged pool holds."""
        admission = Admission(self.weights, quotas)
        shares = [
            np.isin(right, merge(self.names, said, self.pool, known, admission).rows).mean()
            for said, known, right in zip(self.said, self.known, self.relevant, strict=True)
        ]
        return float(np.mean(shares)) if shares else 0.0

    def half(self, odd: int) -> "Proposals":
        """Every other question."""
        mine = slice(odd, None, 2)
        return Proposals(
            self.names,
            self.pool,
            self.weights,
            self.said[mine],
            self.known[mine],
            self.relevant[mine],
        )


@dataclass(frozen=True, slots=True)
class Found:
    """The quotas, and what the other half of the questions says of them."""

    quotas: dict[str, int]
    """Empty where worth alone is as good."""
    before: float
    """Recall of the pool without quotas."""
    after: float
    alone: dict[str, float]
    """Recall of each generator by itself, as deep as the pool."""


def proposals(
    space: Workspace,
    funnel: Funnel,
    cases: Sequence[Case],
    seed: int,
    tell: Callable[[float], None],
) -> Proposals:
    """Ask every generator of a funnel every question."""
    queries = [space.query(case, seed) for case in cases]
    said = asyncio.run(_asked(funnel, queries, tell))
    names = tuple(map(name_of, funnel.generators))
    known = [query.known for query in queries]
    weights = funnel.admission.weights
    return Proposals(names, funnel.pool, weights, said, known, [case.relevant for case in cases])


async def _asked(
    funnel: Funnel, queries: Sequence[Query], tell: Callable[[float], None]
) -> list[list[Candidates]]:
    ask, size, answers = Guarded(log).ask, funnel.stores.columns.size, []
    for done, query in enumerate(queries, start=1):
        answers.append([await ask(each, query, funnel.pool, size) for each in funnel.generators])
        tell(done / len(queries))
    return answers


def tuned(asked: Proposals) -> Found:
    """The best quotas, or none where none is better than none."""
    learning, judging = asked.half(0), asked.half(1)
    before = judging.recall({})
    ways = [seats(learning, share) for share in SHARES]
    after, best = max(((judging.recall(way), at) for at, way in enumerate(ways)), default=(0.0, 0))
    better = after > BETTER * before
    alone = {name: _alone(asked, at) for at, name in enumerate(asked.names)}
    return Found(ways[best] if better else {}, before, max(after, before), alone)


def seats(asked: Proposals, share: float) -> dict[str, int]:
    """Give seats away until they fill this share of the pool, or nobody brings anything new."""
    ranks, weight = _ranks(asked)
    room = share * asked.pool * len(asked.said)
    given = np.full(len(asked.names), STEP)
    seated: Mask = np.asarray(((ranks > 0) & (ranks <= STEP)).any(axis=1))
    while seated.sum() < room:
        worth, best, more = max(
            (_marginal(ranks[:, g], given[g], more, seated, weight), g, more)
            for g in range(len(given))
            for more in AHEAD
        )
        if worth <= 0.0:
            break
        given[best] += more
        seated |= _within(ranks[:, best], 0, int(given[best]))
    return {name: int(n) for name, n in zip(asked.names, given, strict=True)}


def _marginal(
    ranks: NDArray[np.int16], given: int, more: int, seated: Mask, weight: Floats
) -> float:
    """Recall that so many more seats bring for each new candidate."""
    new = _within(ranks, given, given + more) & ~seated
    return float(weight[new].sum()) / max(int(new.sum()), 1)


def _within(ranks: NDArray[np.int16], above: int, upto: int) -> Mask:
    inside: Mask = (ranks > above) & (ranks <= upto)
    return inside


def _ranks(asked: Proposals) -> tuple[NDArray[np.int16], Floats]:
    """(candidates, generators): all questions' pools end to end; and what finding each is worth."""
    pools = [merge(asked.names, said, asked.pool * len(asked.names)) for said in asked.said]
    weights = [
        np.isin(pool.rows, right).astype(np.float32) / len(right)
        for pool, right in zip(pools, asked.relevant, strict=True)
    ]
    return np.concatenate([pool.ranks for pool in pools]), np.concatenate(weights)


def _alone(asked: Proposals, generator: int) -> float:
    shares = [
        np.isin(right, said[generator].rows).mean()
        for said, right in zip(asked.said, asked.relevant, strict=True)
    ]
    return float(np.mean(shares)) if shares else 0.0
