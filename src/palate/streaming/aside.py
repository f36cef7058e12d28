"""What cannot be folded is written down with the reason, and the stream goes on."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from palate.streaming.state import Refused

FILE, OLDER = "refused.jsonl", "refused.older.jsonl"
MOST_BYTES = 1_000_000
"""Of the file; then it becomes the older one, which goes."""


class _Line(msgspec.Struct):
    """How a line begins: position, and more that is of no concern here."""

    logged: list[object]


class Aside:
    """The list of a site: an event a line, `logged` and `problem`; each once, whatever crashes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, refused: Sequence[Refused]) -> list[Refused]:
        """Write down those that are not there yet; returns these."""
        file = self._folder / FILE
        file.parent.mkdir(parents=True, exist_ok=True)
        last = max(_last(file), _last(self._folder / OLDER))
        fresh = [each for each in refused if each.logged.position > last]
        if file.exists() and file.stat().st_size > MOST_BYTES:
            file.replace(self._folder / OLDER)
        with file.open("ab") as out:
            out.writelines(msgspec.json.encode(each._asdict()) + b"\n" for each in fresh)
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
            position = msgspec.json.decode(line, type=_Line).logged[0]
        except (msgspec.DecodeError, IndexError):
            continue
        if isinstance(position, int):
            return position
    return 0
