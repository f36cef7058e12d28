"""What SQLite keeps in a process that has many connections."""

import subprocess
import sys
from pathlib import Path

import pytest

THREADS = 40
READING = f"""
import sys, threading
from pathlib import Path
from palate.catalog.database import PAGES, Database, bound_pages

def own():
    told = Path("/proc/self/smaps_rollup").read_text("ascii")
    return int(told.partition("Anonymous:")[2].split()[0]) << 10

if sys.argv[2] == "bounded":
    bound_pages()
database = Database(Path(sys.argv[1]), "create table if not exists entry (body text)")
with database.writing() as db:
    db.executemany("insert into entry values (?)", [("x" * 400,)] * 10_000)
together = threading.Barrier({THREADS})
def read():
    with database.reading() as db:
        db.execute("select sum(length(body)) from entry").fetchone()
    together.wait(60)
before = own()
threads = [threading.Thread(target=read) for _ in range({THREADS})]
[each.start() for each in threads], [each.join() for each in threads]
print((own() - before) / PAGES)
"""


@pytest.mark.parametrize(("how", "least", "most"), [("bounded", 0.5, 1.5), ("free", 2.0, 4.0)])
def test_connections_keep_pages_within_one_bound(
    tmp_path: Path, how: str, least: float, most: float
) -> None:
    command = (sys.executable, "-c", READING, str(tmp_path / "some.db"), how)
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert least < float(told) < most
