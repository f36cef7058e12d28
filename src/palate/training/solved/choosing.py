"""Which of several solved models to take: the one that finds most of what came next."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple, Self, TypeVar

import numpy as np

from palate.arrays import Floats, Rows
from palate.index.exact import best
from palate.training.sequences import Sequences
from palate.training.solved.histories import Histories, from_sequences, later
from palate.training.validation import ndcg

ASKED = 1_000
"""Users asked at most: enough to tell models apart, few enough to take seconds."""
FIRST = 5
"""Of somebody who comes new with the held-out events: so many first items are the history."""
DEEP = 100

M = TypeVar("M")


class Question(NamedTuple):
    """One user at the cut."""

    history: Rows
    """Newest first."""
    relevant: Rows


@dataclass(frozen=True, slots=True)
class Exam:
    """What the events before a cut are learnt from, and questions from those after it."""

    past: Histories
    questions: tuple[Question, ...]

    @classmethod
    def of(cls, sequences: Sequences, rows: int, since: int, until: int, seed: int) -> Self:
        """Cut the log; whoever comes new brings the first few of the later items as history."""
        return cls._cut(sequences, (rows, since, until), seed, new=False)

    @classmethod
    def of_newcomers(
        cls, sequences: Sequences, rows: int, since: int, until: int, seed: int
    ) -> Self:
        """As `of`, but only those are asked who came after the cut."""
        return cls._cut(sequences, (rows, since, until), seed, new=True)

    @classmethod
    def _cut(
        cls, sequences: Sequences, where: tuple[int, int, int], seed: int, *, new: bool
    ) -> Self:
        rows, since, until = where
        past = from_sequences(sequences, rows, since)
        after = later(sequences, rows, since, until)
        asked = np.flatnonzero(np.diff(after.starts))
        if new:
            asked = asked[np.diff(past.starts)[asked] == 0]
        dice = np.random.Generator(np.random.PCG64(seed))
        asked = np.sort(dice.permutation(asked)[:ASKED])
        posed = (_question(past.of(user), after.of(user)) for user in asked.tolist())
        return cls(past, tuple(q for q in posed if len(q.history) and len(q.relevant)))

    def mark(self, score: Callable[[Rows], Floats]) -> float:
        """Mean over users of NDCG@10 and recall@100, half each: the head counts, and the depth."""
        marks = [_mark(score(q.history), q) for q in self.questions]
        return float(np.mean(marks)) if marks else 0.0


def foremost(models: Iterable[tuple[M, float]]) -> tuple[M, float]:
    """The model with the highest mark; the first of equals."""
    return max(models, key=lambda each: each[1])


def _question(before: Rows, after: Rows) -> Question:
    if not len(before):
        before, after = after[:FIRST], after[FIRST:]
    return Question(np.ascontiguousarray(before[::-1]), after)


def _mark(scores: Floats, question: Question) -> float:
    scores = scores.copy()
    scores[question.history] = -np.inf
    rows, _ = best(np.arange(len(scores), dtype=np.int32), scores, DEEP)
    reached = int(np.isin(rows, question.relevant).sum()) / min(len(question.relevant), DEEP)
    return 0.5 * ndcg(rows, question.relevant) + 0.5 * reached
