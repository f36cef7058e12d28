"""Keeps a site's roles running: starts them, prefixes what they say, restarts what dies.

``palate up`` is this with serve, stream, attribute and train. Each role is a process group of its
own that the kernel ends with the supervisor (`tether.py`), so that nothing is left behind whatever
happens.
"""

import asyncio
import contextlib
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Self, TypeAlias

from palate.serving import tether
from palate.serving.environment import DIED, over, serving_environment, training_environment
from palate.settings import Settings

Say: TypeAlias = Callable[[str, str], None]
"""Told (role, line) for everything a role prints and the supervisor remarks."""

FIRST_WAIT, LONGEST_WAIT = 0.2, 10.0
"""Seconds before a role that died is started again; doubled each time, up to the longest."""
HEALTHY_AFTER = 30.0
"""A role that lived so long starts over with the first wait."""
LATER = 15.0
"""Seconds after which the roles begin that nobody waits for, where the site does not answer yet."""
GRACE = 5.0
"""Seconds a role has to end by itself."""
LAST_WORDS = 0.5
"""Seconds to read what an ended role still had to say."""
ANSWER, LOOK = 2.0, 0.1
"""Seconds that the site has to say whether it is ready, and between two questions."""
OK = b"200"


@dataclass(frozen=True, slots=True)
class Role:
    """One process to keep alive."""

    name: str
    command: tuple[str, ...]
    niceness: int = 0
    environment: Mapping[str, str] = field(default_factory=dict)
    after: float = 0.0
    """Seconds that its first start waits at most for the site to answer (`Supervisor.opened`)."""


def site_roles(settings: Settings, *, api_only: bool = False) -> tuple[Role, ...]:
    """Serve, stream, attribute and train for one site, on the address of its settings."""
    serving = serving_environment()
    training = training_environment(settings.training.threads)
    joining = serving | {"POLARS_MAX_THREADS": "1"}
    http = settings.serving
    where = ["--host", http.host, "--port", str(http.port), "--workers", str(http.workers)]
    where += ["--api-only"] if api_only else []
    return (
        Role("stream", _palate(settings, "stream"), 0, serving),
        Role("attribute", _palate(settings, "attribute", "--watch"), 10, joining, LATER),
        Role("serve", _palate(settings, "serve", *where), 0, serving),
        # A busy high-priority process turns every sync of the log into milliseconds (DESIGN §6).
        Role("train", _palate(settings, "train", "--watch"), 10, training, LATER),
    )


class Supervisor:
    """Runs roles until told to stop. `async with Supervisor(roles, say) as running: …`."""

    def __init__(self, roles: Sequence[Role], say: Say, grace: float = GRACE) -> None:
        self._roles, self._say, self._grace = tuple(roles), say, grace
        self._processes: dict[str, Process] = {}
        self._keepers: list[asyncio.Task[None]] = []
        self._ending = False
        self._open = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._keepers = [asyncio.create_task(self._keep(role)) for role in self._roles]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def pid(self, role: str) -> int | None:
        """The role's process, while it lives."""
        process = self._processes.get(role)
        return None if process is None or process.returncode is not None else process.pid

    def opened(self) -> None:
        """The site answers: the roles begin that waited for it."""
        self._open.set()

    async def stop(self) -> None:
        """End all: ask, wait a few seconds, then insist."""
        self._ending = True
        living = [p for p in self._processes.values() if p.returncode is None]
        for process in living:
            _signal(process, signal.SIGTERM)
        if living:
            await asyncio.wait([asyncio.create_task(p.wait()) for p in living], timeout=self._grace)
        for process in self._processes.values():
            _signal(process, signal.SIGKILL)
        # A keeper ends with its process, once it has read the last line; one that rests is woken.
        await asyncio.wait(self._keepers, timeout=LAST_WORDS)
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)

    async def _keep(self, role: Role) -> None:
        wait, code = FIRST_WAIT, 0
        if role.after:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._open.wait(), role.after)
        while not self._ending:
            started = perf_counter()
            code = await self._run(role, code)
            if self._ending:
                return
            wait = FIRST_WAIT if perf_counter() - started > HEALTHY_AFTER else wait
            self._say(role.name, f"ended with {_meaning(code)}; starting it again in {wait:.1f} s")
            await asyncio.sleep(wait)
            wait = min(2 * wait, LONGEST_WAIT)

    async def _run(self, role: Role, before: int) -> int:
        tied = (sys.executable, "-I", "-S", tether.__file__, str(os.getpid()), str(role.niceness))
        died = {DIED: signal.Signals(-before).name} if before < 0 else {}
        ours, theirs = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                *tied,
                *role.command,
                stdin=DEVNULL,
                stdout=theirs,
                stderr=theirs,
                env=over(os.environ, role.environment) | died,
                start_new_session=True,
            )
        finally:
            os.close(theirs)
        self._processes[role.name] = process
        if self._ending:  # it was being started when the end began
            _signal(process, signal.SIGKILL)
        listening = asyncio.create_task(self._listen(role.name, ours))
        code = await process.wait()
        _signal(process, signal.SIGKILL)  # what it started and left behind
        await listening
        return code

    async def _listen(self, name: str, pipe: int) -> None:
        reader, loop = asyncio.StreamReader(), asyncio.get_running_loop()
        transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(pipe, "rb", buffering=0)
        )
        try:
            async for line in _lines(reader):
                self._say(name, line)
        finally:
            transport.close()


async def ready(host: str, port: int, seconds: float) -> bool:
    """Wait until ``/readyz`` answers; False where it did not in time."""
    until = perf_counter() + seconds
    while perf_counter() < until:
        with contextlib.suppress(OSError, TimeoutError):
            if await asyncio.wait_for(_answers(host, port), ANSWER):
                return True
        await asyncio.sleep(LOOK)
    return False


async def _answers(host: str, port: int) -> bool:
    """One question over a socket: an HTTP client would take longer to load than all of the rest."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(b"GET /readyz HTTP/1.1\r\nHost: palate\r\nConnection: close\r\n\r\n")
        return (await reader.readline()).split()[1:2] == [OK]
    finally:
        writer.close()


async def _lines(reader: asyncio.StreamReader) -> AsyncIterator[str]:
    while True:
        try:
            raw = await reader.readline()
        except ValueError:  # a line beyond the reader's limit: lose it rather than stop reading
            continue
        if not raw:
            return
        yield raw.decode("utf-8", "replace").rstrip()


def _signal(process: Process, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _palate(settings: Settings, command: str, *more: str) -> tuple[str, ...]:
    site = ("--site", str(Path(settings.home).resolve()))
    return (sys.executable, "-m", "palate.cli", command, *site, *more)


def _meaning(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
