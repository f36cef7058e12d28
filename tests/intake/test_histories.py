"""Plain files of who took what: every way to write them is read, or refused by name."""

import gzip
import json
from pathlib import Path

import pytest

from palate.errors import BadInput
from palate.intake.histories import Histories, read_histories
from palate.intake.rejects import Rejects


def read(path: Path, *pairs: str, content: str = "") -> Histories:
    path.write_text(content, "utf-8")
    with Rejects(path.with_name("bad.jsonl")) as rejects:
        return read_histories(path, pairs, rejects, encoding="utf-8")


@pytest.mark.parametrize(
    "content",
    [
        "u a\nu b\nv c\n",
        "u\ta\nu\tb\nv\tc\n",
        "u,a\nu,b\nv,c\n",
        "\nu a b\n\nv  c\n",
        "u a b\nv c",
        "user,item\nu,a\nu,b\nv,c\n",
        "USER_ID;ItemId\nu;a\nu;b\nv;c\n",
        "item,user,order\nb,u,10\nc,v,1\na,u,9\n",
        "user item order\nu b 2\nu a 1\nv c 1\n",
        "item,stars,user\na,5,u\nb,4,u\nc,1,v\n",
    ],
)
def test_ways_to_write_down_the_same_histories(tmp_path: Path, content: str) -> None:
    found = read(tmp_path / "f", content=content)
    assert found == Histories({"u": ["a", "b"], "v": ["c"]}, 3)


def test_a_gzipped_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "f.txt.gz"
    file.write_bytes(gzip.compress(b"1 7\n1 8\n"))
    with Rejects(None) as rejects:
        assert read_histories(file, (), rejects, encoding="utf-8").items == {"1": ["7", "8"]}


def test_other_names_are_mapped_and_bad_rows_set_aside(tmp_path: Path) -> None:
    content = "who,what,nth\nu,b,2\nu,,3\n,a,1\nu,a,x\nu,c,nan\nu,a,1\nu,d,1,1\n"
    pairs = ("user_id=who", "item=what", "order=nth")
    assert read(tmp_path / "f.csv", *pairs, content=content) == Histories({"u": ["a", "b"]}, 7)
    bad = [json.loads(line) for line in (tmp_path / "bad.jsonl").read_text().splitlines()]
    assert [(each["line"], each["field"]) for each in bad] == [
        (3, "what"), (4, "who"), (5, "nth"), (6, "nth"), (8, ""),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "pairs", "why"),
    [
        ("u a 5\nu b 4\n", [], "user 'u' comes on several lines, and lines have up to 3 cells"),
        ("u a\nu\n", [], "line 2: a user and an item are wanted"),
        ("user,thing\nu,a\n", [], "the first line names no item; it has: user, thing; say which"),
        ("who,item\nu,a\n", ["user=whom"], "write user=, item= or order= and one of who, item"),
        ("who,item\nu,a\n", ["time=who"], "write user=, item= or order="),
        ("user,item\n", [], "the file has no rows"),
        ("\n \n", [], "the file has no rows"),
        ("", [], "the file is empty"),
        ("u a\nu " + "b" * 1025 + "\n", [], "line 2: "),
    ],
)
def test_what_cannot_be_understood_is_refused_in_one_line(
    tmp_path: Path, content: str, pairs: list[str], why: str
) -> None:
    with pytest.raises(BadInput) as refused:
        read(tmp_path / "f.csv", *pairs, content=content)
    assert why in refused.value.detail
    assert "\n" not in refused.value.detail


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with Rejects(None) as rejects, pytest.raises(BadInput, match="there is no such file"):
        read_histories(tmp_path / "none", (), rejects, encoding="utf-8")
