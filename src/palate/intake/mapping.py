"""Which column of a file is which field of ours."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from palate.catalog.fields import Fields
from palate.errors import BadInput
from palate.intake.cells import is_empty, value_of
from palate.intake.tables import Table

SEPARATORS = {";": "';'", "\t": "tab", "::": "::", "|": "'|'", ",": "','"}
"""What may lie between cells, and how the command is told so."""
TIMES = ("time", "timestamp", "datetime", "date")
"""What a column of times is called, in upper and lower case alike."""
HINTS = {
    "kind": ", or that all are of one kind with --kind KIND",
    "time": "; where there are no times: palate import histories",
}


@dataclass(frozen=True, slots=True)
class Columns:
    """Makes documents of rows: fields by their columns, everything else as free attributes."""

    fields: Mapping[str, str]
    """Our field -> the file's column."""
    extra: str
    """The field that takes all other columns: `attributes` or `properties`."""
    others: tuple[str, ...]
    text: bool
    numeric: frozenset[str]
    constants: Mapping[str, Any]

    def document(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """A row as the document that the decoders read."""
        document = dict(self.constants)
        for field, column in self.fields.items():
            cell = row.get(column)
            if not is_empty(cell):
                document[field] = value_of(field, cell)
        free = {c: self._free(c, row[c]) for c in self.others if not is_empty(row.get(c))}
        if free:
            given = document.get(self.extra, {})
            document[self.extra] = free | given if isinstance(given, dict) else given
        return document

    def column(self, field: str) -> str:
        """The file's name of a field."""
        return self.fields.get(field, field)

    def _free(self, column: str, cell: Any) -> Any:
        if not self.text:
            return value_of("", cell)
        return value_of("value" if column in self.numeric else "", cell)


def columns_of(
    table: Table,
    known: Fields,
    pairs: Sequence[str],
    *,
    extra: str,
    required: Sequence[str],
    constants: Mapping[str, Any] | None = None,
) -> Columns:
    """Read ``--map field=column`` pairs; BadInput where a field or a column does not exist.

    A column that is called like a field is that field; one of TIMES is the time where that is
    needed and no other column is it. `required` names the fields that the file
    must have, one of several where they are written ``user_id|session_id``.
    """
    given = constants or {}
    mapped = dict(_pair(pair, table, known) for pair in pairs)
    taken = set(mapped.values())
    for name in table.columns:
        if name in known.readers and name not in taken and name not in given:
            mapped.setdefault(name, name)
    if "time" in required and "time" not in mapped:
        free = [c for c in table.columns if c.lower() in TIMES and c not in mapped.values()]
        mapped |= dict(zip(["time"], free, strict=False))
    for need in required:
        if not any(name in mapped or name in given for name in need.split("|")):
            raise BadInput(_missing(table, need))
    used = set(mapped.values())
    others = tuple(c for c in table.columns if c not in used and c not in given)
    return Columns(mapped, extra, others, table.text, table.numeric, given)


def _pair(pair: str, table: Table, known: Fields) -> tuple[str, str]:
    field, equals, column = pair.partition("=")
    if not equals or not field or not column:
        raise BadInput(f"--map {pair!r}: write field=column, as in item_id=movieId")
    if field not in known.readers:
        raise BadInput(
            f"--map {pair!r}: {known.what} has no field {field!r}; "
            f"one of: {', '.join(known.readers)}"
        )
    if column not in table.columns:
        raise BadInput(f"{table.path}: no column {column!r}; it has: {', '.join(table.columns)}")
    return field, column


def _missing(table: Table, need: str) -> str:
    names = need.split("|")
    return (
        f"{table.path}: no column for {' or '.join(names)}; it has: {', '.join(table.columns)}; "
        f"say which with --map {names[0]}=COLUMN{HINTS.get(need, '')}"
        f"{_separated(table)}"
    )


def _separated(table: Table) -> str:
    """A hint where the only column looks like several with something else between them."""
    only = table.columns[0] if table.text and len(table.columns) == 1 else ""
    between = next((mark for mark in SEPARATORS if mark in only), "")
    if not between:
        return ""
    return f"; or is it --separator {SEPARATORS[between]} that lies between its columns?"
