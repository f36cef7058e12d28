"""The book of rules in one SQLite file beside the catalogue."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from palate.catalog.database import Database
from palate.errors import Conflict, CorruptStore
from palate.rules.documents import Rule, encoded
from palate.rules.protocol import Book, By, Change, Entry, differences

SCHEMA = """
create table if not exists book (one integer primary key check (one = 1), version integer,
                                 rules blob);
create table if not exists file (one integer primary key check (one = 1), rules blob);
create table if not exists audit (seq integer primary key, version integer, entry blob);
create table if not exists placed (rule text primary key, times integer) without rowid;
"""


LOG = "insert into audit (version, entry) values (?, ?)"


class SqliteRules:
    """One row holds the whole book: a change is seen whole or not at all."""

    def __init__(self, path: Path) -> None:
        self._database = Database(path, SCHEMA, synchronous="FULL")
        self._decoder = msgspec.json.Decoder(tuple[Rule, ...])

    def version(self) -> int:
        with self._database.reading() as db:
            found = db.execute("select version from book").fetchone()
        return int(found[0]) if found else 0

    def read(self) -> Book:
        with self._database.reading() as db:
            found = db.execute("select version, rules from book").fetchone()
        return self._book(found)

    def edit(self, change: Change, by: By, expected: int | None = None) -> Book:
        with self._database.writing() as db:
            found = db.execute("select version, rules from book").fetchone()
            old = self._book(found)
            if expected is not None and expected != old.version:
                raise Conflict(
                    f"the rules are at version {old.version}, not {expected}: somebody changed"
                    " them; read them again"
                )
            book = Book(old.version + 1, change(old.rules))
            lines = _lines(old, book, by)
            if not lines:
                return old
            raw = _written(book.rules)
            db.execute("insert or replace into book values (1, ?, ?)", (book.version, raw))
            db.executemany(LOG, lines)
            gone = {each.id for each in old.rules} - {each.id for each in book.rules}
            db.executemany("delete from placed where rule = ?", [(each,) for each in gone])
        return book

    def follow_file(self, rules: tuple[Rule, ...], by: By) -> None:
        with self._database.reading() as db:
            if self._file(db) == rules:
                return
        with self._database.writing() as db:
            old = self._file(db)
            found = db.execute("select version from book").fetchone()
            version = int(found[0]) if found else 0
            db.executemany(LOG, _lines(Book(version, old), Book(version, rules), by))
            db.execute("insert or replace into file values (1, ?)", (_written(rules),))

    def placed(self, more: Mapping[str, int]) -> dict[str, int]:
        if more:
            with self._database.writing() as db:
                db.executemany(
                    "insert into placed values (?, ?)"
                    " on conflict (rule) do update set times = times + excluded.times",
                    list(more.items()),
                )
                return _placed(db)  # in the transaction: what fails here was not counted
        with self._database.reading() as db:
            return _placed(db)

    def audit(self, limit: int, before: int | None = None) -> list[Entry]:
        below = 2**62 if before is None else before
        with self._database.reading() as db:
            found = db.execute(
                "select seq, entry from audit where seq < ? order by seq desc limit ?",
                (below, limit),
            ).fetchall()
        with self._named_errors():
            return [
                msgspec.structs.replace(msgspec.json.decode(raw, type=Entry), line=seq)
                for seq, raw in found
            ]

    def close(self) -> None:
        self._database.close()

    def _book(self, found: tuple[int, bytes] | None) -> Book:
        if found is None:
            return Book(0, ())
        with self._named_errors():
            return Book(int(found[0]), self._decoder.decode(found[1]))

    def _file(self, db: sqlite3.Connection) -> tuple[Rule, ...]:
        """The file's rules as they were followed last."""
        found = db.execute("select rules from file").fetchone()
        with self._named_errors():
            return self._decoder.decode(found[0]) if found else ()

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except msgspec.MsgspecError as error:
            raise CorruptStore(
                f"{self._database.path} does not read back ({error}); restore it from a backup"
            ) from error


def _written(rules: tuple[Rule, ...]) -> bytes:
    return msgspec.json.encode([encoded(each) for each in rules])


def _placed(db: sqlite3.Connection) -> dict[str, int]:
    return {str(rule): int(n) for rule, n in db.execute("select rule, times from placed")}


def _lines(old: Book, new: Book, by: By) -> list[tuple[int, bytes]]:
    was, now = {each.id: each for each in old.rules}, {each.id: each for each in new.rules}
    return [
        (
            new.version,
            msgspec.json.encode(
                {
                    "version": new.version,
                    "time": by.time,
                    "who": by.who,
                    "action": action,
                    "rule_id": name,
                    "before": encoded(was[name]) if name in was else None,
                    "after": encoded(now[name]) if name in now else None,
                }
            ),
        )
        for action, name in differences(old.rules, new.rules)
    ]
