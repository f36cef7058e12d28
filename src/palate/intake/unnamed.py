"""Plain histories whose first line names nothing: what stands where is told by the cells.

- two cells a line: user and item, each user's lines in order;
- three cells a line of which the third can only be a number in an order, or a time;
- any number of cells: a user and all that they took.

What could be read in two ways is refused, never guessed.
"""

import csv
import math
from collections.abc import Hashable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from palate.catalog.fields import WrongValueError, identifier, moment
from palate.errors import BadInput
from palate.intake.cells import value_of
from palate.intake.tables import text_lines, whole

MARKS = (",", ";", "\t", "::", "|")
PAIR, TRIPLE = 2, 3
CLOCKS_SINCE = 315_532_800.0
"""1980: a number below is a place in an order, not a time that a machine wrote down."""
T = TypeVar("T", bound=Hashable)


class Taken(NamedTuple):
    """One thing that somebody took."""

    user: str
    item: str
    order: float
    """The less, the earlier."""
    time: float = math.nan
    """Seconds since 1970, where the file says them."""


class Lines(NamedTuple):
    """A file of lines that name nothing, read."""

    taken: list[Taken]
    rows: int
    remark: str


def first_line(path: Path, encoding: str) -> str:
    """The first line that says something."""
    if not path.is_file():
        raise BadInput(f"{path}: there is no such file")
    with whole(path, encoding), text_lines(path, encoding) as lines:
        for line in lines:
            if line.strip():
                return line.rstrip("\r\n")
    raise BadInput(f"{path}: the file has no rows")


def mark_of(line: str) -> str:
    """What stands between the cells; a blank where nothing else does."""
    return next((mark for mark in MARKS if mark in line), " ")


def cells_of(line: str, mark: str) -> list[str]:
    """The cells of a line, without the quotes around them."""
    if mark == " ":
        cells = line.split()
        return [
            cell[1:-1] if len(cell) > 1 and cell[0] == cell[-1] == '"' else cell for cell in cells
        ]
    split = next(csv.reader([line], delimiter=mark), []) if len(mark) == 1 else line.split(mark)
    return [cell.strip() for cell in split]


def flaw(name: str) -> str:
    """What is wrong with an id, if anything."""
    try:
        identifier(name)
    except WrongValueError as error:
        return str(error)
    return ""


def when(cell: object, latest: float) -> tuple[float, float]:
    """A cell's (place in an order, time in seconds); what it does not say is NaN.

    A time is what a clock may have shown, from 1980 to `latest`; other numbers only order.
    """
    value = value_of("time", cell)
    plain = float(value) if isinstance(value, int | float) else math.nan
    try:
        read = moment(value)
    except WrongValueError:
        return (plain if math.isfinite(plain) else math.nan), math.nan
    shown = CLOCKS_SINCE <= read <= latest
    return (read if math.isnan(plain) else plain), (read if shown else math.nan)


def read_unnamed(path: Path, mark: str, encoding: str, latest: float) -> Lines:
    """Read all lines; BadInput in one line where they cannot be understood."""
    with whole(path, encoding):
        lines = list(_lines(path, mark, encoding))
    _check_first(path, lines)
    triples = all(len(cells) == TRIPLE for cells in lines)
    return (triples and _triples(path, lines, latest)) or _histories(path, lines)


def read_lines(path: Path, encoding: str) -> Lines:
    """Read lines of a user and all that they took, known to be such."""
    mark = mark_of(first_line(path, encoding))
    with whole(path, encoding):
        lines = list(_lines(path, mark, encoding))
    return _histories(path, lines)


def _histories(path: Path, lines: Sequence[list[str]]) -> Lines:
    """Lines of a user and an item, or of a user and all that they took."""
    repeated = _repeated([cells[0] for cells in lines])
    widest = max(map(len, lines))
    if repeated and widest > PAIR:
        raise BadInput(
            f"{path}: user {repeated!r} comes on several lines, and lines have up to {widest}"
            " cells. Either a line is `user item`, or it is a user's whole history; other columns"
            " need a first line that names them: user, item, order or time"
        )
    user, *items = lines[0]
    wide = f"user {user!r} and all that they took" if widest > PAIR else ""
    told = wide or f"user {user!r} and item {items[0]!r}"
    taken = [
        Taken(cells[0], item, number) for number, cells in enumerate(lines) for item in cells[1:]
    ]
    return Lines(taken, len(taken), f"no line names the columns; the first one was read as {told}")


def _lines(path: Path, mark: str, encoding: str) -> Iterator[list[str]]:
    with text_lines(path, encoding) as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            cells = [cell for cell in cells_of(line.rstrip("\r\n"), mark) if cell]
            problem = "a user and an item are wanted" if len(cells) < PAIR else ""
            if problem := problem or next(filter(None, map(flaw, cells)), ""):
                raise BadInput(f"{path}: line {number}: {problem}")
            yield cells


def _check_first(path: Path, lines: Sequence[list[str]]) -> None:
    """Refuse a first line of words above lines of numbers: it names columns that nobody knows."""
    names, *rest = lines
    if rest and not any(map(_numbered, names)) and all(all(map(_numbered, row)) for row in rest):
        raise BadInput(
            f"{path}: the first line seems to name columns ({', '.join(names)}), none of which is"
            f" known; say which is which: --map user={names[0]} --map item={names[1]}"
        )


def _triples(path: Path, lines: Sequence[list[str]], latest: float) -> Lines | None:
    """Lines of user, item and when; None where the third cell is one more item."""
    times = [when(cells[2], latest)[1] for cells in lines]
    if timed := not any(map(math.isnan, times)):
        orders, itemlike = times, not any(math.isnan(when(row[1], latest)[1]) for row in lines)
    elif all(_numbered(cells[2]) for cells in lines):
        orders = [float(cells[2]) for cells in lines]
        itemlike = all(_numbered(cells[1]) for cells in lines)
    else:
        return None
    if itemlike and not _repeated([cells[0] for cells in lines]):
        raise BadInput(
            f"{path}: each line has three cells and each user one line, so that the third may be"
            " an item or an order: name the columns in a first line (user,item,order), or write"
            " a line for each item (user,item)"
        )
    twice = _repeated([(cells[0], at) for cells, at in zip(lines, orders, strict=True)])
    if twice and not timed:
        raise BadInput(
            f"{path}: the third cell is no time, and no order, for user {twice[0]!r} has"
            f" {twice[1]:g} twice: name the columns in a first line, such as user,item,rating"
        )
    taken = [
        Taken(user, item, at, at if timed else math.nan)
        for (user, item, _), at in zip(lines, orders, strict=True)
    ]
    told = f"user, item and {'time' if timed else 'order'}"
    return Lines(taken, len(taken), f"no line names the columns; they were read as {told}")


def _numbered(cell: str) -> bool:
    return isinstance(value_of("position", cell), int)


def _repeated(each: Sequence[T]) -> T | None:
    """The first that comes a second time."""
    met: set[T] = set()
    for one in each:
        if one in met:
            return one
        met.add(one)
    return None
