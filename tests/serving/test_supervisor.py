"""The supervisor on small programs of its own: what dies comes back, what ends leaves nothing."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from palate.serving.supervisor import Role, Supervisor, ready

PATIENCE = 20.0
SLEEPER = "import time; print('here', flush=True); time.sleep(600)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "print('here', flush=True); time.sleep(600)"
)
PARENT = (
    "import subprocess, sys, time;"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']);"
    "print(child.pid, flush=True); time.sleep(600)"
)


def role(program: str, name: str = "role", **environment: str) -> Role:
    return Role(name, (sys.executable, "-c", program), environment=environment)


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


class Heard:
    """What the supervisor said, to be waited for."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._news = asyncio.Event()

    def __call__(self, role: str, line: str) -> None:
        self.lines.append(f"{role}: {line}")
        self._news.set()

    async def until(self, done: Callable[[list[str]], bool]) -> list[str]:
        async with asyncio.timeout(PATIENCE):
            while not done(self.lines):
                self._news.clear()
                await self._news.wait()
        return self.lines


def test_a_role_that_waits_begins_when_the_site_answers() -> None:
    async def run(patience: float, *, answers: bool) -> tuple[float, list[str]]:
        heard, started = Heard(), time.monotonic()
        late = replace(role(SLEEPER, "late"), after=patience)
        async with Supervisor([role(SLEEPER, "first"), late], heard) as running:
            await heard.until(lambda lines: "first: here" in lines)
            before = list(heard.lines)
            if answers:
                running.opened()
            await heard.until(lambda lines: len(lines) == 2)
        return time.monotonic() - started, before

    took, before = asyncio.run(run(600.0, answers=True))
    assert before == ["first: here"]
    assert took < PATIENCE
    took, _ = asyncio.run(run(1.0, answers=False))
    assert took >= 1.0, "where nobody says so, after its patience"


def test_it_asks_until_the_site_is_ready_and_no_longer_than_it_may() -> None:
    async def run() -> tuple[bool, bool, list[bytes]]:
        asked: list[bytes] = []

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            asked.append(await reader.readuntil(b"\r\n\r\n"))
            status = b"200 OK" if len(asked) > 2 else b"503 Service Unavailable"
            writer.write(b"HTTP/1.1 " + status + b"\r\ncontent-length: 0\r\n\r\n")
            writer.close()

        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            found = await ready("127.0.0.1", port, PATIENCE)
        return found, await ready("127.0.0.1", port, 0.3), asked

    found, gone, asked = asyncio.run(run())
    assert (found, gone, len(asked)) == (True, False, 3)
    assert asked[0].startswith(b"GET /readyz HTTP/1.1\r\n")


def test_output_is_told_with_the_role_that_said_it() -> None:
    async def run() -> list[str]:
        heard = Heard()
        program = (
            "import os; print('out', os.environ['WORD'], flush=True); import time; time.sleep(9)"
        )
        async with Supervisor([role(program, "one", WORD="x"), role(SLEEPER, "two")], heard):
            return await heard.until(lambda lines: len(lines) == 2)

    assert sorted(asyncio.run(run())) == ["one: out x", "two: here"]


def test_a_role_that_dies_is_started_again_and_that_is_said() -> None:
    async def run() -> list[str]:
        heard = Heard()
        async with Supervisor([role(SLEEPER)], heard) as running:
            await heard.until(lambda lines: "role: here" in lines)
            first = running.pid("role")
            assert first is not None
            os.kill(first, signal.SIGKILL)
            await heard.until(lambda lines: lines.count("role: here") == 2)
            assert running.pid("role") not in {None, first}
            return heard.lines

    said = [line for line in asyncio.run(run()) if "ended" in line]
    assert said == ["role: ended with signal SIGKILL; starting it again in 0.2 s"]


def test_a_role_that_keeps_dying_is_given_longer_and_longer_rests() -> None:
    async def run() -> list[str]:
        heard = Heard()
        async with Supervisor([role("raise SystemExit(3)")], heard):
            return await heard.until(lambda lines: len(lines) == 3)

    rests = [line.rpartition("in ")[2] for line in asyncio.run(run())]
    assert rests == ["0.2 s", "0.4 s", "0.8 s"]


def test_what_ignores_the_request_to_end_is_ended() -> None:
    async def run() -> int:
        heard = Heard()
        async with Supervisor([role(STUBBORN)], heard, grace=0.2) as running:
            await heard.until(lambda lines: "role: here" in lines)
            pid = running.pid("role")
        assert pid is not None
        return pid

    assert not alive(asyncio.run(run()))


def test_what_a_role_started_ends_with_it() -> None:
    async def run() -> int:
        heard = Heard()
        async with Supervisor([role(PARENT)], heard) as running:
            await heard.until(lambda lines: len(lines) == 1)
            grandchild = int(heard.lines[0].partition(": ")[2])
            assert alive(grandchild)
            first = running.pid("role")
            assert first is not None
            os.kill(first, signal.SIGKILL)
            await heard.until(lambda lines: any("ended" in line for line in lines))
        return grandchild

    grandchild = asyncio.run(run())
    wait_until(lambda: not alive(grandchild))


@pytest.mark.skipif(sys.platform != "linux", reason="the tie is Linux's")
def test_a_killed_supervisor_takes_its_roles_along() -> None:
    program = (
        "import asyncio, sys\n"
        "from palate.serving.supervisor import Role, Supervisor\n"
        "async def run():\n"
        f"    role = Role('role', (sys.executable, '-c', {STUBBORN!r}))\n"
        "    said = asyncio.Event()\n"
        "    async with Supervisor([role], lambda *_: said.set()) as running:\n"
        "        await said.wait()\n"
        "        print(running.pid('role'), flush=True)\n"
        "        await asyncio.sleep(600)\n"
        "asyncio.run(run())\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as supervisor:
        assert supervisor.stdout is not None
        child = int(supervisor.stdout.readline())
        assert alive(child)
        supervisor.kill()
    wait_until(lambda: not alive(child))


def wait_until(done: Callable[[], bool]) -> None:
    """The kernel ends processes without telling us: look until it has."""
    until = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < until
        time.sleep(0.01)
