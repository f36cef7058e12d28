"""Asks at a fixed rate whatever the server does, and times each answer from when it was due.

Open loop: a slow answer does not hold the next question back, so nothing is omitted that a queue
of real visitors would have waited for (coordinated omission). Arrivals are a Poisson stream.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import perf_counter

import numpy as np

CONNECTIONS = 128
"""What is due beyond these waits in the client, and its wait counts."""


@dataclass(slots=True)
class Told:
    """What came of one rate."""

    rate: float
    seconds: float = 0.0
    waits: list[float] = field(default_factory=list)
    """Seconds from when each request was due until its answer was whole."""
    statuses: list[int] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    failures: int = 0
    """Requests without any answer."""
    broken: Counter[str] = field(default_factory=Counter)
    """How these ended: refused, closed (a new connection, before a byte came) or cut off."""
    again: int = 0
    """Answers that took a second connection, for the first had been closed while it was idle."""


class Wire:
    """One keep-alive connection; as little HTTP as the generator itself can spare.

    As ordinary clients do, it opens another where the server said ``Connection: close``, and asks
    once more, on a new connection, where one that had been idle is closed before a byte of the
    answer came. Nothing else is tried again.
    """

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._heard = False
        self.again = 0
        """How often it asked once more."""

    async def get(self, path: str) -> tuple[int, bytes]:
        """Status and body. Raises OSError or EOFError where the server is gone."""
        return await self._ask(f"GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode())

    async def send(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        """The same, of JSON that is sent."""
        head = f"{method} {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
        return await self._ask(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)

    async def _ask(self, request: bytes) -> tuple[int, bytes]:
        idle = self._streams is not None
        try:
            return await self._exchange(request)
        except (OSError, EOFError):
            if not idle or self._heard:
                raise
        self.again += 1
        return await self._exchange(request)

    async def _exchange(self, request: bytes) -> tuple[int, bytes]:
        self._heard = False
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._host, self._port)
        reader, writer = self._streams
        try:
            writer.write(request)
            first = await reader.readexactly(1)
            self._heard = True
            head = (first + await reader.readuntil(b"\r\n\r\n")).lower()
            at = head.index(b"content-length:") + 15
            size = int(head[at : head.index(b"\r", at)])
            answer = int(head[9:12]), await reader.readexactly(size)
        except BaseException:
            self.close()
            raise
        if b"\r\nconnection: close" in head:
            self.close()
        return answer

    def ended(self, error: Exception) -> str:
        """How the last request ended that had no answer."""
        if isinstance(error, ConnectionRefusedError):
            return "refused"
        return "cut off" if self._heard else "closed"

    def close(self) -> None:
        """Drop the connection; the next request opens another."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


@asynccontextmanager
async def wires(host: str, port: int, count: int = CONNECTIONS) -> AsyncIterator[list[Wire]]:
    """Connections for a run."""
    held = [Wire(host, port) for _ in range(count)]
    try:
        yield held
    finally:
        for each in held:
            each.close()


async def closed_loop(held: Sequence[Wire], paths: Sequence[str], seconds: float) -> float:
    """Answers a second when every connection asks again at once: what the server can do at most."""
    until, answered, at = perf_counter() + seconds, 0, 0

    async def ask(wire: Wire) -> None:
        nonlocal answered, at
        while perf_counter() < until:
            at += 1
            await wire.get(paths[at % len(paths)])
            answered += 1

    started = perf_counter()
    await asyncio.gather(*(ask(each) for each in held))
    return answered / (perf_counter() - started)


async def open_loop(
    held: Sequence[Wire], paths: Sequence[str], rate: float, seconds: float, seed: int = 1
) -> Told:
    """Ask `rate` times a second for so many seconds."""
    dice = np.random.default_rng(seed)
    due = np.cumsum(dice.exponential(1.0 / rate, int(rate * seconds))).tolist()
    told, waiting = Told(rate), asyncio.Queue[tuple[float, str]]()
    started, again = perf_counter() + 0.05, sum(each.again for each in held)

    async def ask(wire: Wire) -> None:
        while True:
            when, path = await waiting.get()
            try:
                status, body = await wire.get(path)
            except (OSError, EOFError, ValueError) as error:
                told.failures += 1
                told.broken[wire.ended(error)] += 1
            else:
                told.waits.append(perf_counter() - when)
                told.statuses.append(status)
                told.bodies.append(body)
            waiting.task_done()

    asking = [asyncio.create_task(ask(each)) for each in held]
    for n, offset in enumerate(due):
        pause = started + offset - perf_counter()
        if pause > 0:
            await asyncio.sleep(pause)
        waiting.put_nowait((started + offset, paths[n % len(paths)]))
    await waiting.join()
    told.seconds = perf_counter() - started
    told.again = sum(each.again for each in held) - again
    for task in asking:
        task.cancel()
    return told
