"""Files of rows: CSV, JSONL and Parquet, read row by row with their place in the file.

`open_table` looks at the whole file once, so that a file that is cut, empty, damaged or in another
encoding is refused before a single row of it is used. A row that is wrong by itself comes out with
its problem instead of values.
"""

import csv
import gzip
import io
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, cast

import msgspec

from palate.errors import BadInput
from palate.intake import parquet

FORMATS = ("csv", "jsonl", "parquet")
SHEETS = {".xlsx", ".xls", ".xlsm", ".ods", ".numbers"}
FIELD_BYTES = 16_000_000
GZIP = b"\x1f\x8b"
UTF16 = (b"\xff\xfe", b"\xfe\xff")
_number = re.compile(r"-?(0|[1-9][0-9]{0,14})(\.[0-9]+)?([eE][-+]?[0-9]{1,2})?")


class Row(NamedTuple):
    """One row: where it begins, its values by column, or what is wrong with it."""

    line: int
    values: dict[str, Any]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A file that was looked through and can be read."""

    path: Path
    columns: tuple[str, ...]
    count: int
    read: Callable[[], Iterator[Row]]
    text: bool = False
    """True where every cell is text (CSV), to be converted by what its field wants."""
    numeric: frozenset[str] = frozenset()
    """Columns of text in which every cell is empty or a plainly written number."""
    unended: Row | None = None
    """The last row of a CSV file without a newline at its end: it may be cut."""


def open_table(
    path: Path, format_: str | None = None, *, separator: str = "", encoding: str = "utf-8"
) -> Table:
    """Look through a file; BadInput in one line where it cannot be read as a whole."""
    if not path.is_file():
        raise BadInput(f"{path}: there is no such file")
    if path.suffix.lower() in SHEETS:
        raise BadInput(f"{path}: spreadsheets are not read; save it as CSV")
    kind = format_ or _guess(path)
    if kind == "parquet":
        return open_parquet(path)
    if kind == "jsonl":
        return open_jsonl(path, encoding=encoding)
    default = "\t" if ".tsv" in path.suffixes else ","
    return open_csv(path, separator=separator or default, encoding=encoding)


def open_csv(
    path: Path, *, separator: str = ",", encoding: str = "utf-8", columns: Sequence[str] = ()
) -> Table:
    """A table of text. The first line names the columns unless `columns` does."""
    mark = {"\\t": "\t", "tab": "\t"}.get(separator, separator)

    def records() -> Iterator[tuple[int, list[str] | str]]:
        with text_lines(path, encoding) as lines:
            yield from _split(lines, mark)

    with whole(path, encoding):
        rows = records()
        first = None if columns else next(rows, (0, ""))
        names = list(columns or _head(path, first))
        count, numeric, last = _look_through(path, rows, names, encoding)
        unended = None if _ends_in_newline(path, encoding) else _row(*last, names)

    def read() -> Iterator[Row]:
        rows = records()
        if not columns:
            next(rows)
        for line, cells in rows:
            yield _row(line, cells, names)

    held = tuple(name for name in names if name)
    return Table(path, held, count, read, text=True, numeric=numeric, unended=unended)


def open_jsonl(path: Path, *, encoding: str = "utf-8") -> Table:
    """One JSON object a line."""

    def read() -> Iterator[Row]:
        with text_lines(path, encoding) as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield _json_row(number, line)

    names: dict[str, None] = {}
    count, last = 0, None
    with whole(path, encoding):
        for last in read():
            count += 1
            names.update(dict.fromkeys(() if last.problem else last.values))
        if names and last is not None and last.problem and not _ends_in_newline(path, encoding):
            raise BadInput(f"{path}: line {last.line} ends in the middle; the file is cut short")
    if not names:
        raise BadInput(f"{path}: no line is a JSON object; a JSONL file has one on every line")
    return Table(path, tuple(names), count, read)


def open_parquet(path: Path) -> Table:
    """A Parquet file; `line` is the row's number from 1."""
    found = parquet.look_through(path)
    if found.count == 0:
        raise BadInput(f"{path}: the file has no rows")

    def read() -> Iterator[Row]:
        for number, values in enumerate(parquet.rows(path), start=1):
            yield Row(number, values)

    return Table(path, found.columns, found.count, read)


def _guess(path: Path) -> str:
    ends = path.suffixes[-2:]
    if ".parquet" in ends or ".pq" in ends:
        return "parquet"
    return "jsonl" if {".jsonl", ".ndjson", ".json"} & set(ends) else "csv"


@contextmanager
def text_lines(path: Path, encoding: str) -> Iterator[io.TextIOWrapper]:
    """The lines of a text file, which may be gzipped."""
    with path.open("rb") as raw:
        packed = raw.peek(2)[:2] == GZIP
        stream = gzip.GzipFile(fileobj=raw) if packed else raw
        codec = "utf-8-sig" if encoding.lower() in ("utf-8", "utf8") else encoding
        with io.TextIOWrapper(stream, codec, newline="") as lines:
            yield lines


@contextmanager
def whole(path: Path, encoding: str) -> Iterator[None]:
    """Turn what shows a bad file into one line."""
    try:
        if path.stat().st_size == 0:
            raise BadInput(f"{path}: the file is empty")
        with path.open("rb") as raw:
            if raw.read(2) in UTF16 and encoding.lower().startswith("utf-8"):
                raise BadInput(f"{path}: this looks like UTF-16; say --encoding utf-16")
        yield
    except UnicodeDecodeError as error:
        raise BadInput(
            f"{path}: not {encoding}: byte 0x{error.object[error.start]:02x} is out of place; "
            "try --encoding latin-1"
        ) from error
    except LookupError as error:
        raise BadInput(f"{path}: {error}; use utf-8 or latin-1") from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise BadInput(f"{path}: the gzip file is cut short or damaged ({error})") from error
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror or error}") from error


def _split(lines: io.TextIOWrapper, mark: str) -> Iterator[tuple[int, list[str] | str]]:
    """The cells of each row, or what is wrong with it."""
    if len(mark) != 1:
        for number, text in enumerate(lines, start=1):
            yield number, text.rstrip("\r\n").split(mark)
        return
    csv.field_size_limit(FIELD_BYTES)
    reader = csv.reader(lines, delimiter=mark, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield line, f"not CSV: {error}"
            continue
        if cells:
            yield line, cells


def _head(path: Path, first: tuple[int, list[str] | str] | None) -> list[str]:
    names = first[1] if first else ""
    if isinstance(names, str) or not any(name.strip() for name in names):
        raise BadInput(f"{path}: the first line names no columns")
    names = [name.strip() for name in names]
    twice = {name for name in names if name and names.count(name) > 1}
    if twice:
        raise BadInput(f"{path}: the first line names {', '.join(sorted(twice))} twice")
    return names


def _look_through(
    path: Path, rows: Iterator[tuple[int, list[str] | str]], names: list[str], encoding: str
) -> tuple[int, frozenset[str], tuple[int, list[str] | str]]:
    """Count the rows, find the columns of numbers and the last row; refuse a file that is cut."""
    numeric = {place: name for place, name in enumerate(names) if name}
    count, line, last = 0, 0, cast("list[str] | str", [])
    for line, last in rows:  # noqa: B007  the last one is looked at below
        count += 1
        if isinstance(last, str) or len(last) != len(names):
            continue
        for place in [p for p in numeric if last[p] and not _number.fullmatch(last[p])]:
            del numeric[place]
    if count == 0:
        raise BadInput(f"{path}: the file has no rows")
    if isinstance(last, str) and "unexpected end" in last:
        raise BadInput(f"{path}: a quote opened at line {line} is never closed; is it cut short?")
    if len(last) < len(names) and not _ends_in_newline(path, encoding):
        raise BadInput(f"{path}: line {line} ends in the middle; the file is cut short")
    return count, frozenset(numeric.values()), (line, last)


def _ends_in_newline(path: Path, encoding: str) -> bool:
    with path.open("rb") as raw:
        packed = raw.read(2) == GZIP
        raw.seek(-1, io.SEEK_END)
        if not packed and encoding.lower() in ("utf-8", "utf8", "latin-1"):
            return raw.read(1) in (b"\n", b"\r")
    line = ""
    with text_lines(path, encoding) as lines:
        for line in lines:  # noqa: B007  the last one counts
            pass
    return line.endswith(("\n", "\r"))


def _row(line: int, cells: list[str] | str, names: list[str]) -> Row:
    if isinstance(cells, str):
        return Row(line, {}, cells)
    if len(cells) != len(names):
        values = {"cells": cells}
        return Row(line, values, f"{len(cells)} cells where the file has {len(names)} columns")
    values_ = {name: cell for name, cell in zip(names, cells, strict=True) if name}
    return Row(line, values_)


def _json_row(number: int, line: str) -> Row:
    try:
        values = msgspec.json.decode(line)
    except (msgspec.DecodeError, RecursionError) as error:
        return Row(number, {"text": line.strip()[:1000]}, f"not JSON: {error}")
    if not isinstance(values, dict):
        return Row(number, {"text": line.strip()[:1000]}, "a JSON object is wanted on every line")
    return Row(number, values)
