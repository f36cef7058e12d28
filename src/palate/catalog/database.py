"""One SQLite file, opened the way a live site needs it: many processes and threads, no surprise."""

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from palate.errors import CorruptStore, Unavailable

BUSY_SECONDS = 30.0
VERSION = 1
"""Of the tables; a file of another version is refused, not guessed at."""
VARIABLES = 900
"""How many `?` one statement may hold on any build of SQLite."""


class Database:
    """A file in WAL mode. Each thread gets a connection of its own; writers take turns.

    Raises CorruptStore where the file is not a database or is damaged, and Unavailable where it
    cannot be opened, is full, or stays locked for 30 seconds.
    """

    def __init__(self, path: Path, schema: str, *, synchronous: str = "NORMAL") -> None:
        self.path = path
        self._synchronous = synchronous
        self._local = threading.local()
        self._guard = threading.Lock()
        self._open: list[sqlite3.Connection] = []
        path.parent.mkdir(parents=True, exist_ok=True)
        with self.writing() as db:
            (version,) = db.execute("pragma user_version").fetchone()
            if version not in (0, VERSION):
                raise CorruptStore(f"{path} was written by another version of Palate ({version})")
            for statement in filter(str.strip, schema.split(";")):
                db.execute(statement)
            db.execute(f"pragma user_version = {VERSION}")

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """This thread's connection; every statement sees one committed moment."""
        with self._named_errors():
            yield self._connection()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that holds the write lock from its first statement: all or nothing."""
        with self._named_errors():
            db = self._connection()
            db.execute("begin immediate")
            try:
                yield db
            except BaseException:
                db.rollback()
                raise
            db.commit()

    def close(self) -> None:
        """Close every thread's connection."""
        with self._guard:
            for connection in self._open:
                connection.close()
            self._open.clear()
        self._local = threading.local()

    def _connection(self) -> sqlite3.Connection:
        held: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if held is None:
            held = self._local.connection = self._connect()
        return held

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(
            self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            db.execute("pragma journal_mode = wal")
            db.execute(f"pragma synchronous = {self._synchronous}")
            db.execute("pragma temp_store = memory")
        except BaseException:
            db.close()
            raise
        with self._guard:
            self._open.append(db)
        return db

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise Unavailable(f"{self.path}: {error}; nothing was done, try again") from error
        except sqlite3.DatabaseError as error:
            raise CorruptStore(
                f"{self.path} is not a readable SQLite database ({error}); restore it "
                "from a backup or move it away to start anew"
            ) from error


def slices(names: Sequence[str], width: int = VARIABLES) -> Iterator[tuple[Sequence[str], str]]:
    """Cut `names` into parts that fit one statement, each with its ``?,?,…``."""
    for start in range(0, len(names), width):
        part = names[start : start + width]
        yield part, ",".join("?" * len(part))


def lookup(db: sqlite3.Connection, query: str, names: Sequence[str]) -> dict[str, Any]:
    """Run ``select key, value … where key in ({})`` over any number of names."""
    found: dict[str, Any] = {}
    for part, marks in slices(names):
        found.update(db.execute(query.format(marks), part).fetchall())
    return found
