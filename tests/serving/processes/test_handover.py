"""A worker that is replaced sends its clients on, and says when it is warm."""

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from litestar import Litestar
from tests.serving.conftest import SmallSite

from palate.serving.environment import READY
from palate.serving.processes.agreed import LEAVE, mark
from palate.serving.processes.handover import leave, on_duty


def test_who_leaves_closes_each_connection_with_its_answer(site: SmallSite) -> None:
    def said(path: str) -> str | None:
        return site.client.get(path).headers.get("connection")

    paths = ("/v1/recommendations/home", "/readyz", "/v1/items/nobody-knows-it", "/no-such-path")
    assert [said(path) for path in paths] == [None] * 4
    leave(site.app)
    assert [said(path) for path in paths] == ["close"] * 4


def test_a_worker_is_marked_while_it_is_on_duty_and_leaves_when_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(READY, str(tmp_path))
    app, own = Litestar(), mark(tmp_path, os.getpid())

    async def life() -> None:
        with on_duty(app):
            assert own.exists()
            assert not app.before_send
            signal.raise_signal(LEAVE)
            await asyncio.sleep(0.01)
            assert app.before_send
        asyncio.get_running_loop().remove_signal_handler(LEAVE)

    asyncio.run(life())
    assert not own.exists()


def test_a_process_that_is_no_worker_takes_no_signals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(READY, raising=False)
    before: Callable[..., object] | int | None = signal.getsignal(LEAVE)

    async def life() -> None:
        with on_duty(Litestar()):
            assert signal.getsignal(LEAVE) is before

    asyncio.run(life())
    assert not list(tmp_path.iterdir())
