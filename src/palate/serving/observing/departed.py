"""What workers that are gone have counted: kept, in one file, however many there were.

Each worker counts into mapped files of its own, half a megabyte. A server whose workers come and go
would keep them all and read all of them at each look; so what the dead counted is added up.
"""

import fcntl
import logging
import os
import shutil
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prometheus_client.mmap_dict import MmapedDict

LOCK = "metrics.lock"
GONE = "gone"
"""In the place of a process id, in the name of the file that holds what the dead counted."""
log = logging.getLogger("palate.serving")


@contextmanager
def undisturbed(folder: Path) -> Iterator[None]:
    """One process at a time reads all files, or adds some up; blocks."""
    with (folder / LOCK).open("ab") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def add_up(folder: Path) -> None:
    """Keep what the dead counted, and drop what they said of the moment; within `undisturbed`.

    A process that is killed between the last two steps has what it added up counted twice.
    """
    dead: dict[str, list[Path]] = {}
    for file in folder.glob("*.db"):
        kind, _, pid = file.stem.rpartition("_")
        if pid.isdecimal() and not _runs(int(pid)):
            dead.setdefault(kind, []).append(file)
    for kind, files in dead.items():
        if not kind.startswith("gauge"):
            _add(folder / f"{kind}_{GONE}.db", files)
        for file in files:
            file.unlink(missing_ok=True)


def _add(whole: Path, files: list[Path]) -> None:
    """Add these to what is there already, in one step for whoever reads."""
    beside = whole.with_suffix(".new")
    if whole.exists():
        shutil.copyfile(whole, beside)
    else:
        beside.unlink(missing_ok=True)
    held = MmapedDict(str(beside))  # type: ignore[no-untyped-call]
    try:
        for file in files:
            for key, value in _counted(file):
                before, _ = held.read_value(key)  # type: ignore[no-untyped-call]
                held.write_value(key, before + value, 0.0)  # type: ignore[no-untyped-call]
    finally:
        held.close()  # type: ignore[no-untyped-call]
    beside.replace(whole)


def _counted(file: Path) -> list[tuple[str, float]]:
    """Of one file; nothing of one whose process was ended while it began it."""
    try:
        found = MmapedDict.read_all_values_from_file(str(file))  # type: ignore[no-untyped-call]
        return [(key, value) for key, value, *_ in found]
    except (RuntimeError, ValueError, struct.error) as error:
        log.warning("what a dead worker counted in %s cannot be read: %s", file.name, error)
        return []


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
