import json
from pathlib import Path

from tests.cli.running import palate, within
from tests.intake.test_datasets import write


def test_without_a_name_it_lists_what_there_is() -> None:
    told = json.loads(palate("data", "--json").stdout)
    assert [each["name"] for each in told] == [
        "amazon-beauty",
        "movielens-100k",
        "movielens-1m",
        "movielens-latest-small",
    ]
    assert "movielens-1m" in within("data").stdout


def test_a_set_is_imported_from_a_folder_once(tmp_path: Path) -> None:
    within("init", str(tmp_path / "s"))
    folder = write(tmp_path / "ml-100k")
    asked = ["data", "movielens-100k", "--site", str(tmp_path / "s"), "--until-now", "--json"]
    first = json.loads(palate(*asked, "--from", str(folder)).stdout)
    again = json.loads(within(*asked, PALATE_DATA=str(tmp_path)).stdout)
    assert (first["new_items"], first["new_users"], first["new_events"]) == (4, 2, 3)
    assert (again["new_items"], again["new_users"], again["new_events"]) == (0, 0, 0)
    assert first["moved_seconds"] == again["moved_seconds"] > 0


def test_what_there_is_not_is_refused(tmp_path: Path) -> None:
    done = within("data", "netflix")
    assert (done.returncode, "there are: amazon-beauty, movielens-100k" in done.stderr) == (2, True)
    within("init", str(tmp_path))
    done = within("data", "movielens-1m", "--site", str(tmp_path), PALATE_DATA="")
    assert (done.returncode, "cannot be downloaded" in done.stderr) == (2, True)
