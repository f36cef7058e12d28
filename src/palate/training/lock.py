"""One training of a site at a time."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from palate.errors import Conflict

FILE = "training.lock"


@contextmanager
def training_lock(home: Path) -> Iterator[None]:
    """Hold the site's training lock. Raises Conflict at once where another process holds it.

    The lock goes with the process, however it ends.
    """
    with (home / FILE).open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Conflict(
                f"another training of {home} is running; wait for it, or stop it first"
            ) from error
        yield
