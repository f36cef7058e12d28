"""The demo as a person starts it: a process of its own, its descendants, and its end by Ctrl-C."""

import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, sleep

from palate.testing.demo.visit import Check

ENDS_SECONDS = 15.0


@dataclass(slots=True)
class Child:
    """`palate demo` in a folder, listening on a port."""

    process: subprocess.Popen[bytes]
    started: float
    """By `perf_counter`."""

    @classmethod
    def start(cls, site: Path, port: int) -> "Child":
        """Start it; what it says goes to our stderr."""
        command = [sys.executable, "-m", "palate.cli", "demo", "--site", str(site)]
        started = perf_counter()
        process = subprocess.Popen(  # noqa: S603  our own command
            [*command, "--port", str(port)], stdout=sys.stderr, start_new_session=True
        )
        return cls(process, started)

    @property
    def seconds(self) -> float:
        """How long it has been running."""
        return perf_counter() - self.started

    def alive(self) -> bool:
        """Whether it still runs."""
        return self.process.poll() is None

    def interrupt(self) -> Check:
        """Press Ctrl-C; every process it started has to end."""
        family = descendants(self.process.pid)
        started = perf_counter()
        self.process.send_signal(signal.SIGINT)
        left: Sequence[int] = family
        while perf_counter() - started < ENDS_SECONDS:
            left = [pid for pid in family if Path(f"/proc/{pid}").exists()]
            if not self.alive() and not left:
                break
            sleep(0.05)
        code = self.process.poll()
        ok = code == 0 and len(family) > 1 and not left
        saw = f"{len(family)} processes, exit code {code}, {perf_counter() - started:.1f} s"
        return Check("Ctrl-C ends every process", ok, saw + (f"; left: {left}" if left else ""))

    def end(self) -> None:
        """Whatever happened, leave nothing behind."""
        if self.alive():
            self.process.terminate()
            try:
                self.process.wait(ENDS_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()


def descendants(pid: int) -> list[int]:
    """The processes below `pid`, children before grandchildren."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text("utf-8", "replace").rpartition(")")[2].split()
        except OSError:  # it ended while we looked
            continue
        parents.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found = list(parents.get(pid, ()))
    for child in found:
        found.extend(parents.get(child, ()))
    return found
