import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.cli.running import palate, within
from typer.testing import CliRunner

from palate.cli import import_
from palate.cli.site import settings_of
from palate.intake import importing
from palate.intake.importing import append_in_order
from palate.stores import open_sources


@pytest.fixture
def site(tmp_path: Path) -> Path:
    assert within("init", str(tmp_path / "site")).returncode == 0
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
    again = json.loads(within(*asked, "--json").stdout)
    beside = tmp_path / "ratings.csv.rejects.jsonl"
    assert (again["new"], again["rejects"]) == (0, str(beside))
    assert beside.read_text() == bad.read_text()
    assert "known" in within(*asked).stdout


@pytest.mark.parametrize("reading", [True, False])
def test_who_interrupts_an_import_is_told_what_is_written(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, reading: bool
) -> None:
    def stopped(*told: Any, **_: Any) -> int:
        if not reading:
            append_in_order(*told)
        raise KeyboardInterrupt

    monkeypatch.setattr(importing, "append_in_order", stopped)
    file = tmp_path / "events.csv"
    file.write_text("user_id,item_id,time\n1,10,881250949\n1,11,881250949\n")
    asked = ["events", str(file), "--kind", "click", "--site", str(site)]
    done = CliRunner().invoke(import_.app, asked)
    told = (
        "stopped at row 2 of 2, before an event was written: to be begun again"
        if reading
        else "stopped; at least 2 of 2 events are written, and the same command adds the rest"
    )
    assert (done.exit_code, done.stderr) == (130, f"palate: {told}\n")


def test_a_command_that_is_interrupted_says_so() -> None:
    script = (
        "import signal, sys; from palate.cli import app\n"
        "import palate.cli.show as show\n"
        "show.settings_of = lambda _: signal.raise_signal(signal.SIGINT)\n"
        "sys.argv = ['palate', 'show', 'home']; app.main()"
    )
    done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True)
    assert (done.returncode, done.stderr) == (130, b"palate: stopped\n")


def test_an_import_without_a_single_good_row_fails(site: Path, tmp_path: Path) -> None:
    file = tmp_path / "i.csv"
    file.write_text("item_id,min_age\na,old\n")
    done = within("import", "items", str(file), "--site", str(site))
    assert done.returncode == 1


@pytest.mark.parametrize(
    ("content", "options", "why"),
    [
        (b"item_id;title\n1;a\n", [], "or is it --separator ';' that lies between its columns?"),
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
    done = within("import", "items", str(file), "--site", str(site), *options)
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
    done = within("import", "events", str(file), "--kind", "profile", "--site", str(site))
    assert (done.returncode, "one of: impression, click" in done.stderr) == (2, True)
    done = within("import", "events", str(file), "--kind", "view", "--site", str(tmp_path))
    assert (done.returncode, "is not a site" in done.stderr) == (2, True)


@pytest.mark.parametrize("name", ["timestamp", "DateTime", "date"])
def test_a_column_of_times_is_known_by_any_of_its_names(
    site: Path, tmp_path: Path, name: str
) -> None:
    file = tmp_path / "e.csv"
    file.write_text(f"user_id,item_id,{name}\nu,i,881250949\n")
    done = within("import", "events", str(file), "--kind", "view", "--site", str(site), "--json")
    assert json.loads(done.stdout)["new"] == 1, done.stderr
    with open_sources(settings_of(site)) as sources:
        (event,) = (each.event for each in sources.log.read(0, 10))
    assert (event.time, event.properties) == (881250949, {})


def test_what_of_plain_histories_is_not_used_is_said(site: Path, tmp_path: Path) -> None:
    file = tmp_path / "h.csv"
    file.write_text("user,item,stars,timestamp\nu,b,5,881250950\nu,a,1,881250949\n")
    done = within("import", "histories", str(file), "--site", str(site))
    assert (done.returncode, done.stderr) == (0, "palate: columns that are not used: stars\n")
    with open_sources(settings_of(site)) as sources:
        kept = [(each.event.item_id, each.event.time) for each in sources.log.read(0, 10)]
    assert kept == [("a", 881250949), ("b", 881250950)]
