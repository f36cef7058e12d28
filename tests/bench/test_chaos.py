"""The crowd of `bench/chaos.py` is judged with the visitors who were there before."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import chaos
import pytest
from load.lawful import Judged


def test_everybody_of_ten_times_the_traffic_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    async def crowd(
        port: int, paths: Sequence[str], rate: float, stop: asyncio.Event, judged: Judged
    ) -> None:
        judged.asked += port + len(paths) + int(rate)
        await stop.wait()

    monkeypatch.setattr(chaos, "crowd", crowd)
    scene = chaos.Scene(Path(), 1, cast("Any", None), 40.0, 0.0, [])
    scene.judged.asked = 5
    asyncio.run(chaos.ten_times(scene))
    assert scene.judged.asked == 5 + 1 + chaos.USERS + 360
