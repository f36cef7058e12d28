import json
from pathlib import Path

import pytest
from tests.cli.running import palate


@pytest.fixture
def site(tmp_path: Path) -> Path:
    assert palate("init", str(tmp_path / "site")).returncode == 0
    return tmp_path / "site"


def test_an_import_prints_what_it_did(site: Path, tmp_path: Path) -> None:
    file, bad = tmp_path / "ratings.csv", tmp_path / "bad.jsonl"
    file.write_text("userId,movieId,rating,ts\n1,10,4,881250949\n1,11,x,881250949\n")
    options = [
        "-m",
        "user_id=userId",
        "-m",
        "item_id=movieId",
        "-m",
        "value=rating",
        "-m",
        "time=ts",
    ]
    asked = ["import", "events", str(file), "--kind", "rating", *options, "--site", str(site)]
    done = palate(*asked, "--rejects", str(bad), "--json")
    assert done.returncode == 0
    told = json.loads(done.stdout)
    assert (told["rows"], told["new"], told["known"], told["rejected"]) == (2, 1, 0, 1)
    assert (told["what"], told["rejects"]) == ("events", str(bad))
    assert "left out: line 3: rating: a number is wanted" in done.stderr
    assert json.loads(bad.read_text())["line"] == 3
    again = json.loads(palate(*asked, "--json").stdout)
    beside = tmp_path / "ratings.csv.rejects.jsonl"
    assert (again["new"], again["rejects"]) == (0, str(beside))
    assert beside.read_text() == bad.read_text()
    assert "known" in palate(*asked).stdout


def test_an_import_without_a_single_good_row_fails(site: Path, tmp_path: Path) -> None:
    file = tmp_path / "i.csv"
    file.write_text("item_id,min_age\na,old\n")
    done = palate("import", "items", str(file), "--site", str(site))
    assert done.returncode == 1


@pytest.mark.parametrize(
    ("content", "options", "why"),
    [
        (b"id\n1\n", [], "no column for item_id; it has: id; say which with --map item_id=COLUMN"),
        (b"item_id\n\xe9\n", [], "try --encoding latin-1"),
        (b"item_id\na\n", ["--kind", "view"], "--kind is for events"),
        (b"item_id\na\n", ["--format", "parquet"], "not a whole Parquet file"),
        (b"", [], "the file is empty"),
    ],
)
def test_a_bad_file_is_refused_in_one_line(
    site: Path, tmp_path: Path, content: bytes, options: list[str], why: str
) -> None:
    file = tmp_path / "f.csv"
    file.write_bytes(content)
    done = palate("import", "items", str(file), "--site", str(site), *options)
    assert done.returncode == 2
    assert done.stderr.startswith("palate: ")
    assert done.stderr.count("\n") == 1
    assert why in done.stderr
    assert not (site / "catalog.db").exists() or done.stdout == ""


def test_an_unknown_kind_and_a_folder_that_is_no_site_are_refused(
    site: Path, tmp_path: Path
) -> None:
    file = tmp_path / "e.csv"
    file.write_text("user_id,item_id,time\nu,i,5\n")
    done = palate("import", "events", str(file), "--kind", "profile", "--site", str(site))
    assert (done.returncode, "one of: impression, click" in done.stderr) == (2, True)
    done = palate("import", "events", str(file), "--kind", "view", "--site", str(tmp_path))
    assert (done.returncode, "is not a site" in done.stderr) == (2, True)
