"""Histories without times: who took what, in which order, and nothing else.

Three ways of writing them down are read, each in files that may be gzipped:

- with a first line of names, ``user,item`` or ``user,item,order`` (``--map`` names others);
- without one, two cells a line: ``user item``, each user's lines in order;
- without one, a line a user: ``user item item item …``.

Cells stand between commas, semicolons or tabs, else between blanks.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from palate.catalog.fields import WrongValueError, identifier
from palate.errors import BadInput
from palate.intake.cells import value_of
from palate.intake.rejects import Rejects
from palate.intake.tables import Row, Table, open_table, text_lines, whole

NAMES = {
    "user": ("user", "user_id", "userid", "uid", "customer_id", "session", "session_id"),
    "item": ("item", "item_id", "itemid", "iid", "product_id", "movieid", "movie_id"),
    "order": ("order", "position", "rank", "step", "index"),
}
"""First lines that are understood without ``--map``; upper and lower case alike."""
MARKS = (",", ";", "\t")
PAIR = 2


@dataclass(frozen=True, slots=True)
class Histories:
    """What a file held."""

    items: dict[str, list[str]]
    """User -> items, oldest first."""
    rows: int
    """Rows read, good and bad."""


class _Taken(NamedTuple):
    user: str
    item: str
    order: float


def read_histories(
    path: Path, pairs: Sequence[str], rejects: Rejects, *, separator: str = "", encoding: str
) -> Histories:
    """Read a whole file; BadInput in one line where it cannot be understood."""
    first = _first_line(path, encoding)
    mark = {"\\t": "\t", "tab": "\t"}.get(separator, separator) or _mark(first)
    named = _named([cell.strip() for cell in _cells(first, mark)], pairs, path)
    if named:
        return _of_table(open_table(path, "csv", separator=mark, encoding=encoding), named, rejects)
    return _of_lines(path, mark, encoding)


def _first_line(path: Path, encoding: str) -> str:
    if not path.is_file():
        raise BadInput(f"{path}: there is no such file")
    with whole(path, encoding), text_lines(path, encoding) as lines:
        for line in lines:
            if line.strip():
                return line.rstrip("\r\n")
    raise BadInput(f"{path}: the file has no rows")


def _mark(line: str) -> str:
    """What stands between the cells; a blank where nothing else does."""
    return next((mark for mark in MARKS if mark in line), " ")


def _cells(line: str, mark: str) -> list[str]:
    return line.split() if mark == " " else line.split(mark)


def _named(cells: list[str], pairs: Sequence[str], path: Path) -> dict[str, str]:
    """Field -> column where the first line names columns; {} where it is a row."""
    found = {
        field: cell
        for field, known in NAMES.items()
        for cell in reversed(cells)
        if cell.lower() in known
    }
    for pair in pairs:
        field, _, column = pair.partition("=")
        field = field.removesuffix("_id")
        if field not in NAMES or column not in cells:
            raise BadInput(
                f"--map {pair!r}: write user=, item= or order= and one of {', '.join(cells)}"
            )
        found[field] = column
    if not found or {"user", "item"} <= set(found):
        return found
    lacking = "user" if "user" not in found else "item"
    raise BadInput(
        f"{path}: the first line names no {lacking}; it has: {', '.join(cells)}; say which with"
        f" --map {lacking}=COLUMN"
    )


def _of_table(table: Table, named: dict[str, str], rejects: Rejects) -> Histories:
    taken = [each for row in table.read() if (each := _taken(row, named, rejects))]
    taken.sort(key=lambda each: each.order)
    held: dict[str, list[str]] = {}
    for user, item, _ in taken:
        held.setdefault(user, []).append(item)
    return Histories(held, table.count)


def _taken(row: Row, named: dict[str, str], rejects: Rejects) -> _Taken | None:
    values = row.values
    user, item = (str(values.get(named[name], "")).strip() for name in ("user", "item"))
    order = value_of("position", values.get(named["order"], "")) if "order" in named else row.line
    numbered = isinstance(order, int | float) and math.isfinite(order)
    wrong = {
        named["user"]: _flaw(user),
        named["item"]: _flaw(item),
        named.get("order", ""): "" if numbered else f"a number is wanted, not {order!r}",
    }
    found = [("", row.problem)] if row.problem else [each for each in wrong.items() if each[1]]
    if found:
        rejects.add(row.line, *found[0], values)
        return None
    return _Taken(user, item, float(order))


def _flaw(name: str) -> str:
    """What is wrong with an id, if anything."""
    try:
        identifier(name)
    except WrongValueError as error:
        return str(error)
    return ""


def _of_lines(path: Path, mark: str, encoding: str) -> Histories:
    held: dict[str, list[str]] = {}
    rows, widest, repeated = 0, 0, ""
    with whole(path, encoding):
        for number, cells in _rows(path, mark, encoding):
            problem = "a user and an item are wanted" if len(cells) < PAIR else ""
            if problem := problem or next(filter(None, map(_flaw, cells)), ""):
                raise BadInput(f"{path}: line {number}: {problem}")
            repeated = repeated or (cells[0] if cells[0] in held else "")
            held.setdefault(cells[0], []).extend(cells[1:])
            rows, widest = rows + len(cells) - 1, max(widest, len(cells))
    if repeated and widest > PAIR:
        raise BadInput(
            f"{path}: user {repeated!r} comes on several lines, and lines have up to {widest}"
            " cells. Either a line is `user item`, or it is a user's whole history; other columns"
            " need a first line that names them: user, item, order"
        )
    return Histories(held, rows)


def _rows(path: Path, mark: str, encoding: str) -> Iterator[tuple[int, list[str]]]:
    with text_lines(path, encoding) as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                cells = [cell.strip() for cell in _cells(line.rstrip("\r\n"), mark)]
                yield number, [cell for cell in cells if cell]
