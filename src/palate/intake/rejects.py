"""The rows that an import left out: one JSON object a line, with where, why and the row itself."""

from pathlib import Path
from typing import IO, Any, Self

import msgspec

from palate.errors import BadInput

SHOWN = 5


class Rejects:
    """Counts what was rejected, keeps the first few to show, and writes all of it.

    Into `path`, even where nothing is rejected; without one into `FILE.rejects.jsonl` beside
    `source`, only where something is; without either nowhere.
    """

    def __init__(self, path: Path | None, source: Path | None = None) -> None:
        self._asked = path is not None
        named = source is not None and source.name  # "." has none
        beside = source.with_name(f"{source.name}.rejects.jsonl") if source and named else None
        self.path = path or beside
        self.count = 0
        self.first: list[str] = []
        self._out: IO[bytes] | None = None

    def __enter__(self) -> Self:
        if self._asked and self.path is not None and not self.path.parent.is_dir():
            raise BadInput(f"cannot write {self.path}: there is no such folder")
        return self

    def __exit__(self, failure: type[BaseException] | None, *_: object) -> None:
        """An import that went through leaves a file, maybe an empty one; a refused one none."""
        if failure is None and self._asked:
            self._open()
        if self._out is not None:
            self._out.close()

    def _open(self) -> None:
        if self.path is not None and self._out is None:
            try:
                self._out = self.path.open("wb")
            except OSError as error:
                raise BadInput(f"cannot write {self.path}: {error.strerror}") from error

    def add(self, line: int, field: str, problem: str, row: dict[str, Any]) -> None:
        """Leave a row out."""
        self.count += 1
        if len(self.first) < SHOWN:
            self.first.append(f"line {line}: {field + ': ' if field else ''}{problem}")
        self._open()
        if self._out is not None:
            entry = {"line": line, "field": field, "problem": problem, "row": row}
            self._out.write(msgspec.json.encode(entry) + b"\n")
