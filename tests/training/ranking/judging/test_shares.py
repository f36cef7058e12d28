"""Fusion is heard beside the ranker where, and only where, that finds more."""

from dataclasses import replace
from typing import Literal

import numpy as np

from palate.arrays import Floats
from palate.models.ranker import HEADS
from palate.models.trees import Trees
from palate.ranking.value import shared
from palate.training.gate import by_visit, judge_ranker
from palate.training.ranking.folds import Answer, Fold
from palate.training.ranking.judging.shares import Shares, shares
from palate.training.ranking.lists import RankedList, ndcg

NO_TREES = Trees(*[np.zeros(0, np.int32)] * 5)
SIZE, NAMES = 20, ("only",)
DAY = 86_400.0


def listed(user: int, hit: int, known: float, idle: float) -> RankedList:
    """One generator proposes 20 items in order; the one at place `hit` is taken."""
    labels = np.zeros((SIZE, len(HEADS)), np.float32)
    labels[hit, 0] = 1.0
    ranks = np.arange(1, SIZE + 1, dtype=np.int16)[:, None]
    return RankedList(
        user, 0.0, np.arange(SIZE, dtype=np.int32), ranks, labels, 1, np.arange(SIZE),
        np.zeros((SIZE, 2), np.float32), 1.0, known, idle,
    )  # fmt: skip


def judged() -> list[RankedList]:
    """Fusion's first is what those want who come back, and its last what those in a visit want."""
    back = [listed(n, 0, 50.0, DAY) for n in range(80)]
    within = [listed(100 + n, SIZE - 1, 50.0, 60.0) for n in range(80)]
    return [*back, *within]


def fold(judge: list[RankedList]) -> Fold:
    """A ranker that turns the generator's order round."""
    served: Floats = np.tile(np.linspace(0.01, 0.2, SIZE), len(judge)).astype(np.float32)
    predicted = np.repeat(served[:, None], len(HEADS), axis=1)
    answer = Answer(predicted, predicted, served, ndcg(judge, served), 1, NO_TREES)
    return Fold(judge, {"only": 1.0}, {}, {"blend": answer})


def found() -> Shares:
    return shares([fold(judged())], "blend", NAMES, 1)


def test_each_kind_of_visit_gets_what_finds_most_there() -> None:
    chosen = found()
    assert chosen.by_visit["returning"] == 1.0
    assert chosen.by_visit["within"] == 0.0
    assert chosen.folds[0].answers["blend"].ndcg.tolist() == [1.0] * 160
    assert chosen.numbers["returning/ranker"] < chosen.numbers["returning/fusion"] == 1.0


def test_a_kind_of_whom_few_were_seen_keeps_the_ranker() -> None:
    few = [*judged()[:19], *judged()[80:]]
    assert shares([fold(few)], "blend", NAMES, 1).by_visit == dict.fromkeys(
        ("newcomer", "returning", "within"), 0.0
    )


def test_what_may_be_luck_is_not_listened_to() -> None:
    judge = [*judged()[:41], *(listed(200 + n, SIZE - 1, 50.0, DAY) for n in range(40))]
    assert shares([fold(judge)], "blend", NAMES, 1).by_visit["returning"] == 0.0


def test_where_fusion_has_the_whole_say_everywhere_nothing_ships() -> None:
    judge = judged()[:80]
    plain = fold(judge)
    turned = shares([plain], "blend", NAMES, 1).folds[0]
    against = {"fusion": ndcg(judge, np.tile(np.linspace(1, 0, SIZE), len(judge)))}
    _, verdict = judge_ranker({"blend": turned.answers["blend"].ndcg}, against, plain.users, 1)
    assert not verdict.shipped


def test_the_gate_says_who_hears_fusion() -> None:
    users = np.arange(160, dtype=np.uint64)
    both = {"blend": np.ones(160)}
    _, verdict = judge_ranker(both, {"fusion": np.full(160, 0.5)}, users, 1)
    said = by_visit(verdict, found().numbers).sentence
    assert "With those who come back fusion has 100% of the say" in said
    assert "in the middle of a visit" not in said


def test_values_and_worth_meet_on_one_scale_and_an_item_depends_on_nothing_else() -> None:
    values = np.array([0.2, 0.1, 0.05, -0.1], np.float32)
    worth = np.array([0.01, 0.02, 0.08, 0.09], np.float32)
    assert shared(values, worth, 0.0, 1.0) is values
    whole = shared(values, worth, 0.5, 1.0)
    for at in range(4):
        one = shared(values[at : at + 1], worth[at : at + 1], 0.5, 1.0)
        np.testing.assert_allclose(one, whole[at : at + 1])
    assert whole.argmax() == 2
    assert whole[3] == values[3]
    assert shared(values, worth, 1.0, 1.0).argmax() == 3


def test_lists_know_their_kind_of_visit() -> None:
    each = listed(1, 0, 50.0, DAY)
    kinds: list[Literal["newcomer", "returning", "within"]] = ["returning", "within", "newcomer"]
    lists = [each, replace(each, idle=60.0), replace(each, known=3.0)]
    assert [one.visit for one in lists] == kinds
