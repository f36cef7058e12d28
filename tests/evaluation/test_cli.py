"""The two commands, run as a person or a program runs them."""

import json
import math
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from tests.cli.running import palate, within

from palate.cli import bench, evaluate
from palate.settings import FILE, Settings
from palate.settings_files import load
from palate.stores import close, open_stores
from palate.testing.tiny import NOW, tiny_events, tiny_items, tiny_stores, tiny_users
from palate.training.report import TrainingReport


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("site")
    (home / FILE).write_text("")
    stores = open_stores(Settings(home=home), writer=True)
    stores.items.put(tiny_items())
    stores.users.put(tiny_users())
    stores.log.append(tiny_events(), NOW)
    close(stores)
    return home


def test_evaluate_prints_what_others_rely_on(site: Path) -> None:
    before = {file: file.stat().st_size for file in site.rglob("*.db")}
    options = ("--site", str(site), "--no-train", "--json", "--models", "popularity,covisit,funnel")
    done = palate("evaluate", "--split", "loo", *options)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report.keys() == {"protocol", "data", "rows", "command", "seconds"}
    assert report["protocol"] == "loo"
    assert {row["model"] for row in report["rows"]} == {"popularity", "covisit", "funnel"}
    assert {"slice", "users", "recall@10", "ndcg@10", "coverage@10"} <= report["rows"][0].keys()
    assert report["command"] == (
        f"palate evaluate --split loo --site {site} --models popularity,covisit,funnel --seed 1"
        " --no-train"
    )
    assert {file: file.stat().st_size for file in site.rglob("*.db")} == before
    assert not (site / "releases").exists()


def test_evaluate_shows_people_a_table(site: Path) -> None:
    done = within("evaluate", "--site", str(site), "--no-train", "--models", "popularity")
    assert done.returncode == 0, done.stderr
    assert "popularity" in done.stdout
    assert "N@10" in done.stdout
    assert "N@10: NDCG" in done.stdout


def test_evaluate_says_which_models_what_was_learnt_does_not_have(site: Path) -> None:
    done = within("evaluate", "--site", str(site), "--no-train", "--models", "popularity,ranker")
    assert done.returncode == 0, done.stderr
    assert "left out: ranker;" in done.stderr


@pytest.mark.parametrize("promoted", [True, False])
def test_evaluate_does_not_say_that_its_own_release_is_live(
    *, promoted: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    last = "Release r1 is live." if promoted else "Release r1 was not promoted."
    done = TrainingReport(name="r1", promoted=promoted, sentences=("Learnt.", last), seconds=1.0)
    monkeypatch.setattr(evaluate, "trainer", lambda: lambda *_: done)
    evaluate.trained(tiny_stores(), lambda *_: None)
    told = capsys.readouterr().err
    assert "Learnt." in told
    assert "r1" not in told
    assert ("would not be promoted" in told) is not promoted


def test_counting_loads_no_torch() -> None:
    script = "import sys, palate.cli.evaluate; print('torch' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert told.stdout == b"False\n"


def test_evaluate_refuses_a_model_that_there_is_not_in_one_line(site: Path) -> None:
    done = within("evaluate", "--site", str(site), "--no-train", "--models", "magic")
    assert done.returncode == 2
    assert "no model 'magic'" in done.stderr
    assert "Traceback" not in done.stderr


def test_ledger_accounts_for_everything_that_was_taken_later(site: Path) -> None:
    done = palate("ledger", "--site", str(site), "--no-train", "--split", "loo", "--json")
    assert done.returncode == 0, done.stderr
    books = json.loads(done.stdout)
    assert books["requests"] == books["relevant"] > 0
    assert books["shown"] == books["stages"][-1]["left"]
    assert math.prod(line["kept"] for line in books["stages"]) == pytest.approx(books["recall"])
    assert books["stages"][-1]["ceiling"] == books["recall"] > 0
    assert {"covisit", "anything"} <= {each["name"] for each in books["generators"]}
    assert books["command"].endswith("--limit 20 --no-train")


def test_ledger_shows_people_tables(site: Path) -> None:
    done = within("ledger", "--site", str(site), "--no-train", "--split", "loo", "--limit", "3")
    assert done.returncode == 0, done.stderr
    assert "what each stage kept" in done.stdout
    assert "items taken later" in done.stdout


def test_bench_lists_the_repositorys_programs_and_runs_one_with_its_options(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    main = 'if __name__ == "__main__":\n    print(*sys.argv[1:])\n    sys.exit(3)\n'
    (tmp_path / "echo.py").write_text(f'"""How fast echo is."""\nimport sys\n{main}')
    (tmp_path / "machine.py").write_text('"""What the programs share."""\n')
    monkeypatch.setattr(bench, "FOLDER", tmp_path)
    with pytest.raises(SystemExit) as listed:
        bench.app(["--json"])
    assert listed.value.code == 0
    assert msgspec.json.decode(capfd.readouterr().out) == {"echo": "How fast echo is."}
    with pytest.raises(SystemExit) as ran:
        bench.app(["echo", "--items", "10"])
    assert (ran.value.code, capfd.readouterr().out) == (3, "--items 10\n")


def test_bench_says_where_the_programs_are_when_there_is_no_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "FOLDER", tmp_path / "bench")
    with pytest.raises(Exception, match="programs of the repository and not part of the wheel"):
        bench.app([], standalone_mode=False)


def test_tune_writes_what_it_finds_beside_the_settings(site: Path) -> None:
    words = ("tune", "--site", str(site), "--no-train", "--json", "--budget", "5")
    done = palate(*words)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    settings = load(site, {})
    assert found["settings"]["covisit"]["decay"] == settings.covisit.decay
    assert found["settings"]["retrieval"]["quotas"] == settings.retrieval.quotas
    assert found["tried"] <= 5
    (site / "tuned.toml").unlink()


def test_tune_names_what_can_be_tuned(site: Path) -> None:
    done = within("tune", "--site", str(site), "--only", "towers")
    assert done.returncode
    assert "covisit, quotas" in done.stderr
