"""A site of its own for the simulator: a folder, a stream worker and a server, tied to us."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

import httpx

from palate.errors import Unavailable
from palate.releases.directory import ReleaseDirectory
from palate.serving import tether
from palate.serving.environment import over, serving_environment, training_environment
from palate.settings import FILE
from palate.settings_files import load

READY, ENDS = 90.0, 10.0
OK = 200
NONE = "none"
"""What a site without a release says that it serves."""
UNHURRIED = {"PALATE_SERVING__BUDGET_MS": "0", "PALATE_SERVING__TRACES_PER_SECOND": "1e6"}
"""Every answer is the whole funnel, and has a trace: what is judged must not hang on how busy the
machine is, or how fast."""


def site(folder: Path, more: str = "") -> Path:
    """Make a site's folder; `more` is its ``palate.toml``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FILE).write_text(more, "utf-8")
    return folder


def copied(folder: Path, to: Path, more: str = "") -> Path:
    """The same site once more; `more` is added to its settings."""
    shutil.copytree(folder, to)
    (to / FILE).write_text((to / FILE).read_text("utf-8") + more, "utf-8")
    return to


@contextmanager
def hosted(folder: Path) -> Iterator[str]:
    """Stream and serve a site while inside; gives its URL. Raises Unavailable."""
    port = _free_port()
    url = f"http://127.0.0.1:{port}"
    with (folder / "simulate.log").open("ab") as log:
        running = [
            _start(folder, ["stream"], log.fileno()),
            _start(folder, ["serve", "--port", str(port), "--api-only"], log.fileno()),
        ]
        try:
            _wait(url, running, folder)
            yield url
        finally:
            for each in running:
                each.terminate()
            for each in running:
                _ended(each)


def train(folder: Path) -> str:
    """Train a release of a site, in a process of its own; name the one that is live then.

    Raises Unavailable with what training said.
    """
    command = [sys.executable, "-m", "palate.cli", "train", "--site", str(folder)]
    done = subprocess.run(  # noqa: S603  our own command
        command, capture_output=True, text=True, check=False, env=_with(training_environment(1))
    )
    if done.returncode:
        raise Unavailable(f"the training ended with {done.returncode}: {done.stderr[-500:]}")
    settings = load(folder, os.environ)
    return ReleaseDirectory(settings.path(settings.stores.releases)).current() or NONE


def _start(folder: Path, command: Sequence[str], log: int) -> subprocess.Popen[bytes]:
    tied = [sys.executable, "-I", "-S", tether.__file__, str(os.getpid()), "0"]
    name, *options = command
    whole = [*tied, sys.executable, "-m", "palate.cli", name, "--site", str(folder), *options]
    return subprocess.Popen(  # noqa: S603  our own command
        whole,
        stdout=log,
        stderr=log,
        env=_with(serving_environment() | UNHURRIED),
        start_new_session=True,
    )


def _with(wanted: Mapping[str, str]) -> dict[str, str]:
    return over(os.environ, wanted)


def _wait(url: str, running: Sequence[subprocess.Popen[bytes]], folder: Path) -> None:
    until = monotonic() + READY
    with httpx.Client(base_url=url, timeout=2.0, trust_env=False) as client:
        while monotonic() < until and all(each.poll() is None for each in running):
            try:
                if client.get("/readyz").status_code == OK:
                    return
            except httpx.HTTPError:
                sleep(0.1)
    told = (folder / "simulate.log").read_text("utf-8", "replace")
    raise Unavailable(f"the simulator's own site did not come up: {told[-500:]}")


def _ended(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(ENDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
