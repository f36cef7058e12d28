"""Whether the propensities on record are how often things happen: pages asked for often."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np

from palate.catalog.fields import moment
from palate.evaluation.simulator.served import Api
from palate.funnel.types import HOUR

ROUNDS = 600
FEW = 5.0
"""Draws of an item that have to be expected before it is judged."""
STEADY = 0.9
"""Share of the pages that have to repeat the one before where all is certain."""

Place = tuple[int, int, int, str]
"""Which page was asked for, in which hour, at which position, which item."""


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
    steady: float
    """Share of the pages on which these places held what they held the time before."""

    @property
    def true(self) -> bool:
        """Within sampling error, at 1 in 1,000."""
        few = max(self.items - 1, 1)
        held = self.chi < 1.0 + 3.3 * (2.0 / few) ** 0.5 + 4.0 / few
        return held and self.certain and self.steady >= STEADY


def propensities(
    api: Api, filters: Sequence[str], tell: Callable[[int, int], None], rounds: int = ROUNDS
) -> Chances:
    """Ask for the same pages again and again, in nobody's name, so that only the draw changes.

    A page is asked for under each of the `filters` in turn: "" for the whole catalogue, and one
    that few items pass makes it short. What was logged of each page is read from its trace. An
    item of probability p has to be drawn so often that the mean of 1/p over its draws, by the
    number of rounds, is 1: that holds whatever else differs between two requests. What is logged
    as certain has to stand there again. What comes by lot stands for an hour, so each is by itself.
    """
    seen = _Seen({}, Counter(), {}, [])
    sure = True
    for turn in range(rounds):
        which = turn % len(filters)
        ask = {"limit": "10"} | ({"filter": filters[which]} if filters[which] else {})
        page = api.call("GET", "/v1/recommendations/home", params=ask)
        trace = api.trace(page["recommendation_id"])
        for entry, told in zip(page["items"], trace["items"], strict=True):
            sure = sure and (entry["explore"] or told["propensity"] == 1.0)
        seen.note((which, int(moment(trace["time"]) // HOUR)), trace["items"])
        tell(turn + 1, rounds)
    return _held(seen, rounds, certain=sure)


class _Seen(NamedTuple):
    """What was on the pages so far."""

    weights: dict[Place, list[float]]
    """One by the logged probability, of each explored place."""
    times: Counter[tuple[int, int]]
    """How often each page was asked for in each hour."""
    last: dict[tuple[int, int], list[Any]]
    steady: list[bool]

    def note(self, page: tuple[int, int], items: Sequence[dict[str, Any]]) -> None:
        explored = [each for each in items if each["explore"]]
        for each in explored:
            at = (*page, each["position"], each["item_id"])
            self.weights.setdefault(at, []).append(1.0 / each["propensity"])
        fixed = [(e["position"], e["item_id"]) for e in items if not e["explore"]]
        if page in self.last:
            self.steady.append(self.last[page] == fixed)
        self.last[page] = fixed
        self.times[page] += 1


def _held(seen: _Seen, rounds: int, *, certain: bool) -> Chances:
    off = []
    for (which, hour, _, _), several in seen.weights.items():
        asked, odds = seen.times[which, hour], float(np.mean(several)) - 1.0
        if asked > FEW * (odds + 1.0):
            off.append((sum(several) / asked - 1.0) / np.sqrt(max(odds, 1e-9) / asked))
    found = np.array(off or [0.0])
    return Chances(
        asked=rounds,
        explored=sum(map(len, seen.weights.values())),
        items=len(off),
        worst=float(np.abs(found).max()),
        chi=float((found**2).mean()),
        certain=certain,
        steady=float(np.mean(seen.steady or [True])),
    )
