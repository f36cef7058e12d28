"""The process that reads one Parquet file: ``python parquet_child.py PATH BATCH``.

It decodes the file and writes messages, each behind its length: with a batch of 0 one that says
what the file holds, as JSON; else the rows as Arrow streams of `BATCH` rows. A file that cannot be
read ends it with 1 and the reason on the standard error, or by a signal.
"""

import io
import json
import sys

import polars as pl

SIZE = 8
"""Bytes of a message's length, the least significant first."""
LOOKED = 50_000
"""Rows decoded at once where none are sent."""
TIMES = ("Date", "Time", "Duration")
"""Types that can hold what Python's cannot: a year beyond 9999."""
DEEPEST = 64
"""Levels of lists and structures; whoever takes the rows should need no deep stack."""
REFUSED = (
    pl.exceptions.PolarsError,
    pl.exceptions.PanicException,
    OSError,
    ValueError,
    OverflowError,
)
"""How a file is refused, but for what ends the process."""


def main(path: str, batch: int) -> None:
    """Read the file, telling what comes of it."""
    try:
        _read(path, batch)
    except REFUSED as error:
        sys.exit(str(error).strip().partition("\n")[0] or type(error).__name__)


def _read(path: str, batch: int) -> None:
    schema = pl.read_parquet_schema(path)
    if any(_deeper(kind, DEEPEST) for kind in schema.values()):
        raise ValueError(f"a column is nested more than {DEEPEST} deep")
    scan = pl.scan_parquet(path)
    count = int(scan.select(pl.len()).collect().item())
    for start in range(0, count, batch or LOOKED):
        part = scan.slice(start, batch or LOOKED).collect()
        if batch:
            raw = io.BytesIO()
            part.write_ipc_stream(raw)
            _send(raw.getbuffer())
        else:
            _convert(part)
    if not batch:
        _send(json.dumps({"columns": list(schema), "count": count}).encode())


def _deeper(kind: object, levels: int) -> bool:
    """Whether a type has more levels than that."""
    inner: list[object] = []
    if isinstance(kind, pl.Struct):
        inner = [field.dtype for field in kind.fields]
    elif isinstance(kind, pl.List | pl.Array):
        inner = [kind.inner]
    return levels == 0 or any(_deeper(each, levels - 1) for each in inner)


def _convert(part: pl.DataFrame) -> None:
    """Make Python's own values of times, for some cannot be."""
    names = [name for name, kind in part.schema.items() if any(t in str(kind) for t in TIMES)]
    for _ in part.select(names).iter_rows():
        pass


def _send(raw: bytes | memoryview) -> None:
    out = sys.stdout.buffer
    out.write(len(raw).to_bytes(SIZE, "little"))
    out.write(raw)
    out.flush()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
