"""Names and their codes, in an append-only file that other processes read on demand."""

import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path


class Vocabulary:
    """Codes from 0 in the order of first sight; a name keeps its code.

    The file holds one JSON string a line. `published` says how many of its names count (the
    writer's number in a shared header), so that a reader never takes a half-written line.
    """

    def __init__(
        self,
        file: Path | None,
        published: Callable[[], int],
        key_of: Callable[[str], int] | None = None,
    ) -> None:
        self._file, self._published = file, published
        self._names: list[str] = []
        self._codes: dict[str, int] = {}
        self._key_of, self._keyed = key_of, dict[int, int]()
        self._offset = 0

    def code(self, name: str) -> int:
        """The name's code; -1 where it has none."""
        found = self._codes.get(name)
        if found is None:
            self._catch_up()
            found = self._codes.get(name, -1)
        return found

    def code_of_key(self, key: int) -> int:
        """The code of the name with this key, by `key_of`; -1 where there is none."""
        self._catch_up()
        return self._keyed.get(key, -1)

    def name(self, code: int) -> str:
        """The name with this code; "" where there is none."""
        if code >= len(self._names):
            self._catch_up()
        return self._names[code] if 0 <= code < len(self._names) else ""

    def names(self) -> list[str]:
        """All names by code."""
        self._catch_up()
        return list(self._names)

    def learn(self, names: Iterable[str], limit: int) -> int:
        """Give codes to new names, at most `limit` in all; returns how many names there are now."""
        self._catch_up()
        new = [n for n in dict.fromkeys(names) if n not in self._codes]
        new = new[: max(0, limit - len(self._names))]
        if new and self._file is not None:
            with self._file.open("a", encoding="utf-8") as out:
                out.writelines(json.dumps(name) + "\n" for name in new)
            self._offset = self._file.stat().st_size
        self._add(new)
        return len(self._names)

    def cut(self) -> bool:
        """Writer only: drop what a killed writer never published; False where names are missing."""
        self._catch_up()
        if self._file is not None and self._file.exists():
            os.truncate(self._file, self._offset)
        return len(self._names) == self._published()

    def _catch_up(self) -> None:
        if len(self._names) >= self._published() or self._file is None or not self._file.exists():
            return
        with self._file.open("rb") as lines:
            lines.seek(self._offset)
            for line in lines:
                if len(self._names) >= self._published() or not line.endswith(b"\n"):
                    break
                try:
                    name = json.loads(line)
                except ValueError:  # damaged: names are missing, and `cut` says so
                    break
                self._offset += len(line)
                self._add([name])

    def _add(self, names: Iterable[str]) -> None:
        for name in names:
            self._codes[name] = len(self._names)
            if self._key_of is not None:
                self._keyed[self._key_of(name)] = len(self._names)
            self._names.append(name)
