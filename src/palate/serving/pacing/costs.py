"""What each part of a surface costs and brings, as measured; from that, what fits into a budget.

A generator brings the share of the page that it gave most to; an optional rule the share of the
page that it changed. Where not everything fits, parts come in by what they bring for a millisecond.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from palate.funnel.budget import LATE, UNFIT, Plan
from palate.funnel.engine import Funnel
from palate.funnel.types import Answer, Step

FADE = 0.05
"""How much of a mean the newest answer is."""
AGAIN = 0.98
"""A part that was left out is taken to be so much cheaper each time, until it is tried again."""
BESIDE = ("rule.", "generate.")
RANKED = ("features", "rank")
EACH = 8
"""Of answers that left nothing out, one in so many is looked at."""
UNKNOWN = 2.0
"""The most that the first measurement of a part counts: a cold start is slow in everything."""
UNUSUAL = 4.0
"""How many times the mean counts as much as anything: a process that stood still tells nothing."""
HANGS = 1_000.0
"""What a part that had to be left behind is taken to cost, so that it is not waited for soon."""
LOWER: frozenset[Step] = frozenset({"last_slate", "popular", "static"})
MOST = 2_000
"""Means that are kept; a site has some hundreds."""


class Part(NamedTuple):
    """Something that may be left out."""

    name: str
    cost: float
    worth: float


class Costs:
    """Means by surface and part, in milliseconds; one per worker."""

    def __init__(self) -> None:
        self._cost: dict[tuple[str, str], float] = {}
        self._worth: dict[tuple[str, str], float] = {}
        self._answers = -1

    def least(self, surface: str) -> float:
        """What an answer takes that asks nothing but memory; 0 while unknown."""
        return self._cost.get((surface, "least"), 0.0)

    def plan(self, surface: str, funnel: Funnel, left: float, share: float) -> Plan:
        """What fits into `left` milliseconds, with this `share` of the candidates."""
        known, base = self._cost, self._cost.get((surface, "base"), 0.0)
        ranked = share * sum([known.get((surface, name), 0.0) for name in RANKED])
        if base + ranked + sum([known.get((surface, n), 0.0) for n in funnel.optional]) <= left:
            return Plan(share=share)
        parts = list(self._parts(surface, funnel))
        generators = [part for part in parts if part.name.startswith("generate.")]
        cheapest = min((part.cost for part in generators), default=0.0)
        if base + cheapest > left:
            return Plan(first="last_slate", share=share)
        first: Step = "full" if base + ranked + cheapest <= left else "retrieval"
        spare = left - base - (ranked if first == "full" else 0.0)
        return Plan(first, frozenset(_beyond(parts, spare)), share)

    def reserve(self, surface: str) -> float:
        """Milliseconds that ranking and all behind it take."""
        return sum(self._cost.get((surface, name), 0.0) for name in (*RANKED, "base"))

    def learn(self, surface: str, answer: Answer, whole: float) -> None:
        """Take in what an answer of `whole` milliseconds took and brought."""
        if answer.step in LOWER:
            self._mean(self._cost, (surface, "least"), whole)
            self._forget(surface, ("base", *RANKED))
            return
        self._bound((surface, "least"), whole)
        self._answers += 1
        if self._answers % EACH and not answer.trace.skipped:
            return
        counted = 0.0
        for stage in answer.trace.stages:
            if stage.name.startswith(BESIDE) or stage.name in RANKED:
                self._mean(self._cost, (surface, stage.name), stage.milliseconds)
                counted += stage.milliseconds
        self._mean(self._cost, (surface, "base"), max(whole - counted, 0.0))
        ran = {stage.name for stage in answer.trace.stages}
        self._forget(surface, [name for name in RANKED if name not in ran])
        for name, why in answer.trace.skipped.items():
            if why == UNFIT and (surface, name) in self._cost:
                self._cost[surface, name] *= AGAIN
            if why == LATE and name in ran:
                self._cost[surface, name] = HANGS
        self._credit(surface, answer)

    def _forget(self, surface: str, names: Iterable[str]) -> None:
        """What did not run is taken to be cheaper than it was: no bad hour lasts for ever."""
        for name in names:
            if (surface, name) in self._cost:
                self._cost[surface, name] *= AGAIN

    def _bound(self, place: tuple[str, str], whole: float) -> None:
        """An answer from memory is never dearer than this one, which did more."""
        if self._cost.get(place, 0.0) > whole:
            self._cost[place] = whole

    def _credit(self, surface: str, answer: Answer) -> None:
        page = len(answer.slate)
        if not page:
            return
        given = [f"generate.{reason.generator}" for reason in answer.reasons]
        for stage in answer.trace.stages:
            if stage.name.startswith("generate."):
                share = given.count(stage.name) / page
                self._mean(self._worth, (surface, stage.name), share)
        for name, (before, after) in answer.trace.orders.items():
            changed = float((before[:page] != after[:page]).mean()) if len(after) >= page else 1.0
            self._mean(self._worth, (surface, f"rule.{name}"), changed)

    def _parts(self, surface: str, funnel: Funnel) -> Iterator[Part]:
        for name in funnel.optional:
            place = (surface, name)
            yield Part(name, self._cost.get(place, 0.0), self._worth.get(place, 1.0))

    def _mean(self, held: dict[tuple[str, str], float], place: tuple[str, str], new: float) -> None:
        if place not in held and len(held) >= MOST:
            held.pop(next(iter(held)))
        mean = held.get(place, min(new, UNKNOWN))
        held[place] = mean + FADE * (min(new, UNUSUAL * mean + 1.0) - mean)


def _beyond(parts: list[Part], spare: float) -> Iterator[str]:
    """Names of the parts that do not fit, the best by worth a millisecond having come first."""
    for part in sorted(parts, key=lambda each: -each.worth / max(each.cost, 1e-3)):
        if part.cost <= spare:
            spare -= part.cost
        else:
            yield part.name
