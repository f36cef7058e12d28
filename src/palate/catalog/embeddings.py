"""One width for all embeddings of a catalogue: vectors of two models cannot be told near or far.

The first embedding sets the width; it holds until no item has an embedding any more. A table of
the catalogue keeps the width of each, so the check is part of the transaction that writes.
"""

import sqlite3
from collections.abc import Iterable, Sequence

from palate.catalog.item import Item
from palate.errors import BadInput, Problem

SCHEMA = """
create table if not exists embedding (
  item_id text primary key, width integer not null
) without rowid
"""


def hold(db: sqlite3.Connection, items: Sequence[Item], pointer: str) -> None:
    """Note the embeddings of what is being written, of equal ids the last one.

    Raises BadInput, which rolls the transaction back, where one has another width than the rest:
    its problems are at ``{pointer}/embedding``, with the item's place in it for ``{}``.
    """
    if not any(item.embedding for item in items) and not _width(db):
        return
    drop(db, (item.item_id for item in items))
    latest = {item.item_id: place for place, item in enumerate(items)}
    given = [(n, len(items[n].embedding)) for n in latest.values() if items[n].embedding]
    width = _width(db) or (given[0][1] if given else 0)
    other = [(pointer.format(n), wide) for n, wide in given if wide != width]
    if other:
        raise _refused([Problem(f"{at}/embedding", _cure(wide, width)) for at, wide in other])
    db.executemany(
        "insert into embedding values (?, ?)", [(items[n].item_id, wide) for n, wide in given]
    )


def drop(db: sqlite3.Connection, item_ids: Iterable[str]) -> None:
    """These items have no embedding any more."""
    db.executemany("delete from embedding where item_id = ?", [(name,) for name in item_ids])


def places_of(wrong: BadInput) -> dict[int, Problem]:
    """What is wrong with which item of a list that was refused as ``/items/{}``."""
    return {int(each.pointer.split("/")[-2]): each for each in wrong.problems}


def alone(wrong: BadInput) -> BadInput:
    """The same of an item that was no part of a list."""
    return _refused([Problem("/embedding", each.problem) for each in wrong.problems])


def _refused(problems: Sequence[Problem]) -> BadInput:
    return BadInput.of(problems, "item refused at ")


def _width(db: sqlite3.Connection) -> int:
    found = db.execute("select width from embedding limit 1").fetchone()
    return int(found[0]) if found else 0


def _cure(given: int, width: int) -> str:
    return (
        f"{given} numbers, where the catalogue's embeddings have {width}; send {width} numbers or "
        "none (the width changes once no item has an embedding any more)"
    )
