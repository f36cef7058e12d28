"""Files of a running site that are damaged for a while, and made good again."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from palate.releases.directory import ReleaseDirectory

Mend: TypeAlias = Callable[[], None]
NOISE = bytes(range(256)) * 16


def overwritten(file: Path, offset: int = 0) -> Mend:
    """Write noise over some of a file, in place: every process that has it open sees it.

    What somebody wrote there since is left as it is when it is made good again.
    """
    with file.open("r+b") as held:
        held.seek(offset)
        before = held.read(len(NOISE))
        held.seek(offset)
        held.write(NOISE[: len(before)])

    def mend() -> None:
        with file.open("r+b") as held:
            held.seek(offset)
            if held.read(len(before)) == NOISE[: len(before)]:
                held.seek(offset)
                held.write(before)

    return mend


def spoilt(file: Path) -> None:
    """Write noise over one page in four of a file, for good."""
    with file.open("r+b") as held:  # it may be moved aside before the last page is spoilt
        for offset in range(0, file.stat().st_size, 4 * len(NOISE)):
            held.seek(offset)
            held.write(NOISE)


def cut(file: Path, size: int = 0) -> None:
    """Truncate a file that others have mapped: who looks beyond its end dies of SIGBUS."""
    os.truncate(file, size)


def catalogue(home: Path) -> Mend:
    """The head of the catalogue's database, with its log: no statement can be read any more."""
    return overwritten(home / "catalog.db")


def traces(home: Path) -> Mend:
    """The head of the database of traces."""
    return overwritten(home / "traces.db")


def live_release(home: Path) -> Mend:
    """A file of the release that serves; who has it loaded goes on."""
    live = ReleaseDirectory(home / "releases").current()
    return overwritten(home / "releases" / str(live) / "two_tower" / "user.onnx")


def pointer(home: Path) -> Mend:
    """The pointer to the live release says nonsense."""
    file = home / "releases" / "current"
    before = file.read_bytes()
    file.write_bytes(b"nonsense")
    return lambda: _put(file, before)


def log(home: Path) -> Mend:
    """The head of the event log."""
    return overwritten(home / "events.db")


def rules(home: Path) -> Mend:
    """The head of the book of rules."""
    return overwritten(home / "rules.db")


def waiting(home: Path) -> Mend:
    """The head of what waits for the join."""
    return overwritten(home / "waiting.db")


def state(home: Path) -> Mend:
    """A page in four of the online store (LMDB), for good: the site has to help itself."""
    spoilt(home / "online" / "data.mdb")
    return nothing


def cut_state(home: Path) -> Mend:
    """Half of the online store is gone."""
    file = home / "online" / "data.mdb"
    cut(file, file.stat().st_size // 2)
    return nothing


def mapped(home: Path) -> list[Path]:
    """Every file of mapped arrays."""
    return sorted((home / "columns").rglob("*.map"))


def columns(home: Path) -> Mend:
    """Noise over the heads of all mapped arrays, for good."""
    for file in mapped(home):
        overwritten(file)
    return nothing


def cut_columns(home: Path) -> Mend:
    """All mapped arrays are empty files."""
    for file in mapped(home):
        cut(file)
    return nothing


def nothing() -> None:
    """There is nothing to make good again."""


def promoted_wreck(home: Path) -> Mend:
    """The pointer names a release of which half is missing."""
    file = home / "releases" / "current"
    before = file.read_bytes()
    wreck = home / "releases" / "20990101-000000-dead"
    wreck.mkdir(exist_ok=True)
    (wreck / "manifest.json").write_text("{}", "utf-8")
    file.write_bytes(b'{"name": "20990101-000000-dead"}')
    return lambda: _put(file, before)


def _put(file: Path, text: bytes) -> None:
    file.write_bytes(text)


FAULTS_OF_FILES: dict[str, Callable[[Path], Mend]] = {
    "catalogue (SQLite) damaged": catalogue,
    "traces (SQLite) damaged": traces,
    "event log (SQLite) damaged": log,
    "rules (SQLite) damaged": rules,
    "waiting features (SQLite) damaged": waiting,
    "live release damaged on disk": live_release,
    "release pointer damaged": pointer,
    "a wreck promoted": promoted_wreck,
}
