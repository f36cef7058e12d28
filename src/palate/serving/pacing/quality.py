"""The quality knob: how much of the candidates a worker looks at, by how often it was in time."""


class Quality:
    """A factor in [least, 1] that settles where `percentile` % of the answers are in time.

    q += δ on a hit, q -= δ · p / (100 - p) on a miss: at rest the two weigh the same, so it neither
    swings nor sticks.
    """

    def __init__(self, step: float = 0.001, percentile: float = 99.0, least: float = 0.1) -> None:
        self._up, self._down = step, step * percentile / (100.0 - percentile)
        self._least, self.now = least, 1.0

    def told(self, *, in_time: bool) -> None:
        """An answer was in time, or was not."""
        moved = self.now + (self._up if in_time else -self._down)
        self.now = min(max(moved, self._least), 1.0)
