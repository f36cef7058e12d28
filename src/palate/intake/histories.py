"""Histories without times, or with: who took what, in which order, and nothing else.

With a first line of names (``user,item``, ``user,item,order``, ``user,item,time``; ``--map`` names
others) the columns are read by it; without one `unnamed` finds what stands where. Files may be
gzipped. Cells stand between commas, semicolons, tabs, ``::`` or ``|``, else between blanks.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from palate.errors import BadInput
from palate.intake.mapping import TIMES
from palate.intake.rejects import Rejects
from palate.intake.tables import Row, Table, open_table
from palate.intake.unnamed import (
    Taken,
    cells_of,
    first_line,
    flaw,
    mark_of,
    read_lines,
    read_unnamed,
    when,
)

NAMES = {
    "user": ("user", "user_id", "userid", "uid", "customer_id", "session", "session_id"),
    "item": ("item", "item_id", "itemid", "iid", "product_id", "movieid", "movie_id"),
    "order": ("order", "position", "rank", "step", "index"),
    "time": TIMES,
}
"""First lines that are understood without ``--map``; upper and lower case alike."""


@dataclass(frozen=True, slots=True)
class Histories:
    """What a file held."""

    items: dict[str, list[str]]
    """User -> items, oldest first."""
    rows: int
    """Rows read, good and bad."""
    times: dict[str, list[float]] = field(default_factory=dict)
    """User -> when each was taken, seconds since 1970; empty where the file has no such times."""
    remarks: tuple[str, ...] = ()
    """What was made of the file, where that is not plain, and what of it was not used."""


def read_histories(
    path: Path,
    pairs: Sequence[str],
    rejects: Rejects,
    *,
    separator: str = "",
    encoding: str,
    latest: float = math.inf,
) -> Histories:
    """Read a whole file; BadInput in one line where it cannot be understood.

    Times after `latest` (seconds since 1970) are none.
    """
    first = first_line(path, encoding)
    mark = {"\\t": "\t", "tab": "\t"}.get(separator, separator) or mark_of(first)
    cells = cells_of(first, mark)
    named = _named(cells, pairs, path)
    if named:
        table = open_table(path, "csv", separator=mark, encoding=encoding)
        return _of_table(table, named, rejects, latest)
    found = read_unnamed(path, mark, encoding, latest)
    return _gathered(found.taken, found.rows, [found.remark])


def read_lists(path: Path, *, encoding: str) -> Histories:
    """Read a file of which it is known that a line is a user and all that they took."""
    found = read_lines(path, encoding)
    return _gathered(found.taken, found.rows, [])


def _of_table(table: Table, named: dict[str, str], rejects: Rejects, latest: float) -> Histories:
    taken = [each for row in table.read() if (each := _taken(row, named, rejects, latest))]
    unused = [column for column in table.columns if column not in named.values()]
    remarks = [f"columns that are not used: {', '.join(unused)}"] if unused else []
    if "time" in named and any(math.isnan(each.time) for each in taken):
        remarks.append(
            f"{named['time']!r} is taken as an order only: not all of it are times since 1980"
        )
    return _gathered(taken, table.count, remarks)


def _gathered(taken: list[Taken], rows: int, remarks: Sequence[str]) -> Histories:
    """Each user's items in order, with their times where all have one."""
    taken.sort(key=lambda each: each.order)
    timed = not any(math.isnan(each.time) for each in taken)
    items: dict[str, list[str]] = {}
    times: dict[str, list[float]] = {}
    for each in taken:
        items.setdefault(each.user, []).append(each.item)
        if timed:
            times.setdefault(each.user, []).append(each.time)
    return Histories(items, rows, times, tuple(remarks))


def _named(cells: list[str], pairs: Sequence[str], path: Path) -> dict[str, str]:
    """Field -> column where the first line names columns; {} where it is a row."""
    found = {
        field: cell
        for field, known in NAMES.items()
        for cell in reversed(cells)
        if cell.lower().removesuffix(":token").removesuffix(":float") in known
    }
    for pair in pairs:
        field, _, column = pair.partition("=")
        field = field.removesuffix("_id")
        if field not in NAMES or column not in cells:
            raise BadInput(
                f"--map {pair!r}: write user=, item=, order= or time= and one of {', '.join(cells)}"
            )
        found[field] = column
    if not found or {"user", "item"} <= set(found):
        return found
    lacking = "user" if "user" not in found else "item"
    raise BadInput(
        f"{path}: the first line names no {lacking}; it has: {', '.join(cells)}; say which with"
        f" --map {lacking}=COLUMN"
    )


def _taken(row: Row, named: dict[str, str], rejects: Rejects, latest: float) -> Taken | None:
    values = row.values
    user, item = (str(values.get(named[name], "")).strip() for name in ("user", "item"))
    by_time, time = when(values.get(named.get("time", "")), latest)
    order, _ = when(values.get(named.get("order", "")), latest)
    at = order if "order" in named else by_time if "time" in named else row.line
    wrong = [
        (named["user"], flaw(user)),
        (named["item"], flaw(item)),
        (named.get("order", ""), _unsaid("a number", values, named.get("order"), order)),
        (named.get("time", ""), _unsaid("a time", values, named.get("time"), by_time)),
    ]
    found = [("", row.problem)] if row.problem else [each for each in wrong if each[1]]
    if found:
        rejects.add(row.line, *found[0], values)
        return None
    return Taken(user, item, at, time)


def _unsaid(what: str, values: Mapping[str, Any], column: str | None, read: float) -> str:
    """What is wrong with a cell that should order, if anything."""
    if column is None or not math.isnan(read):
        return ""
    return f"{what} is wanted, not {values.get(column)!r}"
