"""The books of live requests on the disk: counts by day and surface; every worker adds to them."""

from pathlib import Path

from palate.catalog.database import Database
from palate.funnel.ledger import Ledger

FILE = "ledger.db"
DAY = 86_400.0
SCHEMA = """
create table if not exists counts (
    day integer not null, surface text not null, what text not null, name text not null,
    part text not null, n integer not null,
    primary key (day, surface, what, name, part)
);
"""
ADD = """
insert into counts values (?, ?, ?, ?, ?, ?)
on conflict do update set n = n + excluded.n
"""
SUM = """
select what, name, part, sum(n) from counts where day >= ? and surface = ?
group by what, name, part order by min(rowid)
"""


class Books:
    """Ledgers, added up. They say nothing of who asked, and of no item."""

    def __init__(self, path: Path, keep_days: int) -> None:
        self._database = Database(path, SCHEMA)
        self._keep = keep_days

    def add(self, time: float, surface: str, kept: Ledger) -> None:
        """Enter what happened around `time`; what is too old goes. Blocks."""
        day = int(time // DAY)
        with self._database.writing() as db:
            db.executemany(ADD, [(day, surface, *line) for line in kept.entries()])
            db.execute("delete from counts where day <= ?", (day - self._keep,))

    def read(self, since: float, surface: str) -> Ledger:
        """All that was entered on the day of `since` and later. Blocks."""
        with self._database.reading() as db:
            found = db.execute(SUM, (int(since // DAY), surface)).fetchall()
        return Ledger.told(found)

    def close(self) -> None:
        """Close the file."""
        self._database.close()
