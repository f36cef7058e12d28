"""Our metrics against two independent implementations, and against numbers worked out by hand."""

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import ir_measures
import numba
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from palate.arrays import Rows
from palate.evaluation.bootstrap import interval
from palate.evaluation.metrics import discover
from palate.evaluation.ranking import best
from palate.evaluation.slates import Slates, World

METRICS = discover()
USERS, ITEMS, DEPTH = 60, 80, 30
NOBODY_SEEN = np.empty(0, np.int32)


def rows(*numbers: int) -> Rows:
    return np.array(numbers, np.int32)


def world(items: int = ITEMS, now: float = 0.0) -> World:
    return World(
        candidates=items,
        users=7,
        takers=np.zeros(items),
        content=np.eye(items, dtype=np.float32),
        born=np.full(items, np.nan),
        now=now,
    )


def judge(lists: Sequence[Rows], relevant: Sequence[Rows], known: World | None = None) -> Slates:
    return Slates.judge(lists, relevant, known or world())


def random_run(seed: int) -> tuple[list[Rows], list[Rows]]:
    """Lists of many lengths made from scores full of ties, and as many sets of relevant items."""
    dice = np.random.default_rng(seed)
    lists, relevant = [], []
    for _ in range(USERS):
        scores = dice.integers(0, 6, ITEMS).astype(float)
        lists.append(best(scores, NOBODY_SEEN, int(dice.integers(1, DEPTH))))
        taken = dice.permutation(ITEMS)[: dice.integers(1, 25)]
        relevant.append(taken.astype(np.int32))
    return lists, relevant


def documents(lists: Sequence[Rows]) -> dict[str, dict[str, float]]:
    """A run as other tools read it: its order written out as falling scores."""
    return {
        f"u{user:03}": {f"i{row}": float(1000 - rank) for rank, row in enumerate(each.tolist())}
        for user, each in enumerate(lists)
    }


def judgements(relevant: Sequence[Rows]) -> dict[str, dict[str, int]]:
    return {
        f"u{user:03}": {f"i{row}": 1 for row in each.tolist()} for user, each in enumerate(relevant)
    }


@pytest.fixture
def ranx(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Interpreted: it compiles for a minute what then runs for a moment."""
    monkeypatch.setattr(numba.config, "DISABLE_JIT", True)
    return import_module("ranx")


@pytest.mark.parametrize("k", [1, 5, 10, 30, 50])
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("precision", "precision"),
        ("recall", "recall"),
        ("ndcg", "ndcg"),
        ("mrr", "mrr"),
        ("hr", "hit_rate"),
        ("map", "map"),
    ],
)
def test_every_accuracy_metric_agrees_with_ranx_user_by_user(
    ranx: Any, ours: str, theirs: str, k: int
) -> None:
    lists, relevant = random_run(seed=k)
    run, qrels = ranx.Run(documents(lists)), ranx.Qrels(judgements(relevant))
    ranx.evaluate(qrels, run, f"{theirs}@{k}", make_comparable=True)
    per_user = run.scores[f"{theirs}@{k}"]
    wanted = [per_user[f"u{user:03}"] for user in range(USERS)]
    assert_allclose(METRICS[ours](judge(lists, relevant), k), wanted, atol=1e-6)


@pytest.mark.parametrize("k", [1, 5, 10, 30])
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("precision", ir_measures.P),
        ("recall", ir_measures.R),
        ("ndcg", ir_measures.nDCG),
        ("mrr", ir_measures.RR),
        ("hr", ir_measures.Success),
        ("map", ir_measures.AP),
    ],
)
def test_every_accuracy_metric_agrees_with_ir_measures(
    ours: str, theirs: ir_measures.measures.Measure, k: int
) -> None:
    lists, relevant = random_run(seed=100 + k)
    measure = theirs @ k
    answer = ir_measures.calc_aggregate([measure], judgements(relevant), documents(lists))
    assert METRICS[ours](judge(lists, relevant), k).mean() == pytest.approx(answer[measure], 1e-6)


def test_equal_scores_are_ranked_by_row_and_never_in_favour_of_what_is_looked_for() -> None:
    scores = np.array([0.0, 1.0, 1.0, 1.0, -np.inf])
    assert_array_equal(best(scores, rows(2), 10), [1, 3, 0])


def test_ndcg_by_hand() -> None:
    slates = judge([rows(5, 1, 2)], [rows(1, 9)])
    gained, ideal = 1 / np.log2(3), 1 + 1 / np.log2(3)
    assert METRICS["ndcg"](slates, 10)[0] == pytest.approx(gained / ideal)


def test_capped_average_precision_gives_a_perfect_short_list_one() -> None:
    slates = judge([rows(*range(3))], [rows(*range(30))])
    assert METRICS["map_capped"](slates, 3)[0] == pytest.approx(1.0)
    assert METRICS["map"](slates, 3)[0] == pytest.approx(0.1)


def test_precision_divides_by_k_where_the_list_is_shorter() -> None:
    assert METRICS["precision"](judge([rows(1)], [rows(1)]), 10)[0] == pytest.approx(0.1)


def test_padding_is_never_a_hit_nor_an_item() -> None:
    slates = judge([rows(1, 2, 3), rows()], [rows(1), rows(4)])
    assert_array_equal(METRICS["hr"](slates, 3), [1, 0])
    assert METRICS["coverage"](slates, 3)[0] == pytest.approx(3 / ITEMS)


def test_coverage_counts_distinct_items_within_k() -> None:
    slates = judge([rows(1, 2, 3), rows(2, 1, 4)], [rows(1), rows(1)])
    assert METRICS["coverage"](slates, 2)[0] == pytest.approx(2 / ITEMS)


def test_gini_is_zero_where_all_items_are_shown_alike_and_high_where_one_takes_all() -> None:
    small = world(4)
    alike = judge([rows(0, 1), rows(2, 3)], [rows(0), rows(0)], small)
    one = judge([rows(0), rows(0)], [rows(0), rows(0)], small)
    assert METRICS["gini"](alike, 2)[0] == pytest.approx(0)
    assert METRICS["gini"](one, 2)[0] == pytest.approx(3 / 4)


def test_gini_is_the_mean_absolute_difference_between_items() -> None:
    dice = np.random.default_rng(5)
    lists = [dice.permutation(20)[:6].astype(np.int32) for _ in range(9)]
    shown = np.bincount(np.concatenate(lists), minlength=20)
    wanted = np.abs(shown[:, None] - shown).mean() / (2 * shown.mean())
    slates = judge(lists, [rows(0)] * 9, world(20))
    assert METRICS["gini"](slates, 6)[0] == pytest.approx(wanted)


def test_diversity_is_the_mean_distance_of_all_pairs() -> None:
    dice = np.random.default_rng(6)
    content = dice.normal(size=(5, 8)).astype(np.float32)
    content /= np.linalg.norm(content, axis=1, keepdims=True)
    known = World(5, 7, np.zeros(5), content, np.full(5, np.nan), 0.0)
    alike = content[[3, 1, 4]] @ content[[3, 1, 4]].T
    wanted = 1 - alike[np.triu_indices(3, 1)].mean()
    slates = judge([rows(3, 1, 4, 0), rows(2)], [rows(0), rows(0)], known)
    assert_allclose(METRICS["diversity"](slates, 3), [wanted, 0], atol=1e-6)


def test_novelty_is_the_surprise_in_bits_and_popularity_the_number_of_takers() -> None:
    known = World(3, 7, np.array([7.0, 3.0, 0.0]), np.eye(3, dtype=np.float32), np.zeros(3), 0.0)
    slates = judge([rows(0, 1), rows(2)], [rows(0), rows(0)], known)
    assert_allclose(METRICS["novelty"](slates, 2), [0.5, 3.0])
    assert_allclose(METRICS["popularity"](slates, 2), [5.0, 0.0])


def test_fresh_is_at_most_seven_days_old_and_unknown_age_is_not() -> None:
    day = 86_400.0
    born = np.array([100 * day - 7 * day, 100 * day - 8 * day, np.nan])
    known = World(3, 7, np.zeros(3), np.eye(3, dtype=np.float32), born, 100 * day)
    slates = judge([rows(0, 1), rows(0), rows(2)], [rows(0)] * 3, known)
    assert_allclose(METRICS["fresh"](slates, 2), [0.5, 1.0, 0.0])


def test_the_bootstrap_holds_the_mean_and_narrows_with_more_users() -> None:
    dice = np.random.default_rng(7)
    few, many = dice.normal(3, 1, 30), dice.normal(3, 1, 3_000)
    (low, high), (nearer, near) = interval(few, seed=1), interval(many, seed=1)
    assert low < few.mean() < high
    assert near - nearer < (high - low) / 3
    assert near - nearer == pytest.approx(2 * 1.96 / np.sqrt(3_000), rel=0.15)


def test_the_bootstrap_is_the_same_for_the_same_seed() -> None:
    values = np.arange(20.0)
    assert interval(values, seed=3) == interval(values, seed=3)
