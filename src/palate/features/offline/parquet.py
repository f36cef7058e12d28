"""The offline store as Parquet files in a folder, a folder a day; made for DuckDB and Polars.

Files are written aside, then a journal says what is to become of them, then they are renamed. A
crash before the journal leaves nothing; after it, the next opening does the rest of what it says.
So whoever reads ``shown/*/*.parquet`` sees each row once.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec
import polars as pl

from palate.disk import sync
from palate.errors import CorruptStore, Unavailable
from palate.features.offline.protocol import SCHEMA, Held, Landing, Part

LEDGER, JOURNAL, ASIDE = "ledger.json", "journal.json", "aside"
ENDING = ".parquet"

T = TypeVar("T", "_Ledger", "_Journal")


class _Ledger(msgspec.Struct, frozen=True):
    """What the folder holds."""

    schema: int
    position: int
    parts: tuple[Part, ...]


class _Journal(msgspec.Struct, frozen=True):
    """What is being done to the folder: files to go, files to come from aside, what then holds."""

    drop: tuple[str, ...]
    put: tuple[str, ...]
    then: _Ledger


class ParquetStore:
    """A folder. With `write`, what a crash left half done is done when it is opened.

    What a full disk left half done is done before anything else is, and Unavailable until then.
    """

    def __init__(self, folder: Path, *, write: bool) -> None:
        self._folder = folder
        self._owed = write

    def held(self) -> Held:
        if self._owed:
            with self._named_errors():
                (self._folder / ASIDE).mkdir(parents=True, exist_ok=True)
                self._recover()
            self._owed = False
        ledger = self._ledger()
        return Held(ledger.position, {part.name: part for part in ledger.parts})

    def scan(self, parts: Sequence[Part]) -> pl.LazyFrame:
        files = [self._file(part.name) for part in parts]
        gone = [file for file in files if not file.exists()]
        if gone or not files:
            named = gone[0] if gone else "a scan of no part"
            raise CorruptStore(f"{named} is not there; `palate attribute --anew` makes the store")
        frames = [pl.scan_parquet(file, hive_partitioning=False) for file in files]
        return pl.concat(frames, how="diagonal_relaxed")

    def land(self, landing: Landing) -> None:
        parts = dict(self.held().parts)
        self._owed = True
        with self._named_errors():
            self._land(landing, parts)
        self._owed = False

    def _land(self, landing: Landing, parts: dict[str, Part]) -> None:
        for part in landing.drop:
            parts.pop(part.name, None)
        for part, rows in landing.put:
            self._write(part, rows)
            parts[part.name] = part
        ledger = _Ledger(SCHEMA, landing.position, tuple(sorted(parts.values())))
        put = tuple(part.name for part, _ in landing.put)
        drop = tuple(part.name for part in landing.drop if part.name not in put)
        self._replace(JOURNAL, msgspec.json.encode(_Journal(drop, put, ledger)))
        self._carry_out()

    def close(self) -> None:
        """Nothing is held open."""

    def _write(self, part: Part, rows: pl.DataFrame) -> None:
        told = {
            "palate.schema": str(SCHEMA),
            "palate.table": part.table,
            "palate.first": str(part.first),
            "palate.last": str(part.last),
            "palate.finished": str(part.finished).lower(),
        }
        file = self._aside(part.name)
        rows.write_parquet(file, compression="zstd", compression_level=3, metadata=told)
        sync(file)

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
            raise Unavailable(f"{self._folder}: {error}; nothing was changed, try again") from error

    def _recover(self) -> None:
        if (self._folder / JOURNAL).exists():
            self._carry_out()
        for left in (self._folder / ASIDE).iterdir():
            left.unlink()

    def _carry_out(self) -> None:
        """Do what the journal says; may be begun again wherever it ended."""
        journal = _read(self._folder / JOURNAL, _Journal)
        touched = {self._folder}
        # What goes goes first: for a moment a reader may miss rows, but never see them twice.
        for name in journal.drop:
            self._file(name).unlink(missing_ok=True)
            touched.add(self._file(name).parent)
        for name in journal.put:
            aside, file = self._aside(name), self._file(name)
            file.parent.mkdir(parents=True, exist_ok=True)
            if aside.exists():
                aside.replace(file)
            # Also what holds the folder: a new day's name is there.
            touched |= {file.parent, file.parent.parent}
        for folder in touched:
            if folder.exists():
                sync(folder)
            if folder != self._folder and not any(folder.iterdir()):
                folder.rmdir()
        self._replace(LEDGER, msgspec.json.encode(journal.then))
        (self._folder / JOURNAL).unlink()

    def _ledger(self) -> _Ledger:
        file = self._folder / LEDGER
        if not file.exists():
            return _Ledger(SCHEMA, 0, ())
        ledger = _read(file, _Ledger)
        if ledger.schema != SCHEMA:
            raise CorruptStore(
                f"{file} has schema {ledger.schema}, this version writes {SCHEMA}:"
                " `palate attribute --anew` makes the store again from the log"
            )
        return ledger

    def _replace(self, name: str, raw: bytes) -> None:
        aside = self._folder / ASIDE / name
        aside.write_bytes(raw)
        sync(aside)
        aside.replace(self._folder / name)
        sync(self._folder)

    def _file(self, name: str) -> Path:
        return self._folder / (name + ENDING)

    def _aside(self, name: str) -> Path:
        return self._folder / ASIDE / (name.replace("/", "@") + ENDING)


def _read(file: Path, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(file.read_bytes(), type=kind)
    except msgspec.DecodeError as error:
        raise CorruptStore(
            f"{file} does not read back ({error}): `palate attribute --anew` makes the store again"
        ) from error
