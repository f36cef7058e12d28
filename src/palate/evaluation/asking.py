"""Ask one user's question of every model at once: each stage of the funnel is a model too."""

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np

from palate.arrays import Doubles, Floats, Rows
from palate.errors import told_of
from palate.evaluation.baselines import NAMES as BASELINES
from palate.evaluation.overhearing import fuses, grown, said, trees_of
from palate.evaluation.ranking import best
from palate.evaluation.split import Case
from palate.funnel.engine import Funnel
from palate.funnel.retrieve import cleaned
from palate.funnel.stages import Generator, name_of
from palate.funnel.types import Pool, Query
from palate.funnel.worth import BY_LOT
from palate.ranking.fusion import Fusion

DEPTH = 500
"""How deep a generator is asked; also the engine's pool."""
STAGES = ("union", "rrf", "fusion", "lambdamart", "ranker", "funnel")
"""`union` is what retrieval hands to the ranker, in no order that means anything; `rrf` (every
generator's rank counts alike), `fusion`, `lambdamart` (the ranker's trees alone) and `ranker` are
that pool ordered without rules; `funnel` is what the visitor gets."""
log = logging.getLogger("palate.evaluation")
RRF = 60.0
"""Cormack, Clarke and Büttcher's constant."""


def possible(funnel: Funnel) -> tuple[str, ...]:
    """Every model that a release of this site may have, in the order of `Models.names`."""
    return (*BASELINES, *map(name_of, funnel.generators), *STAGES)


@dataclass(frozen=True, slots=True)
class Models:
    """Everything that can answer a question, and which of it is wanted."""

    funnel: Funnel
    """With generators that are `overheard`."""
    fusion: Fusion
    counted: Mapping[str, Doubles]
    """Baselines: scores by item row."""
    wanted: Collection[str]
    """Names to answer for; empty is all."""
    failed: set[str] = field(default_factory=set)
    """Parts that broke in an answer, and are said."""

    @property
    def names(self) -> tuple[str, ...]:
        """Every wanted model, baselines first, then down the funnel."""
        generators = [name_of(each) for each in self.funnel.generators]
        lacking = {"ranker"} if fuses(self.funnel.ranker) else set()
        lacking |= set() if trees_of(self.funnel.ranker) else {"lambdamart"}
        stages = [each for each in STAGES if each not in lacking]
        return tuple(n for n in (*self.counted, *generators, *stages) if self._wants(n))

    async def ask(self, case: Case, query: Query) -> dict[str, Rows]:
        """Each wanted model's list, best first."""
        lists = {
            name: best(scores, case.taken, DEPTH)
            for name, scores in self.counted.items()
            if self._wants(name)
        }
        stages = await self._stages(query) if any(map(self._wants, STAGES)) else {}
        for each in self.funnel.generators:
            if self._wants(name := name_of(each)):
                lists[name] = await self._proposed(each, query, heard=bool(stages))
        return lists | stages

    async def _proposed(self, each: Generator, query: Query, *, heard: bool) -> Rows:
        try:
            found = said(each) if heard else await each.generate(query, DEPTH)
            return cleaned(found, self.funnel.stores.columns.size)[0].rows
        except Exception as error:  # noqa: BLE001  the funnel goes on without it, and so does this
            self._tell({f"generate.{name_of(each)}": told_of(error)})
            return _nothing()

    async def _stages(self, query: Query) -> dict[str, Rows]:
        answer = await self.funnel.answer(query)
        self._tell(answer.trace.skipped)
        pool, ranked = answer.trace.pool, answer.trace.ranked
        found = {
            "union": pool.rows if pool else _nothing(),
            "rrf": _ordered(pool.rows, _reciprocal(pool)) if pool else _nothing(),
            "fusion": self._fused(query, pool) if pool else _nothing(),
            "lambdamart": _ordered(*grown(self.funnel.ranker)),
            "ranker": ranked.rows if ranked else _nothing(),
            "funnel": answer.slate.rows,
        }
        return {name: found[name] for name in self.names if name in found}

    def _tell(self, skipped: Mapping[str, str]) -> None:
        """Say of each part that breaks, once, why its row is missing or poorer for it."""
        for part, why in skipped.items():
            if part not in self.failed and not part.startswith("step."):
                self.failed.add(part)
                row = "ranker" if part.startswith("rank.") else part.rpartition(".")[2]
                log.warning("%s breaks, so the row of %s is poor or missing: %s", part, row, why)

    def _fused(self, query: Query, pool: Pool) -> Rows:
        features = np.empty((len(pool), 0), np.float32)
        return _ordered(pool.rows, self.fusion.score(query, pool, features))

    def _wants(self, name: str) -> bool:
        return not self.wanted or name in self.wanted


def _ordered(rows: Rows, scores: Floats) -> Rows:
    found: Rows = rows[np.lexsort((rows, -scores))]
    return found


def _reciprocal(pool: Pool) -> Floats:
    voices = np.array([name not in BY_LOT for name in pool.generators], np.float32)
    votes: Floats = np.where(pool.ranks > 0, voices / (RRF + pool.ranks), 0.0).sum(axis=1)
    return votes.astype(np.float32)


def _nothing() -> Rows:
    return np.empty(0, np.int32)
