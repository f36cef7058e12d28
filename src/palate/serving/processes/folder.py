"""The folder that a server's workers share: their counts, and who is warm; gone with the server.

A server that is killed leaves its folder behind. It lies in memory, so the next one sweeps it.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from palate.errors import Unavailable

MEMORY = "/dev/shm"  # noqa: S108  made by mkdtemp, for this user alone
PREFIX = "palate-metrics-"
HELD = "held"
"""A file that the server and its workers hold a lock on, for as long as one of them lives."""


@contextmanager
def shared_folder() -> Iterator[str]:
    """Where workers count side by side and say that they are warm; gone at the end."""
    # In memory where there is such a folder: a full disk must not end a worker that counts.
    shared = MEMORY if os.access(MEMORY, os.W_OK) else tempfile.gettempdir()
    sweep(Path(shared))
    try:
        folder = tempfile.mkdtemp(prefix=PREFIX, dir=shared)
        held = os.open(Path(folder, HELD), os.O_CREAT | os.O_RDWR, 0o600)
    except OSError as error:
        raise Unavailable(f"no temporary folder for metrics: {error}") from error
    try:
        fcntl.flock(held, fcntl.LOCK_EX)  # workers are forked, and so hold it too
        yield folder
    finally:
        os.close(held)
        shutil.rmtree(folder, ignore_errors=True)


def sweep(place: Path) -> None:
    """Remove the folders of servers that are gone."""
    for mark in place.glob(f"{PREFIX}*/{HELD}"):
        try:
            handle = os.open(mark, os.O_RDWR)
        except OSError:  # another user's, or gone meanwhile
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(mark.parent, ignore_errors=True)
        except BlockingIOError:  # it serves
            continue
        finally:
            os.close(handle)
