"""Ratings on any scale, as the stars from 1 to 5 that everything else reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from palate.errors import BadInput, Problem
from palate.events.kinds import DISLIKED_RATING, LIKED_RATING, Event, Kind

LOWEST, HIGHEST = 1.0, 5.0


@dataclass(frozen=True, slots=True)
class Scale:
    """Where a file's ratings begin and end, from the worst to the best."""

    worst: float
    best: float

    @classmethod
    def parsed(cls, text: str) -> Self:
        """Read ``LOW..HIGH``; where small is good, as of school marks, ``6..1``.

        >>> Scale.parsed("1..10").stars(10.0)
        5.0
        """
        ends = text.split("..")
        try:
            worst, best = map(float, ends)
        except ValueError:
            worst = best = 0.0
        if not abs(best - worst) > 0 or abs(best - worst) == float("inf"):
            raise BadInput(f"--scale {text!r}: write LOW..HIGH, two numbers, as in 1..10 or 0..1")
        return cls(worst, best)

    def stars(self, value: float) -> float:
        """A rating on this scale between 1 and 5."""
        return LOWEST + (HIGHEST - LOWEST) * (value - self.worst) / (self.best - self.worst)

    def problems(self, value: float) -> Sequence[Problem]:
        """What is wrong with a rating on this scale."""
        low, high = sorted((self.worst, self.best))
        if low <= value <= high:
            return ()
        return (Problem("/value", f"a rating of {value:g} is not from {low:g} to {high:g}"),)


@dataclass(slots=True)
class Ratings:
    """The range of the ratings of a file that names no scale."""

    low: float = float("inf")
    high: float = float("-inf")
    line: int = 0
    """Of the highest."""

    def add(self, line: int, event: Event) -> None:
        """Look at one event."""
        if event.kind is not Kind.RATING or event.value is None:
            return
        self.low = min(self.low, event.value)
        if event.value > self.high:
            self.high, self.line = event.value, line

    def check(self, file: object) -> None:
        """Refuse a file whose ratings cannot be stars: BadInput."""
        if self.low > self.high or (self.low >= 0 and LOWEST < self.high <= HIGHEST):
            return
        told = f"{self.low:g} to {self.high:g}" if self.low < self.high else f"{self.high:g}"
        low, high = min(self.low, LOWEST if self.high > HIGHEST else 0.0), max(self.high, LOWEST)
        raise BadInput(
            f"{file}: ratings are {told} (line {self.line}), and are read as stars from 1 to 5"
            f" ({LIKED_RATING:g} and more is liked, {DISLIKED_RATING:g} and less is not); say which"
            f" scale they are on, as --scale {low:g}..{high:g}, or --scale 1..5 if these are stars"
        )
