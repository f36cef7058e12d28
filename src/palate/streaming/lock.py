"""One writer per store and site: advisory locks that the system drops with the process."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from palate.errors import Conflict
from palate.settings import Settings

FILE, ATTRIBUTING = "stream.lock", "attribute.lock"


@contextmanager
def only_worker(settings: Settings) -> Iterator[None]:
    """Hold the site's lock; raises Conflict where another process has it."""
    problem = (
        f"another process is writing the state of {settings.home}: stop its"
        " `palate up` or `palate stream` first"
    )
    with _locked(settings, FILE, problem):
        yield


@contextmanager
def only_attributor(settings: Settings) -> Iterator[None]:
    """Hold the lock of the offline store; raises Conflict where another process has it."""
    problem = (
        f"another process is writing the offline store of {settings.home}: its `palate up` or"
        " `palate attribute --watch` does this anyway"
    )
    with _locked(settings, ATTRIBUTING, problem):
        yield


def check_alone(settings: Settings) -> None:
    """Raise Conflict where a stream worker of this site runs; holds nothing."""
    with only_worker(settings):
        pass


@contextmanager
def _locked(settings: Settings, name: str, problem: str) -> Iterator[None]:
    with settings.path(name).open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise Conflict(problem) from error
        yield
