"""Co-visitation by itself: which of its settings order best what people took next."""

from collections.abc import Collection, Mapping, Sequence

import msgspec
import numpy as np

from palate.arrays import Rows
from palate.catalog.alike import UNKNOWN, Alike
from palate.evaluation.metrics import ndcg
from palate.evaluation.slates import Slates, World
from palate.evaluation.split import Case
from palate.evaluation.tuning.inside import Inside
from palate.evaluation.tuning.search import Point
from palate.features.record import HISTORY, engaged_rows
from palate.models.covisit import READ_LATER, Covisit
from palate.models.covisit_history import SEEN, Acts, counted
from palate.settings import CovisitSettings

GRIDS: Mapping[str, Sequence[float]] = {
    "decay": (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0),
    "beta": (0.0, 0.1, 0.2, 0.3, 0.4, 0.5),
    "alpha": (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.85, 1.0),
    "window": (2, 3, 5, 10, 20, 40),
    "gamma": (0.0, 0.25, 0.5, 0.75, 1.0, 1.5),
    "back": (0.0, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0),
    "half_life_days": (0.0, 7.0, 30.0, 90.0, 180.0, 365.0, 1_000.0),
    "history": (5, 10, 20, 50, 100),
    "content_weight": (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0),
}
CUT = 10


class CovisitJudge:
    """NDCG@10 of the model that serves, folded from the past and asked the questions.

    The mean of two: with everything that people took later, and with the very next event alone.
    The first by itself ends at popularity, which other generators know better.
    """

    def __init__(
        self,
        past: Inside,
        cases: Sequence[Case],
        start: CovisitSettings,
        alike: Alike = UNKNOWN,
        seen_limit: int = SEEN,
    ) -> None:
        self._acts, self._seen_limit = Acts.of(past.batch, past.cut.train), seen_limit
        self._histories = histories(past, cases)
        self._cases, self._start, self._alike = cases, start, alike
        size = int(past.batch.item.max(initial=0)) + 1
        self._servable = np.zeros(size, np.uint8)
        self._servable[: len(past.shown)] = past.shown[:size]
        nothing = np.zeros(size)
        self._world = World(size, 1, nothing, np.zeros((size, 1), np.float32), nothing, 0.0)
        self._held: Covisit | None = None

    def __call__(self, point: Point) -> float:
        settings = settled(self._start, point)
        model = self._model(settings)
        lists = [
            model.score(history, self._servable, case.taken, CUT, self._alike)[0]
            for case, history in zip(self._cases, self._histories, strict=True)
        ]
        later = [case.relevant for case in self._cases]
        both = (later, [relevant[:1] for relevant in later])
        return float(np.mean([ndcg.measure(self._judged(lists, r), CUT).mean() for r in both]))

    def _judged(self, lists: Sequence[Rows], relevant: Sequence[Rows]) -> Slates:
        return Slates.judge(lists, relevant, self._world)

    def _model(self, settings: CovisitSettings) -> Covisit:
        """The counts for these settings: the ones at hand, where they were shaped alike."""
        if self._held is None or _shape(self._held.settings) != _shape(settings):
            self._held = None
            self._held = counted(self._acts, settings, self._seen_limit)
        self._held.settings = settings
        return self._held


def histories(past: Inside, cases: Sequence[Case]) -> list[Rows]:
    """What each who is asked took in and did not turn down later, newest first, as Home sees it."""
    known = past.cut.train.copy()
    for case in cases:
        known[case.extra] = True
    acts = Acts.of(past.batch, known)
    acts = acts.take(np.lexsort((acts.times, acts.users)))
    asked = np.array([case.user for case in cases], np.uint64)
    ends = np.searchsorted(acts.users, asked, side="right")
    starts = np.maximum(np.searchsorted(acts.users, asked), ends - HISTORY)
    parts = (slice(*cut) for cut in zip(starts.tolist(), ends.tolist(), strict=True))
    return [engaged_rows(acts.items[part], acts.signals[part], HISTORY) for part in parts]


def settled(start: CovisitSettings, point: Point) -> CovisitSettings:
    """`start` with the point's values."""
    tree = msgspec.to_builtins(start) | {name: _number(value) for name, value in point.items()}
    return msgspec.convert(tree, CovisitSettings)


def grids(fixed: Collection[str]) -> dict[str, Sequence[float]]:
    """What may be tuned, without the settings that the operator has fixed."""
    return {name: grid for name, grid in GRIDS.items() if name not in fixed}


def _number(value: float) -> float:
    return int(value) if float(value).is_integer() else value


def _shape(settings: CovisitSettings) -> tuple[float, ...]:
    names = (name for name in settings.__struct_fields__ if name not in READ_LATER)
    return tuple(float(getattr(settings, name)) for name in names)
