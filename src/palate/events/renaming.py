"""Taking a name out of the log, all at once, without keeping those waiting who write to it.

A log of many years is read from end to end to find one user's events, and again to find what the
sessions did that they claimed. Both happen before the write lock is taken, and so does the work on
events' words; what was found lies in tables of this connection alone. Behind the lock SQLite
changes the rows by their positions.
"""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field

from palate.events.kinds import Kind

END = "select coalesce(max(position), 0) from event"
FAREWELL = f"{END} where kind = {int(Kind.FORGET)} and user_id = ? and position <= ?"
DONE = f"""
select session_id, count(*) from event
where position > ? and position <= ? and user_id = ? and kind <> {int(Kind.FORGET)}
group by session_id order by min(position)
"""
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


def last_farewell(db: sqlite3.Connection, user_id: str, until: int) -> int:
    """The position of a user's newest FORGET event up to `until`; 0 where there is none."""
    (position,) = db.execute(FAREWELL, (user_id, until)).fetchone()
    return int(position)


@dataclass(slots=True)
class Seeking:
    """What a user did since they were last forgotten."""

    user_id: str
    events: int = 0
    sessions: dict[str, None] = field(default_factory=dict)
    """In the order of their first event."""
    upto: int = 0
    """The last position that was looked at."""

    def look(self, db: sqlite3.Connection) -> None:
        """Find what came since the last look; all of it anew where they were forgotten since."""
        (end,) = db.execute(END).fetchone()
        farewell = last_farewell(db, self.user_id, end)
        if farewell > self.upto:
            self.events, self.sessions, self.upto = 0, {}, farewell
        for session, count in db.execute(DONE, (self.upto, end, self.user_id)):
            self.events += count
            if session:
                self.sessions[session] = None
        self.upto = end


@dataclass(slots=True)
class Renaming:
    """One user's way out of a log, up to a position that was written long ago."""

    user_id: str
    pseudonym: str
    upto: int
    plain: Callable[[bytes], bytes | None]
    """What is left of an event's words."""

    def look(self, db: sqlite3.Connection) -> None:
        """Find what is to be changed; nothing is."""
        for name, columns in TABLES.items():
            db.execute(f"drop table if exists temp.{name}")
            db.execute(f"create temp table {name} ({columns})")
        db.create_function("plain", 1, self.plain, deterministic=True)
        db.execute(
            "insert into temp.mine select position, case when rest is not null then plain(rest) end"
            " from event where position <= ? and user_id = ?",
            (self.upto, self.user_id),
        )
        self._claim(db)
        db.execute(  # what a session did before it was claimed goes too
            "insert into temp.grouped select position from event where position <= ?"
            " and session_id <> '' and session_id in (select name from temp.claimed)",
            (self.upto,),
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

    def _claim(self, db: sqlite3.Connection) -> None:
        """Give the sessions names that the user claimed."""
        told = db.execute(
            "select session_id from temp.mine join event using (position)"
            " where session_id <> '' group by session_id order by min(position)"
        ).fetchall()
        names = [(name, f"{self.pseudonym}/{n}") for n, (name,) in enumerate(told)]
        db.executemany("insert into temp.claimed values (?, ?)", names)
