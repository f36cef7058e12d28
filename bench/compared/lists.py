"""From scores to lists, and the search for a peer's settings."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from compared.peers import Peer, Scorer, Settings
from compared.questions import Asked
from palate.arrays import Doubles, Floats, Rows
from palate.evaluation.asking import DEPTH
from palate.evaluation.metrics import ndcg
from palate.evaluation.slates import Slates, World
from palate.evaluation.split import Case

BATCH = 512
CUT = 10


@dataclass(slots=True)
class Found:
    """A peer's answers to the questions of one slice, and what they cost."""

    lists: list[Rows]
    settings: dict[str, Any]
    tuning: float
    """Validation N@10 of the chosen settings."""
    fit_seconds: float
    ask_seconds: float
    seconds: float = 0.0
    """Everything, the search included."""


def best_rows(scores: Floats, limit: int) -> Rows:
    """The `limit` best finite rows of one user; equals by row."""
    limit = min(limit, len(scores))
    floor = np.partition(scores, len(scores) - limit)[len(scores) - limit]
    rows = np.flatnonzero((scores >= floor) & np.isfinite(scores))
    order: Rows = rows[np.argsort(-scores[rows], kind="stable")[:limit]].astype(np.int32)
    return order


def answered(scorer: Scorer, cases: Sequence[Case], how: Settings, limit: int) -> list[Rows]:
    """One list per case: everything but the history, best first."""
    lists = []
    for start in range(0, len(cases), BATCH):
        part = cases[start : start + BATCH]
        scores = np.array(scorer([case.history for case in part], how), np.float32)
        for case, row in zip(part, scores, strict=True):
            row[case.history] = -np.inf
            lists.append(best_rows(row, limit))
    return lists


def mean_ndcg(lists: Sequence[Rows], cases: Sequence[Case], world: World) -> float:
    """N@10 of a slice."""
    judged: Doubles = ndcg.measure(Slates.judge(lists, [c.relevant for c in cases], world), CUT)
    return float(judged.mean()) if len(judged) else 0.0


class Chosen(NamedTuple):
    """Settings for a slice."""

    reached: float
    learnt: Settings
    how: Settings


def searched(peer: Peer, asked: Asked, parts: Sequence[str]) -> Iterator[tuple[str, Found]]:
    """Each slice with settings of its own, chosen inside train, learnt once more, asked once."""
    began = perf_counter()
    for part, chosen in _chosen(peer, asked, parts).items():
        started = perf_counter()
        scorer = peer.learn(asked.test.past, chosen.learnt)
        fitted = perf_counter()
        lists = answered(scorer, asked.test.of(part), chosen.how, DEPTH)
        done = perf_counter()
        costs = fitted - started, done - fitted, done - began
        yield part, Found(lists, {**chosen.learnt, **chosen.how}, chosen.reached, *costs)
        began = perf_counter()


def _chosen(peer: Peer, asked: Asked, parts: Sequence[str]) -> dict[str, Chosen]:
    if peer.trials == 1:
        return {part: Chosen(0.0, peer.grid[0], peer.reading[0]) for part in parts}
    best = {part: Chosen(-1.0, {}, {}) for part in parts}
    for learnt in peer.grid:
        scorer = peer.learn(asked.inner.past, learnt)
        for part in parts:
            cases = asked.inner.of(part)
            for how in peer.reading:
                reached = mean_ndcg(answered(scorer, cases, how, CUT), cases, asked.bench.world)
                if reached > best[part].reached:
                    best[part] = Chosen(reached, learnt, how)
    return best
