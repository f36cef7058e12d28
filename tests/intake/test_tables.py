import gzip
from pathlib import Path

import polars as pl
import pytest

from palate.errors import BadInput
from palate.intake.tables import Row, open_csv, open_table


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_rows_of_a_csv_carry_the_line_on_which_they_begin(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", 'id,title\n1,"two\nlines"\n\n2,"a ""quote"", comma"\r\n3,x')
    table = open_table(file)
    assert (table.columns, table.count, table.text) == (("id", "title"), 3, True)
    assert (
        list(table.read())
        == list(table.read())
        == [
            Row(2, {"id": "1", "title": "two\nlines"}),
            Row(5, {"id": "2", "title": 'a "quote", comma'}),
            Row(6, {"id": "3", "title": "x"}),
        ]
    )


def test_a_csv_row_that_is_wrong_comes_out_with_its_problem(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", 'id,title\n1\n2,"x"y,z\n3,c,d\n4,good\n')
    rows = list(open_table(file).read())
    assert [(row.line, row.problem[:30]) for row in rows] == [
        (2, "1 cells where the file has 2 c"),
        (3, "not CSV: ',' expected after '\""),
        (4, "3 cells where the file has 2 c"),
        (5, ""),
    ]
    assert rows[0].values == {"cells": ["1"]}


@pytest.mark.parametrize(
    ("name", "separator", "content"),
    [
        ("a.tsv", "", "id\ttitle\n1\tx\n"),
        ("a.csv", ";", "id;title\n1;x\n"),
        ("a.csv", "tab", "id\ttitle\n1\tx\n"),
        ("a.dat", "::", "id::title\n1::x\n"),
        ("a.csv", "", "\ufeffid,title\n1,x\n"),
        ("a.csv", "", ",id,title\n0,1,x\n"),
    ],
)
def test_ways_to_write_a_table(tmp_path: Path, name: str, separator: str, content: str) -> None:
    table = open_table(write(tmp_path / name, content), separator=separator)
    assert table.columns == ("id", "title")
    assert list(table.read()) == [Row(2, {"id": "1", "title": "x"})]


def test_other_encodings_are_read_when_named(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", "id,title\n1,Amélie\n".encode("latin-1"))
    assert next(open_table(file, encoding="latin-1").read()).values["title"] == "Amélie"


def test_a_table_without_a_head_is_given_its_columns(tmp_path: Path) -> None:
    file = write(tmp_path / "a.dat", "1::x\n2::y\n")
    table = open_csv(file, separator="::", columns=("id", "title"))
    assert [row.line for row in table.read()] == [1, 2]


def test_columns_of_plain_numbers_are_told(tmp_path: Path) -> None:
    file = write(
        tmp_path / "a.csv", "year,zip,size,name\n1999,02139,1.5,1\n2000,85711,,x\n-1,1,2e3,3\n"
    )
    assert open_table(file).numeric == {"year", "size"}


def test_jsonl_rows_carry_their_line(tmp_path: Path) -> None:
    file = write(tmp_path / "a.jsonl", '{"id": "1", "tags": ["x"]}\n\n{"title": 2}\n[1]\n{"id\n')
    table = open_table(file)
    assert (table.columns, table.count, table.text) == (("id", "tags", "title"), 4, False)
    rows = list(table.read())
    assert [(row.line, row.problem[:20]) for row in rows] == [
        (1, ""),
        (3, ""),
        (4, "a JSON object is wan"),
        (5, "not JSON: JSON is ma"),
    ]
    assert rows[0].values == {"id": "1", "tags": ["x"]}
    assert rows[3].values == {"text": '{"id'}


@pytest.mark.parametrize("name", ["a.csv.gz", "a.jsonl.gz"])
def test_gzipped_files_are_read(tmp_path: Path, name: str) -> None:
    content = b"id\n1\n" if "csv" in name else b'{"id": "1"}\n'
    table = open_table(write(tmp_path / name, gzip.compress(content)))
    assert [row.values for row in table.read()] == [{"id": "1"}]


def test_parquet_rows_keep_their_types(tmp_path: Path) -> None:
    pl.DataFrame({"id": [1, 2], "tags": [["a"], None]}).write_parquet(tmp_path / "a.parquet")
    table = open_table(tmp_path / "a.parquet")
    assert (table.columns, table.count) == (("id", "tags"), 2)
    assert list(table.read()) == [
        Row(1, {"id": 1, "tags": ["a"]}),
        Row(2, {"id": 2, "tags": None}),
    ]


def test_parquet_is_read_in_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("palate.intake.parquet.BATCH", 3)
    pl.DataFrame({"n": list(range(10))}).write_parquet(tmp_path / "a.parquet")
    rows = list(open_table(tmp_path / "a.parquet").read())
    assert [(row.line, row.values["n"]) for row in rows] == [(n + 1, n) for n in range(10)]


LONG = b"id,title\n" + b"".join(b"%d,some title\n" % n for n in range(5_000))


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("a.csv", b"", "the file is empty"),
        ("a.csv", b"id,title\n", "has no rows"),
        ("a.csv", b"\n\n", "names no columns"),
        ("a.csv", b" , \n1,2\n", "names no columns"),
        ("a.csv", b"id,x,x\n1,2,3\n", "names x twice"),
        ("a.csv", "id,title\n1,Amélie\n".encode("latin-1"), "byte 0xe9 is out of place; try"),
        ("a.csv", "id\n1\n".encode("utf-16"), "looks like UTF-16"),
        ("a.csv", b'id,title\n1,"x\n2,y\n', "opened at line 2 is never closed"),
        ("a.csv", b"id,title\n1,x\n2", "line 3 ends in the middle"),
        ("a.csv.gz", gzip.compress(LONG)[:-9], "cut short or damaged"),
        ("a.csv.gz", gzip.compress(LONG)[:200], "cut short or damaged"),
        ("a.csv.gz", b"\x1f\x8b" + b"x" * 90, "cut short or damaged"),
        ("a.jsonl", b'[{"id": 1}]', "no line is a JSON object"),
        ("a.jsonl", b"", "the file is empty"),
        ("a.jsonl", b'{"id": "1"}\n{"id": "2', "line 2 ends in the middle"),
        ("a.jsonl", b'{"id": "\xff"}\n', "not utf-8"),
        ("a.parquet", b"PAR1 nothing", "not a whole Parquet file"),
        ("a.parquet", b"", "not a whole Parquet file"),
    ],
)
def test_a_bad_file_is_refused_in_one_line(
    tmp_path: Path, name: str, content: bytes, why: str
) -> None:
    with pytest.raises(BadInput, match=name.replace(".", r"\.")) as refused:
        open_table(write(tmp_path / name, content))
    assert why in refused.value.detail
    assert "\n" not in refused.value.detail


@pytest.mark.parametrize("keep", [0.3, 0.9, 0.999])
def test_a_cut_parquet_file_is_refused(tmp_path: Path, keep: float) -> None:
    file = tmp_path / "a.parquet"
    pl.DataFrame({"n": list(range(10_000))}).write_parquet(file)
    file.write_bytes(file.read_bytes()[: int(file.stat().st_size * keep)])
    with pytest.raises(BadInput, match="not a whole Parquet file"):
        open_table(file)


def test_a_damaged_page_of_a_parquet_file_is_found(tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    pl.DataFrame({"s": [f"text {n * 7919}" for n in range(10_000)]}).write_parquet(file)
    content = bytearray(file.read_bytes())
    content[200:4_000] = b"\x00" * 3_800
    file.write_bytes(content)
    with pytest.raises(BadInput, match="not a whole Parquet file"):
        open_table(file)


def test_a_parquet_file_without_rows_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    pl.DataFrame({"n": []}).write_parquet(tmp_path / "a.parquet")
    with pytest.raises(BadInput, match="has no rows"):
        open_table(tmp_path / "a.parquet")
    with pytest.raises(BadInput, match="no such file"):
        open_table(tmp_path / "b.csv")
    with pytest.raises(BadInput, match="unknown encoding"):
        open_table(write(tmp_path / "c.csv", "id\n1\n"), encoding="klingon")
