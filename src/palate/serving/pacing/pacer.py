"""One worker's pace: lets requests in, plans what each one gets, learns from how it went."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from math import inf
from time import perf_counter

from palate.errors import Unavailable
from palate.funnel.budget import WHOLE, Plan
from palate.funnel.engine import Funnel
from palate.funnel.types import Answer
from palate.serving.meters import Meters
from palate.serving.pacing.costs import LOWER, Costs
from palate.serving.pacing.gate import Gate
from palate.serving.pacing.quality import Quality
from palate.settings import ServingSettings


@dataclass(slots=True)
class Turn:
    """One request that was let in."""

    pacer: "Pacer"
    surface: str
    came: float
    """When the request came, by the pacer's timer."""
    seconds: float
    """How long it may take from there; infinite without a budget."""
    usual: bool = True
    """Whether it has at least the site's budget, so that it says something of the others."""
    answer: Answer | None = None

    @property
    def left(self) -> float:
        """Seconds that remain; infinite without a budget."""
        return max(self.came + self.seconds - self.pacer.timer(), 0.0)

    def wish(self, budget_ms: float | None) -> None:
        """What a caller asks for in a body, which was not known when the request was let in."""
        if budget_ms is not None:
            self.seconds = budget_ms / 1e3 if budget_ms else inf
            self.usual = self.pacer.usual(self.seconds)

    def part(self, surface: str, share: float) -> "Turn":
        """This `share` of what is left, for the answer of one of several surfaces; starts now."""
        now = self.pacer.timer()
        left = max(self.came + self.seconds - now, 0.0)
        return Turn(self.pacer, surface, now, left * share)

    def learn(self) -> None:
        """What the answer took and brought; for a `part`, which nobody else looks at."""
        if self.answer is not None:
            spent = 1e3 * (self.pacer.timer() - self.came)
            self.pacer.costs.learn(self.surface, self.answer, spent)

    def plan(self, funnel: Funnel) -> Plan:
        """How much of the funnel fits into what is left, of which all who wait get a share."""
        if self.seconds == inf:
            return WHOLE
        pacer, ends = self.pacer, self.came + self.seconds
        left = 1e3 * min(ends - pacer.timer(), pacer.gate.share())
        made = pacer.costs.plan(self.surface, funnel, left, pacer.quality.now)
        spared = pacer.costs.reserve(self.surface) / 1e3 if made.first == "full" else 0.0
        return replace(made, ends=ends - spared, timer=pacer.timer)


class Pacer:
    """Gate, knob and costs of one worker."""

    def __init__(
        self, settings: ServingSettings, meters: Meters, timer: Callable[[], float] = perf_counter
    ) -> None:
        self._budget, self._meters, self.timer = settings.budget_ms, meters, timer
        self.gate = Gate(settings.most_at_once, settings.most_waiting, timer)
        self.quality = Quality(settings.quality_step)
        self.costs = Costs()
        self.answers = 0
        """How many turns ended."""

    @asynccontextmanager
    async def turn(self, surface: str, budget_ms: float | None = None) -> AsyncIterator[Turn]:
        """Let a request in; raises Unavailable where it would be late whatever it got.

        Whose `budget_ms` is less than the site's turns no knob: it says nothing of the others.
        """
        wanted = self._budget if budget_ms is None else budget_ms
        came, seconds = self.timer(), wanted / 1e3 if wanted else inf
        usual = self.usual(seconds)
        try:
            await self.gate.enter(seconds, self.costs.least(surface) / 1e3)
        except Unavailable:
            self._meters.shed()
            if usual:
                self.quality.told(in_time=False)
            raise
        turn, began = Turn(self, surface, came, seconds, usual), self.timer()
        try:
            yield turn
        finally:
            ended = self.timer()
            self.answers += 1
            self.gate.leave(ended - began)
            if turn.answer is not None:
                if turn.usual or turn.answer.step not in LOWER:
                    self.costs.learn(surface, turn.answer, 1e3 * (ended - began))
                if turn.usual:
                    self.quality.told(in_time=ended - came <= turn.seconds)

    def usual(self, seconds: float) -> bool:
        """Whether so long a budget is the site's own, or longer: else it is a caller's wish."""
        return seconds >= (self._budget / 1e3 if self._budget else inf)

    def show(self) -> None:
        """Put knob and gate into the metrics."""
        self._meters.admission(self.quality.now, self.gate.limit.now, self.gate.flying)
