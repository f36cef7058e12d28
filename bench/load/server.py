"""A real server, held to one core, and what the kernel says of its worker."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import perf_counter, sleep
from typing import NamedTuple

import httpx

TICKS = os.sysconf("SC_CLK_TCK")
STARTING = 600.0
OK = 200


class Server(NamedTuple):
    """A running site."""

    port: int
    process: "subprocess.Popen[bytes]"

    @property
    def workers(self) -> list[int]:
        """Processes that answer."""
        return [each for each in tree(self.process.pid) if _serves(each)]


@contextmanager
def serving(home: Path, cores: set[int], workers: int = 1) -> Iterator[Server]:
    """`palate serve` on `home`, only on `cores`, until it is ready."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [sys.executable, "-m", "palate.cli", "serve", "--site", str(home), "--api-only"]
    command += ["--port", str(port), "--workers", str(workers)]
    with (home / "server.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603  our own command
            command,
            stdout=log,
            stderr=log,
            preexec_fn=lambda: os.sched_setaffinity(0, cores),  # noqa: PLW1509  one thread here
        )
    try:
        _wait(port, process)
        yield Server(port, process)
    except RuntimeError as error:
        said = (home / "server.log").read_text("utf-8", "replace")[-2_000:]
        raise RuntimeError(f"{error}:\n{said}") from error
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(port: int, process: "subprocess.Popen[bytes]") -> None:
    until = perf_counter() + STARTING
    while perf_counter() < until:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode}")
        try:
            answer = httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=5.0, trust_env=False)
        except httpx.HTTPError:
            sleep(0.2)
            continue
        if answer.status_code == OK:
            return
        sleep(0.2)
    raise RuntimeError("the server was not ready in time")


def cpu_seconds(pids: list[int]) -> float:
    """CPU time of these processes so far, of all their threads."""
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


def megabytes(pid: int) -> dict[str, float]:
    """Memory of a process: resident, of that its own, its part of what is shared, and files."""
    told = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines()[1:]:
        name, _, rest = line.partition(":")
        told[name] = int(rest.split()[0]) / 1024 if rest.split() else 0.0
    own = told["Private_Clean"] + told["Private_Dirty"]
    return {
        "resident": round(told["Rss"], 1),
        "anonymous": round(told["Anonymous"], 1),
        "files": round(told["Rss"] - told["Anonymous"], 1),
        "private": round(own, 1),
        "shared": round(told["Pss"], 1),
    }


def tree(pid: int) -> list[int]:
    """A process and all that it started."""
    found = [pid]
    for each in found:
        found += _children(each)
    return found


def _children(pid: int) -> list[int]:
    """What a process started; nothing of one that ends while it is looked at."""
    with suppress(FileNotFoundError, ProcessLookupError):
        tasks = list(Path(f"/proc/{pid}/task").glob("*/children"))
        return [int(child) for task in tasks for child in task.read_text("ascii").split()]
    return []


def _serves(pid: int) -> bool:
    """Whether it is a worker: those are the processes without children that listen to the site."""
    children = _children(pid)
    try:
        line = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return bool(line) and not children and b"resource_tracker" not in line
