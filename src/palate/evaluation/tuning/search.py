"""A small search: one setting at a time, a step up or down its grid, as long as that helps.

Nothing in it is drawn by lot. A run that was interrupted takes the same way again, and whatever the
journal holds need not be tried a second time.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

Point: TypeAlias = Mapping[str, float]
"""A value for every setting."""
Judge: TypeAlias = Callable[[Point], float]
"""How good the settings are on validation; more is better."""


@dataclass(slots=True)
class Search:
    """Tries at most `budget` points; `grids` are the values to choose from, in order."""

    grids: Mapping[str, Sequence[float]]
    judge: Judge
    budget: int
    _tried: dict[tuple[float, ...], float] = field(init=False, default_factory=dict)

    def run(self, start: Point) -> tuple[dict[str, float], float, int]:
        """The best point found from `start` on, its score, and how many points were tried."""
        best = dict(start)
        score = self._score(best)
        improved = True
        while improved and not self._spent:
            improved = False
            for name in self.grids:
                for step in (1, -1):
                    while (there := self._beside(best, name, step)) is not None:
                        found = self._score(there)
                        if found <= score:
                            break
                        best, score, improved = there, found, True
        return best, score, len(self._tried)

    @property
    def _spent(self) -> bool:
        return len(self._tried) >= self.budget

    def _score(self, point: Point) -> float:
        key = tuple(float(value) for value in point.values())
        if key not in self._tried:
            self._tried[key] = self.judge(point)
        return self._tried[key]

    def _beside(self, point: Point, name: str, step: int) -> dict[str, float] | None:
        """The next point along one grid; None at its end, or when the budget is spent."""
        if self._spent:
            return None
        return next(self._further(point, name, step), None)

    def _further(self, point: Point, name: str, step: int) -> Iterator[dict[str, float]]:
        here, grid = point[name], self.grids[name]
        for value in grid if step > 0 else reversed(grid):
            if (value - here) * step > 0:
                yield {**point, name: value}
