"""The catalogue in one SQLite file: nothing to install, many processes may read and write it."""

import sqlite3
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path

import msgspec
import numpy as np

from palate.arrays import Rows
from palate.catalog import embeddings
from palate.catalog.database import Database, lookup, slices
from palate.catalog.item import Item
from palate.catalog.protocol import ItemChange
from palate.catalog.user import User
from palate.errors import CorruptStore

SCHEMA = """
create table if not exists item (
  row integer primary key, item_id text not null unique, version integer, document blob
);
create index if not exists item_version on item (version) where version is not null;
create table if not exists user (user_id text primary key, document blob not null) without rowid
"""
CACHED = 200_000
"""Ids whose row a process remembers. A row is given for ever, so the memory can never be wrong."""

_encode = msgspec.msgpack.Encoder(order="deterministic").encode
_item = msgspec.msgpack.Decoder(Item).decode
_user = msgspec.msgpack.Decoder(User).decode


class SqliteItems:
    """Items with their rows. A row's version says when its item last changed or went."""

    def __init__(self, path: Path) -> None:
        self._database = Database(path, SCHEMA + ";" + embeddings.SCHEMA)
        self._row_of: dict[str, int] = {}

    def put(self, items: Sequence[Item]) -> int:
        latest = {item.item_id: _encode(item) for item in items}
        with self._database.writing() as db:
            embeddings.hold(db, items, "/items/{}")
            held = lookup(
                db, "select item_id, document from item where item_id in ({})", list(latest)
            )
            changed = [(i, doc) for i, doc in latest.items() if held.get(i) != doc]
            _create(db, [i for i, _ in changed if i not in held])
            _change(db, changed)
        return len(changed)

    def find(self, item_ids: Sequence[str]) -> list[Item | None]:
        query = "select item_id, document from item where item_id in ({}) and document is not null"
        with self._database.reading() as db:
            held = lookup(db, query, list(dict.fromkeys(item_ids)))
        items = {name: self._item(document) for name, document in held.items()}
        return [items.get(name) for name in item_ids]

    def edit(self, item_id: str, change: Callable[[Item], Item]) -> Item | None:
        query = "select document from item where item_id = ? and document is not null"
        with self._database.writing() as db:
            held = db.execute(query, (item_id,)).fetchone()
            if held is None:
                return None
            item = change(self._item(held[0]))
            embeddings.hold(db, [item], "")
            if _encode(item) != held[0]:
                _change(db, [(item_id, _encode(item))])
        return item

    def remove(self, item_ids: Sequence[str]) -> int:
        query = "select item_id, row from item where item_id in ({}) and document is not null"
        with self._database.writing() as db:
            held = lookup(db, query, list(dict.fromkeys(item_ids)))
            _change(db, [(name, None) for name in held])
            embeddings.drop(db, held)
        return len(held)

    def rows(self, item_ids: Sequence[str], *, create: bool) -> Rows:
        missing = [name for name in dict.fromkeys(item_ids) if name not in self._row_of]
        found = {name: self._row_of[name] for name in item_ids if name in self._row_of}
        if missing:
            found |= self._look_up(missing, create=create)
        return np.array([found.get(name, -1) for name in item_ids], np.int32)

    def ids(self, rows: Rows) -> list[str]:
        asked = rows.tolist()
        known: dict[int, str] = {}
        with self._database.reading() as db:
            query = "select row, item_id from item where row in ({})"
            for part, marks in slices(list(dict.fromkeys(asked))):
                known.update(db.execute(query.format(marks), part).fetchall())
        return [known.get(row, "") for row in asked]

    def changes(self, after: int, limit: int) -> list[ItemChange]:
        query = (
            "select version, row, item_id, document from item where version > ? "
            "order by version limit ?"
        )
        with self._database.reading() as db:
            found = db.execute(query, (after, limit)).fetchall()
        return [
            ItemChange(version, row, name, None if document is None else self._item(document))
            for version, row, name, document in found
        ]

    def counts(self) -> tuple[int, int]:
        with self._database.reading() as db:
            held, given = db.execute("select count(document), count(*) from item").fetchone()
        return held, given

    def close(self) -> None:
        """Release the file."""
        self._database.close()

    def _look_up(self, names: list[str], *, create: bool) -> dict[str, int]:
        query = "select item_id, row from item where item_id in ({})"
        with self._database.reading() as db:
            found = lookup(db, query, names)
        unknown = [name for name in names if name not in found]
        if create and unknown:
            with self._database.writing() as db:
                _create(db, unknown)
                found |= lookup(db, query, unknown)
        self._remember(found)
        return found

    def _remember(self, found: dict[str, int]) -> None:
        if len(self._row_of) + len(found) > CACHED:
            self._row_of = {}
        self._row_of.update(islice(found.items(), CACHED))

    def _item(self, document: bytes) -> Item:
        try:
            return _item(document)
        except msgspec.DecodeError as error:
            raise CorruptStore(
                f"{self._database.path}: an item does not read back: {error}"
            ) from error


def _create(db: sqlite3.Connection, names: Sequence[str]) -> None:
    """Give each new name the next row; whoever came first keeps theirs."""
    (row,) = db.execute("select coalesce(max(row), -1) + 1 from item").fetchone()
    known = lookup(db, "select item_id, row from item where item_id in ({})", names)
    fresh = [name for name in names if name not in known]
    db.executemany(
        "insert into item (row, item_id) values (?, ?)", list(enumerate(fresh, start=row))
    )


def _change(db: sqlite3.Connection, changed: Sequence[tuple[str, bytes | None]]) -> None:
    """Write documents, each under a version of its own, larger than any before."""
    (version,) = db.execute("select coalesce(max(version), 0) + 1 from item").fetchone()
    db.executemany(
        "update item set version = ?, document = ? where item_id = ?",
        [(version + n, document, name) for n, (name, document) in enumerate(changed)],
    )


class SqliteUsers:
    """Profiles by user id."""

    def __init__(self, path: Path) -> None:
        self._database = Database(path, SCHEMA)

    def put(self, users: Sequence[User]) -> int:
        latest = {user.user_id: _encode(user) for user in users}
        query = "select user_id, document from user where user_id in ({})"
        with self._database.writing() as db:
            held = lookup(db, query, list(latest))
            changed = [(name, doc) for name, doc in latest.items() if held.get(name) != doc]
            db.executemany("insert or replace into user values (?, ?)", changed)
        return len(changed)

    def find(self, user_ids: Sequence[str]) -> list[User | None]:
        query = "select user_id, document from user where user_id in ({})"
        with self._database.reading() as db:
            held = lookup(db, query, list(dict.fromkeys(user_ids)))
        users = {name: self._user(document) for name, document in held.items()}
        return [users.get(name) for name in user_ids]

    def edit(self, user_id: str, change: Callable[[User], User]) -> User | None:
        query = "select document from user where user_id = ?"
        with self._database.writing() as db:
            held = db.execute(query, (user_id,)).fetchone()
            if held is None:
                return None
            user = change(self._user(held[0]))
            db.execute("insert or replace into user values (?, ?)", (user_id, _encode(user)))
        return user

    def remove(self, user_ids: Sequence[str]) -> int:
        removed = 0
        with self._database.writing() as db:
            for part, marks in slices(list(dict.fromkeys(user_ids))):
                removed += db.execute(f"delete from user where user_id in ({marks})", part).rowcount
        return removed

    def page(self, after: str, limit: int) -> list[User]:
        query = "select document from user where user_id > ? order by user_id limit ?"
        with self._database.reading() as db:
            return [self._user(doc) for (doc,) in db.execute(query, (after, limit))]

    def count(self) -> int:
        with self._database.reading() as db:
            (users,) = db.execute("select count(*) from user").fetchone()
        return int(users)

    def close(self) -> None:
        """Release the file."""
        self._database.close()

    def _user(self, document: bytes) -> User:
        try:
            return _user(document)
        except msgspec.DecodeError as error:
            raise CorruptStore(
                f"{self._database.path}: a user does not read back: {error}"
            ) from error
