"""The crowd of `bench/chaos.py` is judged with the visitors who were there before."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from living.up import Up
from load import scene as scene_module
from load.lawful import Judged


def test_everybody_of_ten_times_the_traffic_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    async def crowd(
        port: int, paths: Sequence[str], rate: float, stop: asyncio.Event, judged: Judged
    ) -> None:
        judged.asked += port + len(paths) + int(rate)
        await stop.wait()

    monkeypatch.setattr(scene_module, "crowd", crowd)
    up = Up(Path(), 1, cast("Any", None), 0.0, Path())
    scene = scene_module.Scene(up, cast("Any", None), 400, 40.0, 0.0)
    scene.judged.asked = 5
    asyncio.run(scene_module.ten_times(scene))
    assert scene.judged.asked == 5 + 1 + scene_module.USERS + 360
