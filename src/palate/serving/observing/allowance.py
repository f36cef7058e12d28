"""So many a second, and a stock for sudden use: what may be done often, but not always."""


class Allowance:
    """A token bucket that begins full."""

    def __init__(self, per_second: float, most: float) -> None:
        self._rate, self._most, self._left = per_second, most, most
        self._when: float | None = None

    def take(self, now: float) -> bool:
        """Whether one more is allowed at `now` (seconds; a clock that falls back adds nothing)."""
        waited = 0.0 if self._when is None else max(now - self._when, 0.0)
        self._when = now
        self._left = min(self._left + waited * self._rate, self._most)
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True
