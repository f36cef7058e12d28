"""One SQLite file, opened the way a live site needs it: many processes and threads, no surprise."""

import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from palate.errors import CorruptStore, PalateError, Unavailable

BUSY_SECONDS = 30.0
CLOSING_SECONDS = 5.0
"""For other threads to end what they are reading or writing when the file is closed."""
VERSION = 1
"""Of the tables; a file of another version is refused, not guessed at."""
PRIMARY = 0xFF
LET_GO = frozenset({sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN})
"""What a connection may go on saying when the disk is well again."""
VARIABLES = 900
"""How many `?` one statement may hold on any build of SQLite."""
PAGES = 32 << 20
"""Bytes of pages that the connections of a worker keep together."""


def bound_pages() -> None:
    """Hold page caches of this process to `PAGES`, however many threads read however many files.

    Each connection keeps up to 2 MB by itself; at the bound it takes its own oldest pages anew.
    """
    with closing(sqlite3.connect(":memory:")) as db:
        db.execute(f"pragma soft_heap_limit = {PAGES}")


class Database:
    """A file in WAL mode. Each thread gets a connection of its own; writers take turns.

    Whoever reads or writes gets CorruptStore where the file is not a database or is damaged, and
    Unavailable where it cannot be opened, is full, or stays locked for 30 seconds. A file that
    cannot be used at first is tried again each time; one that has its tables is not written to.
    """

    def __init__(self, path: Path, schema: str, *, synchronous: str = "NORMAL") -> None:
        self.path = path
        self._schema, self._synchronous = schema, synchronous
        self._prepared = False
        self._local = threading.local()
        self._guard = threading.Condition()
        self._open: list[sqlite3.Connection] = []
        self._at_work: Counter[int] = Counter()
        """By thread: what it has begun and not ended."""
        with suppress(PalateError):  # whoever asks is told
            self._prepare()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """This thread's connection; every statement sees one committed moment."""
        self._prepare()
        with self._working(), self._named_errors():
            yield self._connection()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that holds the write lock from its first statement: all or nothing."""
        self._prepare()
        with self._working(), self._named_errors(), _transaction(self._connection()) as db:
            yield db

    def close(self) -> None:
        """Close every thread's connection, when other threads have ended what they do.

        What they do not end in five seconds is left to them: a connection that is closed under a
        statement takes the process with it.
        """
        with self._guard:
            if self._guard.wait_for(self._alone, CLOSING_SECONDS):
                for connection in self._open:
                    connection.close()
            self._open.clear()
        self._local = threading.local()

    def _alone(self) -> bool:
        return not self._at_work.keys() - {threading.get_ident()}

    @contextmanager
    def _working(self) -> Iterator[None]:
        thread = threading.get_ident()
        with self._guard:
            self._at_work[thread] += 1
        try:
            yield
        finally:
            with self._guard:
                self._at_work[thread] -= 1
                if not self._at_work[thread]:
                    del self._at_work[thread]
                    self._guard.notify_all()

    def _prepare(self) -> None:
        """Make the tables where they are not there yet."""
        if self._prepared:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Unavailable(f"{self.path.parent} cannot be made: {error}") from error
        with self._working(), self._named_errors():
            db = self._connection()
            (version,) = db.execute("pragma user_version").fetchone()
            if version not in (0, VERSION):
                told = f"{self.path} was written by another version of Palate ({version})"
                raise CorruptStore(told)
            wanted = [each for each in self._schema.split(";") if each.strip()]
            if version == 0 or _lacks(db, wanted):
                with _transaction(db):
                    for statement in wanted:
                        db.execute(statement)
                    db.execute(f"pragma user_version = {VERSION}")
        self._prepared = True

    def _connection(self) -> sqlite3.Connection:
        held: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if held is None:
            held = self._local.connection = self._connect()
        return held

    def _let_go(self) -> None:
        """Open this thread's connection anew the next time: it stays read-only, as the disk was."""
        held: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if held is not None:
            self._local.connection = None
            with self._guard, suppress(ValueError):
                self._open.remove(held)
            held.close()

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
            if error.sqlite_errorcode & PRIMARY in LET_GO:
                self._let_go()
            raise Unavailable(f"{self.path}: {error}; nothing was done, try again") from error
        except sqlite3.DatabaseError as error:
            raise CorruptStore(
                f"{self.path} is not a readable SQLite database ({error}); restore it "
                "from a backup or move it away to start anew"
            ) from error


@contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    db.execute("begin immediate")
    try:
        yield db
        db.commit()
    except BaseException:
        if db.in_transaction:
            db.rollback()
        raise


def _lacks(db: sqlite3.Connection, wanted: Sequence[str]) -> bool:
    """Whether a table or an index of the schema is not there: another store shares the file."""
    named = (each.partition(" not exists ")[2].split()[0].partition("(")[0] for each in wanted)
    held = {name for (name,) in db.execute("select name from sqlite_master")}
    return not held.issuperset(named)


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
