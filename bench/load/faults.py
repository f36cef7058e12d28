"""Files of a running site that are damaged for a while, and made good again."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

Mend: TypeAlias = Callable[[], None]
NOISE = bytes(range(256)) * 16


def overwritten(file: Path, offset: int = 0) -> Mend:
    """Write noise over some of a file, in place: every process that has it open sees it."""
    with file.open("r+b") as held:
        held.seek(offset)
        before = held.read(len(NOISE))
        held.seek(offset)
        held.write(NOISE[: len(before)])

    def mend() -> None:
        with file.open("r+b") as held:
            held.seek(offset)
            held.write(before)

    return mend


def catalogue(home: Path) -> Mend:
    """The head of the catalogue's database, with its log: no statement can be read any more."""
    return overwritten(home / "catalog.db")


def traces(home: Path) -> Mend:
    """The head of the database of traces."""
    return overwritten(home / "traces.db")


def live_release(home: Path) -> Mend:
    """A file of the release that serves; who has it loaded goes on."""
    [release] = [p for p in (home / "releases").iterdir() if p.is_dir() and p.name[0] != "."]
    return overwritten(release / "two_tower" / "user.onnx")


def pointer(home: Path) -> Mend:
    """The pointer to the live release says nonsense."""
    file = home / "releases" / "current"
    before = file.read_bytes()
    file.write_bytes(b"nonsense")
    return lambda: _put(file, before)


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
    "live release damaged on disk": live_release,
    "release pointer damaged": pointer,
    "a wreck promoted": promoted_wreck,
}
