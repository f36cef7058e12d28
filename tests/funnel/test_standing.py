"""Who asks after the moment has passed is not made to wait for the new answer."""

import asyncio
import threading

import pytest

from palate.funnel.standing import Standing


def test_the_old_answer_serves_while_the_new_one_is_found() -> None:
    async def story() -> None:
        held, go = Standing[str](4, 60.0), threading.Event()

        def slow() -> str:
            go.wait(10)
            return "new"

        assert await held.of("q", 1, 10.0, lambda: "old") == "old"
        assert await held.of("q", 2, 20.0, slow) == "old"
        assert await held.of("q", 2, 20.0, slow) == "old", "it is sought once, and nobody waits"
        go.set()
        await asyncio.get_running_loop().shutdown_default_executor()
        assert await held.of("q", 2, 20.0, lambda: "never asked") == "new"

    asyncio.run(story())


def test_what_fails_is_told_to_who_asks_first_and_sought_again() -> None:
    async def story() -> None:
        held = Standing[int](4, 60.0)
        with pytest.raises(ZeroDivisionError):
            await held.of("q", 1, 10.0, lambda: 1 // 0)
        assert await held.of("q", 1, 10.0, lambda: 7) == 7

    asyncio.run(story())


def test_only_so_many_answers_are_kept() -> None:
    async def story() -> None:
        held = Standing[int](3, 60.0)
        for question in range(50):
            assert await held.of(question, 1, 10.0, lambda question=question: question) == question
            assert len(held._held) <= 3

    asyncio.run(story())


def test_an_answer_that_is_too_old_is_waited_for_and_a_young_one_is_not_sought_again() -> None:
    async def story() -> None:
        held = Standing[str](4, patience=5.0, rest=1.0)
        assert await held.of("q", 1, 10.0, lambda: "old") == "old"
        assert await held.of("q", 2, 10.5, lambda: "too soon") == "old"
        assert not held._sought
        assert await held.of("q", 2, 16.0, lambda: "new") == "new"

    asyncio.run(story())


def test_many_who_ask_first_at_once_are_told_what_one_found() -> None:
    async def story() -> None:
        held, go, found = Standing[str](4, 60.0), threading.Event(), []

        def slow() -> str:
            go.wait(10)
            found.append("once")
            return "found"

        crowd = [asyncio.ensure_future(held.of("q", 1, 10.0, slow)) for _ in range(20)]
        await asyncio.sleep(0)
        crowd[0].cancel()
        go.set()
        assert await asyncio.gather(*crowd[1:]) == ["found"] * 19
        assert found == ["once"]

    asyncio.run(story())
