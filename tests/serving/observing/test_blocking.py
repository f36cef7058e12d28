"""What keeps the event loop is told by name, and what is the funnel's is told apart."""

import asyncio
from collections import Counter
from collections.abc import Coroutine
from time import sleep
from typing import Any

from palate.serving.observing import blocking
from palate.serving.observing.blocking import blocks_told, name_of

LONG = 0.004


def told_of(work: Coroutine[Any, Any, None], answers: list[int]) -> Counter[str]:
    told: Counter[str] = Counter()

    def note(what: str, seconds: float) -> None:
        assert seconds > blocking.LONG
        told[what] += 1

    with blocks_told(note, lambda: len(answers)):
        asyncio.run(work)
    return told


def block() -> None:
    sleep(LONG)


async def slow() -> None:
    await asyncio.sleep(0)
    block()


async def quick() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def test_only_what_takes_long_is_told_by_its_name() -> None:
    async def work() -> None:
        asyncio.get_running_loop().call_soon(block)
        await asyncio.gather(*(asyncio.create_task(each()) for each in (slow, quick, slow)))

    told = told_of(work(), [])
    assert told["slow"] == 2
    assert told["block"] == 1
    assert "quick" not in told


def test_a_stretch_in_which_an_answer_was_made_is_the_funnels() -> None:
    answers: list[int] = []

    async def work() -> None:
        await asyncio.sleep(0)
        block()
        answers.append(1)
        await asyncio.sleep(0)
        block()

    told = told_of(work(), answers)
    assert told[blocking.FUNNEL] == 1
    assert sum(told.values()) - told[blocking.FUNNEL] >= 1


def test_a_request_is_known_by_the_servers_coroutine_and_the_funnel_by_its_file() -> None:
    names: list[str] = []

    async def named(work: Coroutine[Any, Any, None]) -> None:
        run = asyncio.Handle._run

        def look(handle: asyncio.Handle) -> None:
            names.append(name_of(handle))
            run(handle)

        asyncio.Handle._run = look  # type: ignore[method-assign]
        try:
            await asyncio.create_task(work)
        finally:
            asyncio.Handle._run = run  # type: ignore[method-assign]

    async def future_watcher() -> None:
        await asyncio.sleep(0)

    asyncio.run(named(future_watcher()))
    assert blocking.REQUEST in names
    code = compile("async def part(): pass", "/x/palate/funnel/retrieve.py", "exec")
    space: dict[str, Any] = {}
    exec(code, space)  # noqa: S102  a coroutine from another file
    asyncio.run(named(space["part"]()))
    assert blocking.FUNNEL in names


def test_nothing_is_left_behind() -> None:
    before = asyncio.Handle._run
    with blocks_told(lambda *_: None, int):
        assert asyncio.Handle._run is not before
    assert asyncio.Handle._run is before
