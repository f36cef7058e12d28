"""What the nightly baseline learns: the same implicit ALS that a release has, fitted with care."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from palate.arrays import Floats, Rows
from palate.models.ials import IalsFacts
from palate.training.solved import ials
from palate.training.solved.histories import from_lists
from palate.training.solved.stage import factors

EPOCHS, DIM = 8, 64


@dataclass(slots=True)
class Nightly:
    """Fits the factors; which settings, the first night's held-out last items say."""

    chosen: IalsFacts | None = None
    factors: Sequence[IalsFacts] = ()
    """What is tried; what a release tries, unless it is said."""

    def __call__(self, histories: Sequence[Rows], items: int) -> Callable[[Rows], Floats]:
        if self.chosen is None:
            tried = self.factors or factors(from_lists(histories, items), DIM)
            self.chosen = max(tried, key=lambda facts: self._judged(facts, histories, items))
        return _fitted(self.chosen, histories, items)

    def _judged(self, facts: IalsFacts, histories: Sequence[Rows], items: int) -> float:
        """Share of the last items among the first twenty."""
        score = _fitted(facts, [each[:-1] for each in histories], items)
        hits = []
        for each in histories:
            found = score(each[:-1][::-1]).copy()
            found[each[:-1]] = -np.inf
            hits.append(int(each[-1]) in np.argsort(-found)[:20].tolist())
        return float(np.mean(hits))


def _fitted(facts: IalsFacts, histories: Sequence[Rows], items: int) -> Callable[[Rows], Floats]:
    nothing = np.zeros((items, 64), np.float32)
    model = ials.fit(from_lists(histories, items), nothing, facts, EPOCHS)
    return model.score
