"""A funnel holds the event loop while it works: who comes meanwhile is noticed all the same."""

import asyncio
from collections import Counter

import pytest
from tests.serving.pacing.test_pacing import FUNNEL, LEAST, answer

from palate.errors import Unavailable
from palate.funnel.budget import Plan
from palate.funnel.types import Answer
from palate.serving.meters import Meters
from palate.serving.pacing.gate import Gate
from palate.serving.pacing.pacer import Pacer
from palate.settings import ServingSettings


class Core:
    """A worker whose answers never wait, by a clock that only they move."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pacer = Pacer(ServingSettings(), Meters(), lambda: self.now)
        self.told: list[str] = []
        self.spent: list[float] = []

    async def ask(self, came: float) -> None:
        try:
            async with self.pacer.turn("home") as turn:
                made, spent = answer(turn.plan(FUNNEL))
                self.now += spent / 1e3
                turn.answer = made
            self.told.append(made.step)
        except Unavailable:
            self.told.append("shed")
        self.spent.append(self.now - came)

    async def crowd(self, size: int) -> Counter[str]:
        """So many at once; how they were answered."""
        before = len(self.told)
        await asyncio.gather(*(self.ask(self.now) for _ in range(size)))
        return Counter(self.told[before:])

    async def learn(self) -> None:
        """What parts cost, and an answer from memory."""
        for _ in range(200):
            await self.ask(self.now)
        self.pacer.costs.learn("home", *answer_from_memory())


def answer_from_memory() -> tuple[Answer, float]:
    """And its milliseconds."""
    return answer(Plan(first="static"))


@pytest.fixture
def core() -> Core:
    made = Core()
    asyncio.run(made.learn())
    return made


def test_a_few_get_all_of_it(core: Core) -> None:
    assert asyncio.run(core.crowd(5)) == {"full": 5}


def test_a_crowd_is_answered_in_time_with_less(core: Core) -> None:
    """Twice as many as could have the whole funnel: nobody is turned away, nobody is late."""
    before = len(core.spent)
    told = asyncio.run(core.crowd(24))
    assert told["shed"] == 0
    assert max(core.spent[before:]) <= 0.05 + 1e-9


def test_only_who_would_be_late_with_anything_is_turned_away(core: Core) -> None:
    most = int(50.0 / LEAST)
    told = asyncio.run(core.crowd(3 * most))
    assert 0 < told["shed"] <= 3 * most - 0.7 * most


def test_whoever_comes_while_one_is_answered_comes_before_the_next_answer() -> None:
    order: list[str] = []

    async def scene() -> None:
        gate = Gate(4, 10, lambda: 0.0)

        async def one(name: str) -> None:
            order.append(f"{name} came")
            await gate.enter()
            order.append(f"{name} ran")
            if name == "a":  # as a server's thread brings another request meanwhile
                asyncio.get_running_loop().call_soon_threadsafe(order.append, "c came")
            gate.leave(0.01)

        await asyncio.gather(one("a"), one("b"))

    asyncio.run(scene())
    assert order.index("a ran") < order.index("c came") < order.index("b ran")


def test_who_waits_does_not_wait_for_ever_where_a_turn_never_comes() -> None:
    async def scene() -> None:
        gate = Gate(1, 10, asyncio.get_running_loop().time)
        gate.limit.now = 1.0
        await gate.enter()
        with pytest.raises(Unavailable):
            await gate.enter(0.02)
        assert gate.waiting == 0

    asyncio.run(scene())


def test_an_answer_from_memory_is_not_dearer_than_a_whole_one(core: Core) -> None:
    for _ in range(50):
        core.pacer.costs.learn("home", answer_from_memory()[0], 300.0)
    assert core.pacer.costs.least("home") > 50.0
    asyncio.run(core.ask(core.now))
    assert core.pacer.costs.least("home") < 10.0
