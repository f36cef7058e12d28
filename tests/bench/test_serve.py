"""The load generator: what is due waits on nobody, and what it finds is told between two marks."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from load import report
from load.client import Told, open_loop, wires

SLOW = 0.05


async def one_at_a_time(
    turn: asyncio.Lock, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """A server that answers one question after the other, each in `SLOW` seconds."""
    while await reader.readuntil(b"\r\n\r\n"):
        async with turn:
            await asyncio.sleep(SLOW)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")


async def asked(rate: float, seconds: float) -> Any:
    turn = asyncio.Lock()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await one_at_a_time(turn, reader, writer)
        except asyncio.IncompleteReadError:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with wires("127.0.0.1", port, 4) as held:
        told = await open_loop(held, ["/"], rate, seconds)
    server.close()
    return told


def test_a_wait_counts_from_when_the_question_was_due() -> None:
    told = asyncio.run(asked(rate=60.0, seconds=0.5))
    assert told.statuses == [200] * 30
    assert told.failures == 0
    # thirty questions of 50 ms each take 1.5 s, but the last was due after half a second
    assert max(told.waits) > 10 * SLOW


def test_who_does_not_answer_is_counted() -> None:
    async def nobody() -> Any:
        async with wires("127.0.0.1", 1, 2) as held:
            return await open_loop(held, ["/"], 50.0, 0.1)

    told = asyncio.run(nobody())
    assert told.failures == 5
    assert told.broken == {"refused": 5}


WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
LAST = WHOLE.replace(b"OK\r\n", b"OK\r\nConnection: close\r\n")
HALF = WHOLE[:-1]


async def spoken(*connections: list[bytes]) -> Told:
    """Four questions, one after the other: what each connection says to the questions on it, and
    then it is closed."""
    scripts = iter(connections)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for said in next(scripts):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(said)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with wires("127.0.0.1", server.sockets[0].getsockname()[1], 1) as held:
        told = await open_loop(held, ["/"], 80.0, 0.05)
    server.close()
    return told


@pytest.mark.parametrize(
    ("connections", "broken", "again"),
    [
        ([[WHOLE, WHOLE], [WHOLE, WHOLE]], {}, 1),
        ([[WHOLE, LAST], [WHOLE, WHOLE]], {}, 0),
        ([[WHOLE, HALF], [WHOLE, WHOLE]], {"cut off": 1}, 0),
        ([[b""], [WHOLE, WHOLE, WHOLE]], {"closed": 1}, 0),
        ([[WHOLE], [b""], [WHOLE, WHOLE]], {"closed": 1}, 1),
    ],
    ids=["idle", "told to close", "cut off", "closed at once", "closed twice"],
)
def test_only_an_idle_connection_is_asked_again(
    connections: list[list[bytes]], broken: dict[str, int], again: int
) -> None:
    told = asyncio.run(spoken(*connections))
    assert told.broken == broken
    assert told.again == again
    assert len(told.statuses) == 4 - sum(broken.values())


def run(items: int) -> dict[str, Any]:
    points = dict.fromkeys(report.POINTS, 2.0)
    rate = {
        "rate": 50.0,
        "answered": 10,
        "failures": 1,
        "steps": {"full": 9, "popular": 1},
        "per_second": 50.0,
        "milliseconds": points,
        "inside": points,
        "stages": {"rank": points},
        "worker_cpu_share": 0.5,
        "cpu_milliseconds": 1.0,
        "body_bytes": 100,
    }
    memory = {"anonymous": 100.0, "files": 50.0}
    return {
        "items": items,
        "users": 10,
        "most": 100.0,
        "closed_cpu_milliseconds": 1.0,
        "rates": [rate],
        "memory": memory,
    }


def test_sizes_measured_before_stay_in_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PAGE", "STORE", "PICTURE"):
        monkeypatch.setattr(report, name, tmp_path / name)
    report.PAGE.write_text(f"before\n{report.BEGIN}\nstale\n{report.END}\nafter\n", "utf-8")
    machine = {"processor": "one", "cores": 1, "gigabytes": 1, "load": 0}
    for items in (20, 10):
        facts = {"machine": machine, "date": "2026-11-29", "command": f"serve {items}"}
        measured = run(items)
        if items == 10:
            measured["whole"] = True
            measured["rates"][0]["candidates"] = 0.3
        report.write(report.merged({**facts, "runs": [measured]}))
    page = report.PAGE.read_text("utf-8")
    assert page.startswith("before\n")
    assert page.endswith("after\n")
    assert "stale" not in page
    assert page.index("| 10 | 50 |") < page.index("| 20 | 50 |")
    assert "| 2 |" in page  # one answer that was not the full funnel, one that did not come
    assert "| 10 | closed loop, 8: 100 |" in page
    assert "| 30% |" in page  # of the candidates
    assert "| 20 | closed loop, 8, answers cut: 100 |" in page  # as they were measured before
    assert report.PICTURE.read_text("utf-8").startswith("<svg")
