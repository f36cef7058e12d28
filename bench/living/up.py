"""`palate up` as a process, its roles by name, and when it was ready."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, sleep
from types import MappingProxyType

import httpx
from load.server import tree

STARTING, ENDING = 600.0, 30.0
OK = 200


@dataclass(slots=True)
class Up:
    """A running site."""

    home: Path
    port: int
    process: "subprocess.Popen[bytes]"
    started: float
    log: Path
    """What its roles say."""

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def role(self, name: str) -> list[int]:
        """Processes of one role: the command's own, and what it started."""
        found = []
        for pid in tree(self.process.pid):
            words = command_of(pid)
            if "palate.cli" in words and name in words[words.index("palate.cli") :][:2]:
                found += tree(pid)
        return sorted(set(found))

    def wait(self, *, folded: bool = True) -> float:
        """Seconds from the start until it is ready (and has folded its log)."""
        with httpx.Client(base_url=self.url, timeout=5.0, trust_env=False) as client:
            while perf_counter() - self.started < STARTING:
                if self.process.poll() is not None:
                    raise RuntimeError(f"it ended:\n{self.said()}")
                with suppress(httpx.HTTPError):
                    answer = client.get("/readyz")
                    if answer.status_code == OK and not (folded and answer.json()["lag_seconds"]):
                        return perf_counter() - self.started
                sleep(0.05)
        raise RuntimeError(f"it was not ready in time:\n{self.said()}")

    def said(self) -> str:
        """The last of what its roles said."""
        return self.log.read_text("utf-8", "replace")[-3_000:]

    def kill(self) -> None:
        """`kill -9`; its roles go with it."""
        below = tree(self.process.pid)
        self.process.kill()
        self.process.wait()
        until = perf_counter() + ENDING
        while any(Path(f"/proc/{pid}").exists() for pid in below) and perf_counter() < until:
            sleep(0.02)


@contextmanager
def up(
    home: Path,
    workers: int = 1,
    port: int = 0,
    *,
    log: Path | None = None,
    environment: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Up]:
    """`palate up` on `home` until the block ends; `log` may lie elsewhere."""
    port, said = port or free_port(), log or home / "up.log"
    command = [sys.executable, "-m", "palate.cli", "up", "--site", str(home), "--api-only"]
    command += ["--port", str(port), "--workers", str(workers)]
    with said.open("wb") as file:
        started = perf_counter()
        process = subprocess.Popen(  # noqa: S603  our own command
            command, stdout=file, stderr=file, env={**os.environ, **environment}
        )
    running = Up(home, port, process, started, said)
    try:
        yield running
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(ENDING)
            except subprocess.TimeoutExpired:
                running.kill()


def palate(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """A command of ours, to its end."""
    command = [sys.executable, "-m", "palate.cli", *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603


def free_port() -> int:
    """A TCP port that nobody listens to."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def command_of(pid: int) -> list[str]:
    """How a process was called; [] where it is gone."""
    try:
        raw = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return []
    return [os.fsdecode(word) for word in raw.split(b"\0") if word]
