"""The bench's own parts: peers whose answers are known, a ledger that survives, tables in place."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from compared.answers import keep, pairs
from compared.chart import chart
from compared.ledger import Place, append, compared, measured, read, summaries
from compared.lists import best_rows, searched
from compared.newcomers import newcomers
from compared.ours import COVISIT
from compared.peers import PEERS, Peer, decayed_popularity, ease_and_recent
from compared.questions import Asked, Past, Questions
from compared.sasrec import SEQUENCES, sasrec
from compared.tables import marked, table, write

from palate.arrays import Rows
from palate.evaluation.judging import Bench
from palate.evaluation.slates import World
from palate.evaluation.split import Case

SHELF, PEOPLE = 10, 120
DAY = 86_400.0


def histories() -> list[Rows]:
    """Two crowds with ten items each; an item is followed by its neighbour on the shelf."""
    dice, made = np.random.default_rng(1), []
    for n in range(PEOPLE):
        first = int(dice.integers(0, SHELF))
        steps = (first + np.arange(5)) % SHELF
        made.append((steps + SHELF * (n % 2)).astype(np.int32))
    return made


def asked() -> Asked:
    told = histories()
    train = [each[:-2] for each in told]
    items = np.concatenate(train)
    past = Past(train, items, np.arange(len(items)) * DAY, len(items) * DAY, 2 * SHELF)
    nothing = np.empty(0, np.intp)
    when = np.arange(4.0)
    cases = [Case(n, "all", 4.0, h[:-1], nothing, h[-1:], when) for n, h in enumerate(told)]
    inner = [
        replace(case, history=h[:-2], relevant=h[-2:-1])
        for case, h in zip(cases, told, strict=True)
    ]
    takers = np.bincount(items, minlength=past.size).astype(np.float64)
    born = np.zeros(past.size)
    world = World(past.size, PEOPLE, takers, np.zeros((past.size, 4), np.float32), born, DAY)
    return Asked(Questions(past, cases), Questions(past, inner), Bench(cases, world, 1))


def reached(peer: Peer) -> float:
    questions = asked()
    ((_, found),) = searched(peer, questions, ["all"])
    (row,) = [r for r in questions.bench.rows("x", found.lists) if r["slice"] == "all"]
    for case, rows in zip(questions.test.cases, found.lists, strict=True):
        assert not set(rows.tolist()) & set(case.history.tolist())
    return float(row["recall@10"])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "name", ["item-kNN", "co-occurrence", "RP3beta", "EASE", "iALS (implicit)", "covisit"]
)
def test_whoever_learns_finds_the_crowds_shelf(name: str) -> None:
    assert reached({**PEERS, "covisit": COVISIT}[name]) > 0.95


@pytest.mark.parametrize("name", ["popularity", "popularity 7d", "popularity decayed"])
def test_popularity_knows_no_crowds(name: str) -> None:
    assert reached(PEERS[name]) < 0.9


def test_recent_popularity_may_fade_instead_of_ending() -> None:
    past, weight = asked().test.past, {"half_life": 0.5, "weight": 1e6}
    both = ease_and_recent(past, {"penalty": 300.0})(past.histories[:2], weight)
    alone = decayed_popularity(past, weight)(past.histories[:2], {})
    assert (best_rows(both[1], 8) == best_rows(alone[1], 8)).all()


def test_budgets_are_equal() -> None:
    learnt = {name: p.trials for name, p in PEERS.items() if p.trials > 1}
    assert COVISIT.trials == learnt["EASE"] == learnt["item-kNN"] == learnt["iALS (implicit)"] == 16


def test_equal_scores_go_by_row() -> None:
    scores = np.array([1, 3, 3, -np.inf, 3, 2], np.float32)
    assert best_rows(scores, 2).tolist() == [1, 2]
    assert best_rows(scores, 99).tolist() == [1, 2, 4, 5, 0]


def line(model: str, seed: int, ndcg: float) -> dict[str, object]:
    return {
        "data": "toy", "protocol": "loo", "slice": "all", "model": model, "seed": seed, "users": 9,
        "ndcg@10": ndcg, "ndcg@10_interval": (ndcg - 0.01, ndcg + 0.01), "recall@10": ndcg * 2,
    }  # fmt: skip


def test_the_newest_line_of_each_seed_counts_and_a_cut_one_is_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "r.jsonl"
    append(file, [line("EASE", 1, 0.1), line("EASE", 2, 0.3)])
    append(file, [line("EASE", 1, 0.2)])
    with file.open("a") as out:
        out.write('{"data": "toy", "prot')
    found = summaries(read(file))[Place("toy", "loo", "all", "EASE")]
    assert found.mean("ndcg@10") == pytest.approx(0.25)
    assert found.spread("ndcg@10") == pytest.approx(0.05)
    assert found.half("ndcg@10") == pytest.approx(0.01)


def test_tables_replace_what_stands_between_their_markers(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(marked("toy loo", "old", "# Page\n") + "\nThe end.\n")
    found = summaries([line("funnel", 1, 0.2), line("EASE", 1, 0.1), line("two_tower", 1, 0.15)])
    write(page, found)
    text = page.read_text()
    assert "old" not in text
    assert text.startswith("# Page\n")
    assert text.endswith("\nThe end.\n")
    rows = table("loo", "all", found.values()).splitlines()[2:]
    models = [row.split(" | ")[0].strip("| *") for row in rows]
    assert models == ["EASE", "two tower", "whole funnel"]
    assert ".1000 ± .0100" in text
    write(page, found)
    assert page.read_text() == text


def test_the_picture_has_a_bar_for_every_model_it_shows() -> None:
    lines = [
        {**line(m, 1, 0.1), "data": "beauty"} for m in ("EASE", "covisit tuned", "funnel", "union")
    ]
    drawn = chart(summaries(lines))
    assert drawn.count("<rect") == 3
    assert drawn.startswith("<svg")


def test_rows_of_other_settings_or_older_code_are_rows_of_their_own() -> None:
    def told(seed: int, version: str, training: str = "") -> dict[str, object]:
        key = f"toy/loo/funnel/{seed}/{version}" + (f"/{training}" if training else "")
        return {**line("funnel", seed, 0.1), "key": key, "training": training}

    lines = [told(1, "a"), told(2, "a"), told(1, "b"), told(1, "b", "dim=128")]
    found = summaries(lines)
    assert [each["key"][-1] for each in found[Place("toy", "loo", "all", "funnel")].seeds] == ["b"]
    assert len(found[Place("toy", "loo", "all", "funnel", "dim=128")].seeds) == 1


def test_pairs_are_compared_user_by_user(tmp_path: Path) -> None:
    lines = [{**line(m, 1, 0.1), "key": f"toy/loo/{m}/1/v"} for m in ("funnel", "EASE", "ranker")]
    dice = np.random.default_rng(2)
    theirs = dice.random(500)
    keep(tmp_path, "toy/loo/EASE/1/v", "all", "EASE", theirs)
    keep(tmp_path, "toy/loo/funnel/1/v", "all", "funnel", theirs + 0.01)
    made = list(pairs(tmp_path, summaries(lines), ["EASE"]))
    assert [(each["model"], each["than"]) for each in made] == [("funnel", "EASE")]
    low, high = made[0]["interval"]
    assert 0.0099 < low < high < 0.0101  # apart, either interval is ten times as wide
    found = summaries([*lines, *made])
    assert "+.0100 (+.0100 to +.0100)" in table("loo", "all", found.values(), compared(made))


def test_what_was_measured_is_known_beside_comparisons_which_have_no_key() -> None:
    line = {"data": "d", "protocol": "time", "slice": "warm", "model": "m", "seed": 1}
    assert measured([line | {"key": "d/time/m/1/v"}, line | {"than": "x"}]) == {"d/time/m/1/v"}


def test_newcomers_are_what_next_to_nobody_had_taken() -> None:
    takers = np.array([9, 9, 4, 0], np.float64)
    world = World(4, 9, takers, np.zeros((4, 4), np.float32), np.zeros(4), DAY)
    lists = [np.array([0, 2], np.int32), np.array([1, 2], np.int32), np.array([3], np.int32)]
    relevant = [np.array([2, 3, 0]), np.array([1]), np.array([3])]
    found = newcomers(lists, [each.astype(np.int32) for each in relevant], world)
    assert found["newcomers_users"] == 2
    assert found["newcomers_recall@50"] == pytest.approx(0.75)
    assert found["newcomers_coverage@50"] == 1.0
    assert newcomers(lists[1:2], [np.array([1], np.int32)], world) == {}


SMALL = {"dim": 16, "blocks": 1, "history": 8, "dropout": 0.1, "epochs": 60, "steps": 64}


@pytest.mark.parametrize("name", sorted(SEQUENCES))
def test_a_sequence_model_learns_what_follows_what(name: str) -> None:
    reading = ({"days": 30, "weight": 0.1},) if "popularity" in name else ({},)
    quick = ({**SMALL, "learning_rate": 0.01},)
    assert reached(replace(SEQUENCES[name], grid=quick, reading=reading)) > 0.95


def test_a_sequence_model_is_the_same_for_the_same_seed_and_for_any_batch() -> None:
    histories, told = [h[:-1] for h in histories_of_three()], asked().test.past
    one, again, other = (
        sasrec(replace(told), {**SMALL, "epochs": 3, "seed": seed})(histories, {})
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, again)
    assert not np.allclose(one, other)
    alone = sasrec(replace(told), {**SMALL, "epochs": 3, "seed": 1})(histories[:1], {})
    np.testing.assert_allclose(one[:1], alone, rtol=1e-4, atol=1e-5)


def histories_of_three() -> list[Rows]:
    """Of different lengths."""
    return [each[:size] for each, size in zip(histories(), (5, 3, 4), strict=False)]
