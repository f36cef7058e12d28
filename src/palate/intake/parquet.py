"""Parquet files, read by a process of their own: a file made to harm can end that one, not ours.

Polars decodes Parquet in native code. At some damaged files it panics, at some the whole process
is aborted, and Python catches neither for certain. So `parquet_child.py` opens the file and sends
what it read over a pipe; however it ends, this side has a row or a refusal in words.
"""

import io
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from signal import strsignal
from subprocess import DEVNULL, PIPE, Popen
from typing import IO, Any

import msgspec
import polars as pl

from palate.errors import BadInput
from palate.intake import parquet_child

BATCH = 50_000
"""Rows that are in memory at once."""
SAID = 2_000
"""Bytes of what the reader last wrote to its standard error."""


class Looked(msgspec.Struct, frozen=True):
    """What a file holds."""

    columns: tuple[str, ...]
    count: int


def look_through(path: Path) -> Looked:
    """Decode every page of a file once; BadInput in one line where that cannot be done."""
    with _reader(path, 0) as frames:
        return msgspec.json.decode(b"".join(frames), type=Looked)


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """Every row by column, in the file's order and types; BadInput as in `look_through`."""
    with _reader(path, BATCH) as frames:
        for raw in frames:
            try:
                yield from pl.read_ipc_stream(io.BytesIO(raw)).iter_rows(named=True)
            except parquet_child.REFUSED as error:
                raise _damaged(path, str(error)) from error


@contextmanager
def _reader(path: Path, batch: int) -> Iterator[Iterator[bytes]]:
    """The messages of a running reader; the last one has come when it ended well."""
    command = [sys.executable, "-P", parquet_child.__file__, str(path), str(batch)]
    with (
        tempfile.TemporaryFile() as said,
        Popen(command, stdin=DEVNULL, stdout=PIPE, stderr=said) as child,  # noqa: S603  our own
    ):
        try:
            yield _frames(path, child, said)
        finally:
            child.kill()


def _frames(path: Path, child: "Popen[bytes]", said: IO[bytes]) -> Iterator[bytes]:
    assert child.stdout is not None  # noqa: S101
    while raw := _frame(child.stdout):
        yield raw
    if child.wait():
        raise _damaged(path, _end_of(child.returncode, said))


def _frame(stream: IO[bytes]) -> bytes:
    """The next message, b"" where there is none, or not the whole of one."""
    size = int.from_bytes(stream.read(parquet_child.SIZE), "little")
    raw = stream.read(size)
    return raw if len(raw) == size else b""


def _end_of(code: int, said: IO[bytes]) -> str:
    """How a reader ended that did not end well: the signal, or the last that it wrote."""
    if code < 0:
        return f"it ended the process that read it: {strsignal(-code)}"
    said.seek(max(0, said.seek(0, io.SEEK_END) - SAID))
    lines = [line for line in said.read().decode("utf-8", "replace").split("\n") if line.strip()]
    return lines[-1] if lines else f"the process that read it ended with {code}"


def _damaged(path: Path, why: str) -> BadInput:
    reason = why.strip().partition("\n")[0]
    return BadInput(f"{path}: not a whole Parquet file ({reason})")
