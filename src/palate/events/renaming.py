"""Taking a name out of the log, all at once, without keeping those waiting who write to it.

A log of many years is read from end to end to find one user's events, and again to find the
sessions that they claimed. Both happen before the write lock is taken, and so does the work on
events' words; what was found lies in tables of this connection alone. Behind the lock only what
came meanwhile is looked through, and SQLite changes the rows by their positions.
"""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

END = "select coalesce(max(position), 0) from event"
TABLES = {
    "mine": "position integer primary key, rest blob",
    "claimed": "name text primary key, new text not null",
    "grouped": "position integer primary key",
}
"""The user's events and what is left of their words, their sessions, and these sessions' events."""
CHANGE_USER = """
update event set user_id = ?,
  rest = (select mine.rest from temp.mine where mine.position = event.position)
where position in (select position from temp.mine) and user_id = ?
"""
CHANGE_SESSIONS = """
update event set session_id = coalesce(
  (select new from temp.claimed where name = event.session_id), session_id)
where position in (select position from temp.grouped)
"""


@dataclass(slots=True)
class Renaming:
    """One user's way out of a log."""

    user_id: str
    pseudonym: str
    which: str
    """Which kinds of events, as SQL."""
    plain: Callable[[bytes], bytes | None]
    """What is left of an event's words."""
    upto: int = 0
    """The last position that was looked at."""

    def begin(self, db: sqlite3.Connection) -> None:
        """Forget what was found for somebody else, and look through the log."""
        for name, columns in TABLES.items():
            db.execute(f"drop table if exists temp.{name}")
            db.execute(f"create temp table {name} ({columns})")
        self.look(db)

    def look(self, db: sqlite3.Connection) -> None:
        """Find what came since the last look; nothing is changed in the log."""
        (end,) = db.execute(END).fetchone()
        since, self.upto = self.upto, end
        db.create_function("plain", 1, self.plain, deterministic=True)
        where = f"position > ? and position <= ? and {self.which}"
        db.execute(
            "insert into temp.mine select position, case when rest is not null then plain(rest) end"
            f" from event where {where} and user_id = ?",
            (since, end, self.user_id),
        )
        if self._claims(db, since):  # what a session did before it was claimed goes too
            since = 0
        db.execute(
            f"insert or ignore into temp.grouped select position from event where {where}"
            " and session_id <> '' and session_id in (select name from temp.claimed)",
            (since, end),
        )

    def change(self, db: sqlite3.Connection) -> tuple[int, dict[str, str]]:
        """Give the new names; how many events were the user's, and the sessions' names."""
        before = db.total_changes
        db.execute(CHANGE_USER, (self.pseudonym, self.user_id))
        events = db.total_changes - before
        db.execute(CHANGE_SESSIONS)
        names = dict(db.execute("select name, new from temp.claimed order by rowid"))
        for name in TABLES:
            db.execute(f"drop table temp.{name}")
        return events, names

    def _claims(self, db: sqlite3.Connection, since: int) -> bool:
        """Name the sessions that the user claimed since; whether there are any."""
        told = db.execute(
            "select event.session_id from temp.mine join event using (position)"
            " where position > ? and session_id <> ''"
            " and session_id not in (select name from temp.claimed)"
            " group by session_id order by min(position)",
            (since,),
        ).fetchall()
        (known,) = db.execute("select count(*) from temp.claimed").fetchone()
        names = [(name, f"{self.pseudonym}/{known + n}") for n, (name,) in enumerate(told)]
        db.executemany("insert into temp.claimed values (?, ?)", names)
        return bool(names)
