"""A worker keeps its answers in time: what does not fit is left out, the rest waits."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from palate.errors import Unavailable
from palate.funnel.budget import UNFIT, Plan
from palate.funnel.engine import Funnel
from palate.funnel.types import Answer, Reason, Slate, StageTrace, Trace
from palate.serving.meters import Meters
from palate.serving.pacing.costs import EACH, Costs
from palate.serving.pacing.gate import Gate
from palate.serving.pacing.pacer import Pacer
from palate.serving.pacing.quality import Quality
from palate.settings import ServingSettings

GENERATORS = {"near": (1.0, 0.6), "wide": (1.5, 0.1), "news": (0.5, 0.2)}
"""Milliseconds, and the share of the page that each one gives."""
OPTIONAL = tuple(f"generate.{name}" for name in GENERATORS)
FUNNEL = cast("Funnel", SimpleNamespace(optional=OPTIONAL))
BESIDE, RANK, LEAST = 0.5, 1.5, 0.4


def answer(plan: Plan) -> tuple[Answer, float]:
    """What a funnel of these costs would answer, and in how many milliseconds."""
    if plan.first not in {"full", "retrieval"}:
        return Answer(Slate.none(), (), "static", Trace()), LEAST
    ran = [name for name in GENERATORS if f"generate.{name}" not in plan.without]
    stages = [
        StageTrace(f"generate.{name}", 0, 10, GENERATORS[name][0] * plan.share) for name in ran
    ]
    if plan.first == "full":
        stages.append(StageTrace("rank", 10, 10, RANK * plan.share))
    shares = [round(20 * GENERATORS[name][1]) for name in ran]
    givers = [n for n, times in zip(ran, shares, strict=True) for _ in range(times)]
    rows = np.arange(len(givers), dtype=np.int32)
    slate = Slate(rows, np.ones(len(givers), np.float32))
    trace = Trace(stages=stages, skipped=dict.fromkeys(plan.without, UNFIT))
    reasons = tuple(Reason("popular", generator=name) for name in givers)
    spent = BESIDE + sum(stage.milliseconds for stage in stages)
    return Answer(slate, reasons, plan.first, trace), spent


def learnt() -> Costs:
    costs = Costs()
    for _ in range(20 * EACH):
        costs.learn("home", *answer(Plan()))
    costs.learn("home", *answer(Plan(first="static")))
    return costs


def test_what_fits_is_all_of_it() -> None:
    assert learnt().plan("home", FUNNEL, 6.0, 1.0) == Plan()


def test_what_brings_little_for_its_time_goes_first() -> None:
    plan = learnt().plan("home", FUNNEL, 4.0, 1.0)
    assert (plan.first, plan.without) == ("full", {"generate.wide"})
    plan = learnt().plan("home", FUNNEL, 3.2, 1.0)
    assert (plan.first, plan.without) == ("full", {"generate.wide", "generate.news"})


def test_without_time_for_the_ranker_retrieval_answers_then_memory() -> None:
    assert learnt().plan("home", FUNNEL, 2.6, 1.0).first == "full"
    assert learnt().plan("home", FUNNEL, 1.9, 1.0).first == "retrieval"
    assert learnt().plan("home", FUNNEL, 0.7, 1.0).first == "last_slate"
    assert learnt().least("home") == pytest.approx(LEAST)


def test_a_part_that_was_left_out_gets_its_chance_again() -> None:
    costs, tries = learnt(), 0
    while (plan := costs.plan("home", FUNNEL, 4.2, 1.0)).without:
        costs.learn("home", *answer(plan))
        tries += 1
        assert tries < 200
    assert tries > 10


def test_a_bad_hour_is_forgotten() -> None:
    """A machine that was taken away for a while: the surface comes back by itself."""
    costs = learnt()
    for _ in range(100 * EACH):
        made, spent = answer(costs.plan("home", FUNNEL, 6.0, 1.0))
        costs.learn("home", made, 50.0 * spent)
    assert costs.plan("home", FUNNEL, 6.0, 1.0).first == "last_slate"
    tries = 0
    while costs.plan("home", FUNNEL, 6.0, 1.0) != Plan():
        costs.learn("home", *answer(costs.plan("home", FUNNEL, 6.0, 1.0)))
        tries += 1
        assert tries < 1_000
    assert tries > 10


def test_a_cold_start_says_nothing_of_the_rest() -> None:
    costs = Costs()
    made, spent = answer(Plan())
    for slow in (500.0, 20.0, 1.0):
        costs.learn("home", made, slow * spent)
    assert costs.plan("home", FUNNEL, 50.0, 1.0) == Plan()


def test_the_knob_rests_where_one_in_a_hundred_is_late() -> None:
    knob = Quality(step=0.001)
    for n in range(50_000):
        knob.told(in_time=n % 100 != 0)
    assert 0.85 < knob.now <= 1.0
    for _ in range(3):
        knob.told(in_time=False)
    low = knob.now
    assert low < 0.8
    for n in range(5_000):
        knob.told(in_time=n % 50 != 0)  # twice as often late: it falls to the least
    assert knob.now < low


class Warped(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to whatever comes next: a minute takes no time."""

    def __init__(self) -> None:
        super().__init__()
        self._warp = 0.0
        self._selector.select = self._jump  # type: ignore[method-assign]

    def time(self) -> float:
        return self._warp

    def _jump(self, timeout: float | None = None) -> list[Any]:
        self._warp += timeout or 0.0
        return []


@pytest.fixture
def loop() -> Iterator[Warped]:
    made = Warped()
    yield made
    made.close()


class Worker:
    """One core that answers through a pacer."""

    def __init__(self, loop: Warped, **settings: Any) -> None:
        self.loop, self.core = loop, asyncio.Lock()
        self.pacer = Pacer(ServingSettings(**settings), Meters(), loop.time)
        self.seen: list[tuple[float, str, float]] = []
        """When it came, how it was answered, seconds until then."""
        self.knob: list[tuple[float, float]] = []

    async def ask(self) -> None:
        came = self.loop.time()
        try:
            async with self.pacer.turn("home") as turn:
                async with self.core:
                    plan = turn.plan(FUNNEL)
                    made, spent = answer(plan)
                    await asyncio.sleep(spent / 1e3)
                turn.answer = made
                told = made.step if not plan.without else "less"
        except Unavailable:
            told = "shed"
        self.seen.append((came, told, self.loop.time() - came))
        self.knob.append((self.loop.time(), self.pacer.quality.now))

    async def load(self, *parts: tuple[float, float]) -> None:
        """So many a second, for so many seconds, part after part."""
        dice, asked = np.random.Generator(np.random.PCG64(5)), []
        for rate, seconds in parts:
            until = self.loop.time() + seconds
            while self.loop.time() < until:
                await asyncio.sleep(float(dice.exponential(1.0 / rate)))
                asked.append(asyncio.ensure_future(self.ask()))
        await asyncio.gather(*asked)

    def told(self, since: float, until: float) -> Counter[str]:
        return Counter(told for came, told, _ in self.seen if since <= came < until)


def test_a_burst_of_ten_times_is_answered_in_time_and_forgotten(loop: Warped) -> None:
    worker = Worker(loop)
    loop.run_until_complete(worker.load((80.0, 10.0), (800.0, 5.0), (80.0, 45.0)))
    assert set(worker.told(1.0, 10.0)) == {"full"}
    burst = worker.told(10.0, 15.0)
    assert burst["shed"] < 0.05 * burst.total()
    assert burst["full"] < 0.9 * burst.total()
    late = sum(spent > 0.051 for _, told, spent in worker.seen if told != "shed")
    assert late < 0.01 * len(worker.seen)
    assert worker.told(16.0, 60.0)["shed"] == 0
    assert set(worker.told(40.0, 60.0)) == {"full"}
    # back without swinging: after the burst the knob only rises
    after = [value for when, value in worker.knob if when > 17.0]
    assert all(b >= a for a, b in pairwise(after))
    assert worker.pacer.quality.now == 1.0


def test_a_storm_is_shed_and_the_rest_is_in_time(loop: Warped) -> None:
    worker = Worker(loop)
    loop.run_until_complete(worker.load((80.0, 3.0), (8_000.0, 2.0), (80.0, 20.0)))
    storm = worker.told(3.0, 5.0)
    assert storm["shed"] > 0
    assert storm.total() - storm["shed"] > 2_000  # the core was not idle for a moment
    assert max(spent for _, told, spent in worker.seen if told == "shed") < 0.055
    assert worker.told(6.0, 25.0)["shed"] == 0


def test_who_leaves_the_queue_gives_the_turn_on(loop: Warped) -> None:
    async def scene() -> None:
        gate = Gate(1, 10, loop.time)
        gate.limit.now = 1.0
        await gate.enter()
        first, second = (asyncio.ensure_future(gate.enter()) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.sleep(0)
        assert gate.waiting == 1
        gate.leave(0.01)
        assert await second >= 0.0
        gate.leave(0.01)
        assert (gate.flying, gate.waiting) == (0, 0)

    loop.run_until_complete(scene())


def test_a_full_queue_turns_away(loop: Warped) -> None:
    async def scene() -> None:
        gate = Gate(1, 2, loop.time)
        gate.limit.now = 1.0
        await gate.enter()
        held = [asyncio.ensure_future(gate.enter()) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(Unavailable):
            await gate.enter()
        for each in held:
            each.cancel()
        await asyncio.sleep(0)

    loop.run_until_complete(scene())


def test_a_hurried_caller_turns_no_knob_for_others(loop: Warped) -> None:
    pacer = Pacer(ServingSettings(), Meters(), loop.time)

    async def ask(budget: float | None) -> None:
        async with pacer.turn("home", budget) as turn:
            made, spent = answer(turn.plan(FUNNEL))
            await asyncio.sleep(spent / 1e3)
            turn.answer = made

    async def crowd(budget: float | None) -> None:
        for _ in range(200):
            await ask(budget)

    loop.run_until_complete(crowd(None))
    reserve = pacer.costs.reserve("home")
    loop.run_until_complete(crowd(0.1))
    assert pacer.quality.now == 1.0
    assert pacer.costs.reserve("home") == pytest.approx(reserve, rel=0.05)
