"""What cannot be folded is written down with the reason, and the stream goes on."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from palate.errors import Problem, Unavailable
from palate.streaming.state import Refused

FILE, OLDER = "refused.jsonl", "refused.older.jsonl"
MOST_BYTES = 1_000_000
"""Of the file; then it becomes the older one, which goes."""


class _Line(msgspec.Struct):
    """Nothing that says who did it: lines outlive a user who is forgotten."""

    position: int
    event_id: str
    kind: str
    problem: Problem


class Aside:
    """The list of a site: an event a line and its problem; each once, whatever crashes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, refused: Sequence[Refused]) -> list[Refused]:
        """Write down those that are not there yet; returns these.

        Raises Unavailable where the disk is full or takes nothing.
        """
        try:
            return self._kept(refused)
        except OSError as error:
            told = f"what cannot be folded cannot be written to {self._folder / FILE} ({error})"
            raise Unavailable(told) from error

    def _kept(self, refused: Sequence[Refused]) -> list[Refused]:
        file = self._folder / FILE
        file.parent.mkdir(parents=True, exist_ok=True)
        last = max(_last(file), _last(self._folder / OLDER))
        fresh = [each for each in refused if each.logged.position > last]
        if file.exists() and file.stat().st_size > MOST_BYTES:
            file.replace(self._folder / OLDER)
        with file.open("ab") as out:
            out.writelines(msgspec.json.encode(_line(each)) + b"\n" for each in fresh)
        return fresh


def count(folder: Path) -> int:
    """How many events the lists hold."""
    files = [file for name in (OLDER, FILE) if (file := folder / name).exists()]
    return sum(file.read_bytes().count(b"\n") for file in files)


def _last(file: Path) -> int:
    """Log position of a list's last whole line; 0 where there is none."""
    lines = file.read_bytes().splitlines() if file.exists() else []
    for line in reversed(lines):
        try:
            return msgspec.json.decode(line, type=_Line).position
        except msgspec.DecodeError:
            continue
    return 0


def _line(refused: Refused) -> _Line:
    (position, _, event), problem = refused
    return _Line(position, event.event_id, event.kind.name.lower(), problem)
