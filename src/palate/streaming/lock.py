"""One stream worker per site: an advisory lock that the system drops with the process."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from palate.errors import Conflict
from palate.settings import Settings

FILE = "stream.lock"


@contextmanager
def only_worker(settings: Settings) -> Iterator[None]:
    """Hold the site's lock; raises Conflict where another process has it."""
    path = settings.path(FILE)
    with path.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise Conflict(
                f"another process is writing the state of {settings.home}: stop its"
                " `palate up` or `palate stream` first"
            ) from error
        yield


def check_alone(settings: Settings) -> None:
    """Raise Conflict where a stream worker of this site runs; holds nothing."""
    with only_worker(settings):
        pass
