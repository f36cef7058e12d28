"""Whether the propensities on record are how often things happen: one page, asked for often."""

from collections.abc import Callable

import msgspec
import numpy as np

from palate.evaluation.simulator.served import Api

ROUNDS = 600
FEW = 5.0
"""Draws of an item that have to be expected before it is judged."""


class Chances(msgspec.Struct, frozen=True, kw_only=True):
    """Logged probabilities beside counted ones."""

    asked: int
    explored: int
    """Places that exploration filled."""
    items: int
    """Different items in them."""
    worst: float
    """The largest deviation of a count from what was logged, in standard deviations."""
    chi: float
    """Sum of squared deviations by their number: about 1 where all is true."""
    certain: bool
    """All other places were logged as certain."""

    @property
    def true(self) -> bool:
        """Within sampling error, at 1 in 1,000."""
        few = max(self.items - 1, 1)
        held = self.chi < 1.0 + 3.3 * (2.0 / few) ** 0.5 + 4.0 / few
        return held and self.certain


def propensities(
    api: Api, among: str, tell: Callable[[int, int], None], rounds: int = ROUNDS
) -> Chances:
    """Ask for the same page again and again, in nobody's name, so that only the draw changes.

    The filter `among` keeps the pool small and the same. What was logged of each page is read from
    its trace. An item of probability p has to be drawn so often that the mean of 1/p over its
    draws, by the number of rounds, is 1: that holds whatever else differs between two requests.
    """
    weights: dict[tuple[int, str], list[float]] = {}
    sure = True
    for turn in range(rounds):
        ask = {"limit": "10", "filter": among}
        page = api.call("GET", "/v1/recommendations/home", params=ask)
        trace = api.trace(page["recommendation_id"])
        for entry, told in zip(page["items"], trace["items"], strict=True):
            if entry["explore"]:
                at = (entry["position"], entry["item_id"])
                weights.setdefault(at, []).append(1.0 / told["propensity"])
            else:
                sure = sure and told["propensity"] == 1.0
        tell(turn + 1, rounds)
    return _held(weights, rounds, certain=sure)


def _held(weights: dict[tuple[int, str], list[float]], rounds: int, *, certain: bool) -> Chances:
    off = []
    for several in weights.values():
        odds = float(np.mean(several)) - 1.0
        if rounds > FEW * (odds + 1.0):
            off.append((sum(several) / rounds - 1.0) / np.sqrt(max(odds, 1e-9) / rounds))
    found = np.array(off or [0.0])
    return Chances(
        asked=rounds,
        explored=sum(map(len, weights.values())),
        items=len(off),
        worst=float(np.abs(found).max()),
        chi=float((found**2).mean()),
        certain=certain,
    )
