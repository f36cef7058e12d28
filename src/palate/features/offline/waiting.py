"""What serving leaves for the join: the features of what was shown, and whom to forget.

A bounded table in the site's folder, beside the log and not in it: features are kept as they were
read, take twenty times the room of the event, and are worth nothing once they stand in their row.
"""

import sqlite3
import threading
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from palate.arrays import Floats
from palate.catalog.database import Database

FILE = "waiting.db"
SCHEMA = """
create table if not exists page (
  seq integer primary key autoincrement, id text not null unique, names blob not null,
  body blob not null
);
create table if not exists forgotten (key blob primary key) without rowid
"""
PRUNE_EVERY = 256
"""Pages between two looks at the room they take."""
SLICE = 500
KEY_BYTES = 8


class Page(NamedTuple):
    """What a page was ranked by."""

    recommendation_id: str
    names: tuple[str, ...]
    features: Floats
    """(shown, features), in the order of the page."""


class Waiting:
    """The table, for any number of processes. Every method blocks: call it in a thread."""

    def __init__(self, path: Path, megabytes: int) -> None:
        # A page's features may be lost in a crash of the machine; an answer may not wait for one.
        self._database = Database(path, SCHEMA, synchronous="OFF")
        self._most = megabytes * 1_000_000
        self._guard, self._put = threading.Lock(), 0

    def put(self, pages: Sequence[Page]) -> None:
        """Keep pages until they are joined; drops the oldest where the room is used up."""
        rows = [(page.recommendation_id, _names(page), _packed(page)) for page in pages]
        with self._database.writing() as db:
            db.executemany("insert or ignore into page (id, names, body) values (?,?,?)", rows)
            with self._guard:
                self._put += len(rows)
                look, self._put = self._put >= PRUNE_EVERY, self._put % PRUNE_EVERY
            if look:
                self._prune(db)

    def find(self, ids: Sequence[str]) -> dict[str, Page]:
        """What is kept of these recommendations."""
        found = {}
        with self._database.reading() as db:
            for at in range(0, len(ids), SLICE):
                part = ids[at : at + SLICE]
                marks = ",".join("?" * len(part))
                query = f"select id, names, body from page where id in ({marks})"
                for name, names, body in db.execute(query, part):
                    found[name] = _unpacked(name, names, body)
        return found

    def done(self, ids: Sequence[str]) -> None:
        """These are in their rows."""
        with self._database.writing() as db:
            db.executemany("delete from page where id = ?", [(name,) for name in ids])

    def forget(self, keys: Iterable[int]) -> None:
        """Rows of these users and sessions are to lose the name."""
        rows = [(key.to_bytes(KEY_BYTES, "little"),) for key in keys]
        with self._database.writing() as db:
            db.executemany("insert or ignore into forgotten values (?)", rows)

    def forgotten(self) -> list[int]:
        """Whose rows have not lost it yet."""
        with self._database.reading() as db:
            return [
                int.from_bytes(key, "little") for (key,) in db.execute("select * from forgotten")
            ]

    def blurred(self, keys: Iterable[int]) -> None:
        """These lost it."""
        rows = [(key.to_bytes(KEY_BYTES, "little"),) for key in keys]
        with self._database.writing() as db:
            db.executemany("delete from forgotten where key = ?", rows)

    def close(self) -> None:
        """Release the file."""
        self._database.close()

    def _prune(self, db: sqlite3.Connection) -> None:
        """Drop the oldest where the file's pages in use are too many: to look costs nothing."""
        (size,), (pages,), (free,) = (
            db.execute(f"pragma {name}").fetchone()
            for name in ("page_size", "page_count", "freelist_count")
        )
        total = size * (pages - free)
        if total > self._most:
            (count,) = db.execute("select count(*) from page").fetchone()
            over = int(count * (1 - 0.9 * self._most / total)) + 1
            oldest = "(select seq from page order by seq limit 1 offset ?)"
            db.execute(f"delete from page where seq < coalesce({oldest}, 0)", [over])


def _names(page: Page) -> bytes:
    return "\n".join(page.names).encode()


def _packed(page: Page) -> bytes:
    """Feature by feature: what is the same for all of the page takes no room then."""
    return zlib.compress(np.ascontiguousarray(page.features.T, np.float32).tobytes(), 1)


def _unpacked(name: str, names: bytes, body: bytes) -> Page:
    features = tuple(names.decode().split("\n"))
    values = np.frombuffer(zlib.decompress(body), np.float32).reshape(len(features), -1)
    return Page(name, features, values.T)
