"""From lists to the report's rows: every metric, for every model, on every slice of the users."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from palate.arrays import Mask, Rows
from palate.evaluation.bootstrap import interval
from palate.evaluation.metrics import discover, ndcg, recall
from palate.evaluation.report import Row, Value
from palate.evaluation.slates import Slates, World
from palate.evaluation.split import Case

CUT = 10
DEEP = 500
"""Where retrieval is judged, beside a tenth of the catalogue (500 of 1,682 is nearly a third)."""
SHORT = frozenset({"funnel"})
"""A page is too short to be judged as retrieval."""
PARTS = ("warm", "cold", "all")


@dataclass(frozen=True, slots=True)
class Bench:
    """The questions that were asked and what is known of the items."""

    cases: Sequence[Case]
    world: World
    seed: int

    def rows(self, model: str, lists: Sequence[Rows]) -> Iterator[Row]:
        """One row per slice that has users; `lists` are aligned with the cases."""
        later = Slates.judge(lists, [case.relevant for case in self.cases], self.world)
        first = Slates.judge(lists, [case.relevant[:1] for case in self.cases], self.world)
        for part in PARTS:
            which = self._within(part)
            if which.any():
                head: Row = {"model": model, "slice": part, "users": int(which.sum())}
                row = head | self._measured(later.take(which)) | _next(first.take(which))
                yield row if model in SHORT else row | self._retrieved(later.take(which))

    def _within(self, part: str) -> Mask:
        return np.array([part in (case.part, "all") for case in self.cases], np.bool_)

    def _measured(self, slates: Slates) -> dict[str, Value]:
        found: dict[str, Value] = {
            f"{name}@{CUT}": float(measure(slates, CUT).mean())
            for name, measure in discover().items()
        }
        found[f"ndcg@{CUT}_interval"] = interval(ndcg.measure(slates, CUT), self.seed)
        return found

    def _retrieved(self, slates: Slates) -> dict[str, Value]:
        tenth = max(self.world.candidates // 10, 1)
        return {
            f"recall@{DEEP}": float(recall.measure(slates, DEEP).mean()),
            "recall@10%": float(recall.measure(slates, tenth).mean()),
        }


def _next(slates: Slates) -> dict[str, Value]:
    """Only the very next event counts as right."""
    return {
        f"next_recall@{CUT}": float(recall.measure(slates, CUT).mean()),
        f"next_ndcg@{CUT}": float(ndcg.measure(slates, CUT).mean()),
    }
