"""Nobody's lists are judged by what they chose themselves."""

from dataclasses import replace

import numpy as np
from tests.training.ranking.judging.test_personal import fold as plain
from tests.training.ranking.judging.test_shares import DAY, NAMES, SIZE, fold, listed
from tests.training.ranking.test_network import history

from palate.training.ranking.folds import Fold
from palate.training.ranking.judging.crossed import PARTS, tuned
from palate.training.ranking.judging.personal import personal
from palate.training.ranking.lists import RankedList


def some_want_fusion() -> list[RankedList]:
    """Fusion is right for one fifth of the people, at its first place; nothing is for the rest."""
    lists = [listed(n, 0, 50.0, DAY) for n in range(100)]
    return [
        each if n % PARTS == 0 else replace(each, labels=np.zeros_like(each.labels))
        for n, each in enumerate(lists)
    ]


def reached(folds: list[Fold]) -> list[float]:
    return np.concatenate([each.answers["blend"].ndcg for each in folds]).tolist()


def test_what_some_people_alone_would_choose_does_not_speak_for_them() -> None:
    lists = some_want_fusion()
    folds = [fold(lists[:35]), fold(lists[35:])]
    found = tuned(folds, "blend", NAMES, 0.0, 1)
    assert found.any
    assert found.heard.by_visit["returning"] == 1.0
    assert sum(reached(list(found.heard.folds))) == 20.0
    assert reached(list(found.judged)) == reached(folds), "the others would not have chosen it"
    assert found.heard.numbers["returning/both"] == 0.0 < found.heard.numbers["returning/fusion"]


def test_what_everybody_chooses_holds_for_everybody() -> None:
    judge = [listed(n, 0, 50.0, DAY) for n in range(100)]
    found = tuned([fold(judge)], "blend", NAMES, 0.0, 1)
    assert reached(list(found.judged)) == [1.0] * 100
    served = found.judged[0].answers["blend"].served
    assert len(served) == 100 * SIZE
    np.testing.assert_array_equal(served, found.heard.folds[0].answers["blend"].served)


def test_the_power_is_crossed_too() -> None:
    """One part of the people has something to lose; it is judged with what the others can bear."""
    judge = [replace(each, user=n, labels=each.labels.copy()) for n, each in enumerate(history())]
    rows = np.concatenate([each.rows for each in judge])
    luck = np.exp(np.random.default_rng(5).normal(size=len(rows)))
    for n, each in enumerate(judge):
        each.labels[:] = 0.0
        each.labels[:, 0] = (each.rows < 5) & (n % PARTS == 1)
    folds = [plain(judge, ((1.0 + rows) ** -3.0 * luck).astype(np.float32))]
    found = tuned(folds, "blend", NAMES, 0.01, 1)
    assert 0.0 < found.own.power < 0.4
    own, others = (
        np.array(reached(list(each)))[1::PARTS] for each in (found.own.folds, found.judged)
    )
    assert others.mean() < own.mean()
    assert (
        others.mean()
        == personal(folds, "blend", 1.0).folds[0].answers["blend"].ndcg[1::PARTS].mean()
    )


def test_where_nothing_is_chosen_the_folds_are_as_they_were() -> None:
    judge = [listed(n, SIZE - 1, 50.0, DAY) for n in range(40)]
    folds = [fold(judge)]
    found = tuned(folds, "blend", NAMES, 0.0, 1)
    assert not found.any
    assert found.judged is folds
