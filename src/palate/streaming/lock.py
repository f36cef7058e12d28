"""One writer per store and site: advisory locks that the system drops with the process."""

import fcntl
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from io import FileIO
from pathlib import Path

from palate.errors import Conflict
from palate.settings import Settings

FILE, ATTRIBUTING, RUNNING = "stream.lock", "attribute.lock", "up.lock"
TURN, DOOR = "turn.lock", "door.lock"


class Turn:
    """Whose turn it is to change the state: the stream worker's, a step at a time, or a rebuild's.

    Whoever waits for the turn stands in the door meanwhile, where everybody else has to pass, so a
    worker that is busy does not take every turn.
    """

    def __init__(self, settings: Settings) -> None:
        self._places = [settings.path(name) for name in (DOOR, TURN)]
        self._files: list[FileIO] = []

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Wait for the turn and keep it; not to be taken again within."""
        door, turn = self._opened()
        with _held(door):
            fcntl.flock(turn, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(turn, fcntl.LOCK_UN)

    def _opened(self) -> list[FileIO]:
        if not self._files:
            self._files = [_file(place) for place in self._places]
        return self._files

    def __del__(self) -> None:
        for file in self._files:
            with suppress(OSError):
                file.close()


@contextmanager
def _held(file: FileIO) -> Iterator[None]:
    fcntl.flock(file, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)


def _file(place: Path) -> FileIO:
    return place.open("ab", buffering=0)


def only_worker(settings: Settings) -> AbstractContextManager[None]:
    """Hold the site's lock; raises Conflict where another process has it."""
    problem = (
        f"another process is writing the state of {settings.home}: stop its"
        " `palate up` or `palate stream` first"
    )
    return _locked(settings, FILE, problem)


def only_site(settings: Settings) -> AbstractContextManager[None]:
    """Hold the lock of who runs the whole site; raises Conflict where another process has it."""
    problem = (
        f"{settings.home} is run by another process already: stop its `palate up` or"
        " `palate demo` first"
    )
    return _locked(settings, RUNNING, problem)


def only_attributor(settings: Settings) -> AbstractContextManager[None]:
    """Hold the lock of the offline store; raises Conflict where another process has it."""
    problem = (
        f"another process is writing the offline store of {settings.home}: its `palate up` or"
        " `palate attribute --watch` does this anyway"
    )
    return _locked(settings, ATTRIBUTING, problem)


def check_alone(settings: Settings) -> None:
    """Raise Conflict where a stream worker of this site runs; holds nothing."""
    with only_worker(settings):
        pass


def alone(settings: Settings) -> bool:
    """Whether no stream worker of this site runs just now."""
    try:
        check_alone(settings)
    except Conflict:
        return False
    return True


@contextmanager
def _locked(settings: Settings, name: str, problem: str) -> Iterator[None]:
    with settings.path(name).open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise Conflict(problem) from error
        yield
