"""Time and chance, handed in: nothing below the edges reads a clock or rolls a die."""

import secrets
import time
from dataclasses import dataclass
from typing import Protocol


class Clock(Protocol):
    """Where `now` and `draw` come from."""

    def now(self) -> float:
        """Seconds since the epoch, UTC."""
        ...

    def draw(self) -> int:
        """A fresh random number in [0, 2**63)."""
        ...


@dataclass(frozen=True, slots=True)
class SystemClock:
    """The machine's clock and its entropy."""

    def now(self) -> float:
        return time.time()

    def draw(self) -> int:
        return secrets.randbits(63)


@dataclass(slots=True)
class FixedClock:
    """A clock that stands where it is put, with draws that count up: tests, replay, evaluation."""

    time: float = 0.0
    next_draw: int = 0

    def now(self) -> float:
        return self.time

    def draw(self) -> int:
        self.next_draw += 1
        return self.next_draw - 1
