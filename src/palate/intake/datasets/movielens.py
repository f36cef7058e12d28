"""What the MovieLens sets share: titles with years, ratings, people's ages."""

import math
import re
from collections.abc import Container, Iterator
from datetime import UTC, datetime
from typing import Any

from palate.errors import BadInput
from palate.events.kinds import Event, Kind
from palate.intake.datasets.dataset import once, rows_of
from palate.intake.importing import Progress, row_id
from palate.intake.tables import Table
from palate.intake.time_order import TimeOrder

_year_at_end = re.compile(r"\s*\((\d{4})\)\s*$")
_article_behind = re.compile(r"(.+), (The|A|An|Le|La|Les|L'|Il|Das|Der|Die|El)( \(.+\))?")


def titled(title: str, year: str = "") -> dict[str, Any]:
    """A film's title, its publication (1 January of its year) and the attribute `year`.

    The title stands in reading order and without the year: it is printed, and read as text.

    >>> titled("Usual Suspects, The (1995)")["title"]
    'The Usual Suspects'
    """
    found = _year_at_end.search(title)
    name = _year_at_end.sub("", title) if found else title
    if turned := _article_behind.fullmatch(name):
        name = f"{turned[2]} {turned[1]}{turned[3] or ''}"
    told = found.group(1) if found else year
    if not (told.isdigit() and len(told) == 4):  # noqa: PLR2004  a year has four digits
        return {"title": name}
    start = datetime(int(told), 1, 1, tzinfo=UTC).timestamp()
    return {"title": name, "published_at": start, "attributes": {"year": int(told)}}


def entities(
    table: Table, id_column: str, columns: tuple[str, ...]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """(id, values) of each row, each id once."""
    met: dict[str, int] = {}
    for line, values in rows_of(table, (id_column, *columns)):
        name = str(values[id_column]).strip()
        if not name:
            raise BadInput(f"{table.path}: line {line}: {id_column} is empty")
        once(table, line, name, met)
        yield name, values


def ratings(
    table: Table,
    columns: tuple[str, str, str, str],
    known: Container[str],
    progress: Progress,
) -> TimeOrder:
    """Rating events of the columns (user, item, rating, time); 0 is an unknown rating.

    Every rating must be of a film in `known`: else one of the files is cut short.
    """
    order = TimeOrder()
    user, item, value, time = columns
    for line, row in rows_of(table, columns):
        film = str(row[item])
        if film not in known:
            raise BadInput(
                f"{table.path}: line {line}: there is no film {film!r}; is the films' file cut?"
            )
        at = number(table, line, row, time)
        event = Event(
            event_id=row_id(row, at),
            kind=Kind.RATING,
            time=at,
            user_id=str(row[user]),
            item_id=film,
            value=number(table, line, row, value) or None,
        )
        order.add(line, event, made_up=True)
        if line % 5_000 == 0:
            progress("reading", order.count, table.count)
    return order


def number(table: Table, line: int, row: dict[str, Any], column: str) -> float:
    """A cell that must be a number."""
    try:
        given = float(row[column])
    except ValueError:
        given = math.nan
    if math.isfinite(given):
        return given
    problem = f"{column} is {row[column]!r}, not a number"
    raise BadInput(f"{table.path}: line {line}: {problem}")


def born(age: float, year: int) -> int:
    """The year in which somebody of that age was born."""
    return year - int(age)
