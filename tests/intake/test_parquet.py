"""A Parquet file is read by another process, whose end is a refusal and not ours."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from palate.errors import BadInput
from palate.intake.tables import open_table

FOUND = Path(__file__).parents[1] / "fuzz" / "parquet"


def test_every_type_comes_out_as_polars_itself_gives_it(tmp_path: Path) -> None:
    at = datetime(2026, 3, 4, 5, 6, 7, 89, tzinfo=UTC)
    frame = pl.DataFrame(
        {
            "text": ["a", None],
            "bytes": [b"\x00\xff", b""],
            "small": pl.Series([1, -1], dtype=pl.Int8),
            "large": pl.Series([2**64 - 1, 0], dtype=pl.UInt64),
            "half": pl.Series([0.5, None], dtype=pl.Float32),
            "yes": [True, None],
            "when": [at, None],
            "naive": [at.replace(tzinfo=None), None],
            "day": [date(1969, 1, 1), None],
            "hour": [time(1, 2, 3), None],
            "span": [timedelta(days=1, microseconds=1), None],
            "money": [Decimal("1.25"), None],
            "list": [["a", "b"], None],
            "vector": pl.Series([[0.5, 1.0], [0.0, 2.0]], dtype=pl.Array(pl.Float32, 2)),
            "object": [{"x": 1, "y": [at]}, {"x": None, "y": []}],
            "kind": pl.Series(["u", "v"], dtype=pl.Categorical),
        }
    )
    file = tmp_path / "a.parquet"
    frame.write_parquet(file)
    wanted = list(pl.read_parquet(file).iter_rows(named=True))
    assert [row.values for row in open_table(file).read()] == wanted


def test_a_file_that_ends_the_process_is_refused() -> None:
    file = FOUND / "a-schema-3000-levels-deep-overflows-the-stack"
    with pytest.raises(BadInput, match="ended the process that read it: Segmentation fault"):
        open_table(file, "parquet")


def test_a_file_at_which_polars_panics_is_refused_with_its_word() -> None:
    with pytest.raises(BadInput, match=r"not a whole Parquet file \(.+\)"):
        open_table(FOUND / "polars-panics-at-this", "parquet")


@pytest.mark.parametrize(
    ("kind", "why"),
    [(pl.Date, "out-of-range date"), (pl.Datetime("us"), "out of range"), (pl.Duration("ms"), "")],
)
def test_a_time_that_is_none_is_found_before_anything_is_read(
    tmp_path: Path, kind: pl.DataType, why: str
) -> None:
    number = 2**31 - 1 if kind == pl.Date else 2**62
    frame = pl.DataFrame({"id": ["a"], "n": [number]}).with_columns(
        pl.col("n").cast(pl.Int32 if kind == pl.Date else pl.Int64).cast(kind)
    )
    frame.write_parquet(tmp_path / "a.parquet")
    with pytest.raises(BadInput, match="not a whole Parquet file") as refused:
        open_table(tmp_path / "a.parquet")
    assert why in refused.value.detail


def test_columns_nested_beyond_all_use_are_refused(tmp_path: Path) -> None:
    kind: pl.DataType = pl.Int64()
    for _ in range(70):
        kind = pl.Struct({"a": kind})
    pl.DataFrame({"deep": pl.Series([None], dtype=kind)}).write_parquet(tmp_path / "a.parquet")
    with pytest.raises(BadInput, match="nested more than 64 deep"):
        open_table(tmp_path / "a.parquet")


def test_a_file_that_goes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    pl.DataFrame({"n": [1]}).write_parquet(file)
    table = open_table(file)
    file.unlink()
    with pytest.raises(BadInput, match="not a whole Parquet file"):
        list(table.read())


def test_a_reader_that_nobody_listens_to_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("palate.intake.parquet.BATCH", 10)
    file = tmp_path / "a.parquet"
    pl.DataFrame({"s": ["x" * 1_000] * 10_000}).write_parquet(file)
    rows = iter(open_table(file).read())
    assert next(rows).line == 1
    assert _readers(file)
    rows.close()  # type: ignore[attr-defined]  a generator
    assert not _readers(file)


def _readers(file: Path) -> list[str]:
    """The processes that read this file."""
    name, commands = str(file).encode(), Path("/proc").glob("[0-9]*/cmdline")
    return [command.parent.name for command in commands if name in _said(command)]


def _said(command: Path) -> bytes:
    try:
        return command.read_bytes()
    except OSError:  # it has ended since
        return b""
