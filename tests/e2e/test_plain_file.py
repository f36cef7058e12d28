"""A file of who took what, unseen before, becomes a site that recommends, or a clear sentence."""

import json
import tomllib
from pathlib import Path

import msgspec
import numpy as np
import pytest
from tests.cli.running import palate, within

from palate.settings import Settings
from palate.settings_files import TUNED

USERS, STEPS, SHELF = 48, 12, 30
FEW = "user,item,order\n1,a,2\n1,b,1\n2,a,1\n2,c,3\n"


def worth_learning() -> dict[str, list[str]]:
    """Two crowds, each with a shelf of its own."""
    dice = np.random.default_rng(5)
    return {
        f"u{n}": [f"{'ab'[n % 2]}{at}" for at in dice.permutation(SHELF)[:STEPS]]
        for n in range(USERS)
    }


def written(folder: Path, form: str) -> Path:
    told, file = worth_learning(), folder / f"plain.{form}"
    lines = {
        "csv": ["user,item,order"]
        + [f"{u},{item},{at}" for u, items in told.items() for at, item in enumerate(items)],
        "lists": [" ".join([user, *items]) for user, items in told.items()],
        "pairs": [f"{user} {item}" for user, items in told.items() for item in items],
    }
    file.write_text("\n".join(lines[form]) + "\n")
    return file


def run(*arguments: str, code: int = 0, alone: bool = False) -> str:
    """What the command said; never a stack trace."""
    done = palate(*arguments) if alone else within(*arguments)
    assert "Traceback" not in done.stderr + done.stdout
    assert done.returncode == code, done.stderr + done.stdout
    return done.stdout + done.stderr


@pytest.fixture
def site(tmp_path: Path) -> Path:
    run("init", str(tmp_path / "site"))
    return tmp_path / "site"


@pytest.mark.parametrize("form", ["csv", "lists", "pairs"])
def test_it_recommends_what_a_crowd_takes_before_any_training(
    site: Path, tmp_path: Path, form: str
) -> None:
    alone, file = form == "csv", str(written(tmp_path, form))
    said = run("import", "histories", file, "-s", str(site), "--json", alone=alone)
    told, _ = json.JSONDecoder().raw_decode(said)
    assert (told["new"], told["created"]) == (USERS * STEPS, 2 * SHELF)
    run("stream", "--once", "-s", str(site), alone=alone)
    asked = ("recommend", "--user", "u0", "-s", str(site), "--limit", "5", "--json")
    page = json.loads(run(*asked, alone=alone))
    seen = set(worth_learning()["u0"])
    shown = [each["item_id"] for each in page["items"]]
    assert len(shown) == 5
    assert not seen & set(shown)
    assert sum(name.startswith("a") for name in shown) >= 4


def test_it_is_tuned_trained_and_evaluated(site: Path, tmp_path: Path) -> None:
    run("import", "histories", str(written(tmp_path, "lists")), "-s", str(site))
    said = run("tune", "--budget", "8", "-s", str(site))
    found = tomllib.loads((site / TUNED).read_text())
    plain = {table: msgspec.to_builtins(getattr(Settings(), table)) for table in found}
    changed = {t: {n for n in found[t] if found[t][n] != plain[t][n]} for t in found}
    assert changed.get("covisit"), "otherwise the test could not fail"
    assert all(f"{table}.{name}" in said for table, names in changed.items() for name in names)
    trained = json.loads(run("train", "-s", str(site), "--json").partition("\n}\n")[0] + "}")
    assert trained["promoted"]
    manifest = json.loads((site / "releases" / trained["name"] / "manifest.json").read_text())
    for table, values in found.items():
        assert {name: manifest["settings"][table][name] for name in values} == values
    report = run("evaluate", "--split", "loo", "-s", str(site))
    assert "funnel" in report


def test_two_users_and_three_items_get_pages_and_clear_sentences(
    site: Path, tmp_path: Path
) -> None:
    file = tmp_path / "few.csv"
    file.write_text(FEW)
    run("import", "histories", str(file), "-s", str(site))
    run("stream", "--once", "-s", str(site))
    page = json.loads(run("recommend", "--user", "1", "-s", str(site), "--json"))
    assert [each["item_id"] for each in page["items"]] == ["c"]
    assert "learning begins at 200 engagements" in run("train", "-s", str(site), code=1)
    assert "funnel" in run("evaluate", "--split", "time", "-s", str(site))
    told = run("evaluate", "--split", "loo", "-s", str(site), code=2)
    assert "at least 3 different items, and there are 4 items taken by 2 people" in told
