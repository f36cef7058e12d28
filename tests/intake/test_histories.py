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
        return read_histories(path, pairs, rejects, encoding="utf-8", latest=2e9)


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
        "u,b,2\nv,c,1\nu,a,1\n",
        "u b 10\nv c 1\nu a 9\n",
        "user,item,timestamp\nu,b,2\nv,c,1\nu,a,1\n",
        "u::a\nu::b\nv::c\n",
        '"user","item"\n"u","a"\n"u","b"\n"v","c"\n',
        '"u","a"\n"u","b"\n"v","c"\n',
        "user_id:token\titem_id:token\nu\ta\nu\tb\nv\tc\n",
    ],
)
def test_ways_to_write_down_the_same_histories(tmp_path: Path, content: str) -> None:
    found = read(tmp_path / "f", content=content)
    assert (found.items, found.rows, found.times) == ({"u": ["a", "b"], "v": ["c"]}, 3, {})


@pytest.mark.parametrize(
    "content",
    [
        "user,item,timestamp\nu,b,1000000000\nv,c,999999970\nu,a,999999940\n",
        "user,item,Time\nu,b,1000000000000\nv,c,999999970000\nu,a,999999940000\n",
        "user_id:token,item_id:token,timestamp:float\nu,b,1e9\nv,c,999999970.0\nu,a,999999940\n",
        "u,b,1000000000\nv,c,999999970\nu,a,999999940\n",
        "u b 2001-09-09T01:46:40Z\nv c 2001-09-09T01:46:10Z\nu a 2001-09-09T01:45:40Z\n",
        "item,Date,user\nb,2001-09-09 01:46:40,u\nc,20010909T014610,v\na,2001-09-09T01:45:40,u\n",
        "u,b,2001-09-09T01:46:40\nv,c,2001-09-09T01:46:10\nu,a,2001-09-09T01:45:40\n",
    ],
)
def test_times_are_kept_whatever_their_column_is_called(tmp_path: Path, content: str) -> None:
    found = read(tmp_path / "f", content=content)
    assert found.items == {"u": ["a", "b"], "v": ["c"]}
    assert found.times == {"u": [1e9 - 60, 1e9], "v": [1e9 - 30]}


@pytest.mark.parametrize(
    ("content", "remark"),
    [
        ("user,item,stars,when\nu,a,5,1\n", "columns that are not used: stars, when"),
        ("user,item,timestamp\nu,a,1\n", "'timestamp' is taken as an order only"),
        ("user,item,timestamp\nu,a,3000000000\n", "'timestamp' is taken as an order only"),
        ("who,what\nu,a\n", "the first one was read as user 'who' and item 'what'"),
        ("u a b\nv c\n", "the first one was read as user 'u' and all that they took"),
        ("u,a,1\nu,b,2\n", "they were read as user, item and order"),
        ("u,a,999999940\n", "they were read as user, item and time"),
    ],
)
def test_what_was_guessed_or_not_used_is_said(tmp_path: Path, content: str, remark: str) -> None:
    (told,) = read(tmp_path / "f", content=content).remarks
    assert remark in told


def test_a_file_that_is_plain_has_no_remarks(tmp_path: Path) -> None:
    assert not read(tmp_path / "f", content="user,item,order,date\nu,a,1,2001-09-09\n").remarks


def test_a_gzipped_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "f.txt.gz"
    file.write_bytes(gzip.compress(b"1 7\n1 8\n"))
    with Rejects(None) as rejects:
        assert read_histories(file, (), rejects, encoding="utf-8").items == {"1": ["7", "8"]}


def test_other_names_are_mapped_and_bad_rows_set_aside(tmp_path: Path) -> None:
    content = "who,what,nth\nu,b,2\nu,,3\n,a,1\nu,a,x\nu,c,nan\nu,a,1\nu,d,1,1\n"
    pairs = ("user_id=who", "item=what", "order=nth")
    found = read(tmp_path / "f.csv", *pairs, content=content)
    assert found == Histories({"u": ["a", "b"]}, 7)
    bad = [json.loads(line) for line in (tmp_path / "bad.jsonl").read_text().splitlines()]
    assert [(each["line"], each["field"]) for each in bad] == [
        (3, "what"), (4, "who"), (5, "nth"), (6, "nth"), (8, ""),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "pairs", "why"),
    [
        ("u a 5 1\nu b 4 2\n", [], "user 'u' comes on several lines, and lines have up to 4"),
        ("u a good\nu b bad\n", [], "user 'u' comes on several lines, and lines have up to 3"),
        (
            "u a 5\nu b 4\nu c 5\n",
            [],
            "the third cell is no time, and no order, for user 'u' has 5",
        ),
        ("1 7 1\n2 8 1\n", [], "the third may be an item or an order: name the columns"),
        ("who,what\n1,7\n1,8\n", [], "say which is which: --map user=who --map item=what"),
        ("u a\nu\n", [], "line 2: a user and an item are wanted"),
        ("user,thing\nu,a\n", [], "the first line names no item; it has: user, thing; say which"),
        ("who,item\nu,a\n", ["user=whom"], "write user=, item=, order= or time= and one of"),
        ("who,item\nu,a\n", ["stars=who"], "write user=, item=, order= or time="),
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
