"""A worker that stands still is ended; one that was stopped with its whole process is not."""

import asyncio
import time

from palate.serving.pacing.watchdog import EVERY, SOFTWARE, Watchdog, watched


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_loop_that_comes_round_is_left_alone() -> None:
    clock = Clock()
    dog = Watchdog(2.0, clock)
    for _ in range(20):
        clock.now += EVERY
        dog.beat()
        assert not dog.stuck()


def test_one_that_does_not_is_ended() -> None:
    clock = Clock()
    dog = Watchdog(2.0, clock)
    seen = []
    for _ in range(6):
        clock.now += EVERY
        seen.append(dog.stuck())
    assert seen == [False, False, False, False, True, True]


def test_a_process_that_stood_still_gets_its_time_anew() -> None:
    clock = Clock()
    dog = Watchdog(2.0, clock)
    clock.now += 3_600.0
    assert not dog.stuck()
    clock.now += EVERY
    assert not dog.stuck()


def test_a_real_loop_that_computes_for_ever_is_told_of() -> None:
    ended: list[object] = []

    async def scene() -> None:
        async with watched(0.2, lambda: ended.append("last words"), ended.append):
            time.sleep(3 * EVERY)  # noqa: ASYNC251  that is the fault

    asyncio.run(scene())
    assert ended[:2] == ["last words", SOFTWARE]
