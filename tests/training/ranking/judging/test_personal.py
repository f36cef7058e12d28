"""Pages become people's own as far as hits allow."""

from dataclasses import replace

import numpy as np
from tests.training.ranking.test_network import history

from palate.arrays import Floats
from palate.models.ranker import HEADS
from palate.models.trees import Trees
from palate.training.ranking.folds import Answer, Fold
from palate.training.ranking.judging.personal import personal
from palate.training.ranking.lists import RankedList, firsts, ndcg

NO_TREES = Trees(*[np.zeros(0, np.int32)] * 5)


def fold(judge: list[RankedList], served: Floats) -> Fold:
    predicted = np.repeat(served[:, None], len(HEADS), axis=1).astype(np.float32)
    answer = Answer(predicted, predicted, served, ndcg(judge, served), 1, NO_TREES)
    return Fold(judge, {}, {}, {"blend": answer})


def alike(judge: list[RankedList]) -> Floats:
    """Everybody is offered the same rows first; own taste decides by a hair."""
    rows = np.concatenate([each.rows for each in judge])
    noise = np.random.default_rng(3).random(len(rows)) * 0.2
    return (0.5 / (1.0 + rows) * (0.9 + noise)).astype(np.float32)


def test_more_different_items_come_first_where_it_costs_nothing() -> None:
    judge = history()
    for each in judge:
        each.labels[:] = 0.0
    before = fold(judge, alike(judge))
    found = personal([before], "blend", 0.01)
    after = found.folds[0].answers["blend"].served
    assert found.power == 0.4
    assert len(np.unique(firsts(judge, after))) > len(np.unique(firsts(judge, alike(judge))))
    rows = np.concatenate([each.rows for each in judge])
    assert found.everybody is not None
    np.testing.assert_array_equal(found.everybody(rows, alike(judge)), after)


def test_hits_are_given_up_no_further_than_allowed() -> None:
    judge = history()
    rows = np.concatenate([each.rows for each in judge])
    luck = np.exp(np.random.default_rng(5).normal(size=len(rows)))
    served = ((1.0 + rows) ** -3.0 * luck).astype(np.float32)
    for each in judge:
        each.labels[:, 0] = each.rows < 5
    plain = fold(judge, served)
    found = personal([plain], "blend", 0.01)
    assert found.folds[0].answers["blend"].ndcg.mean() >= 0.99 * plain.answers["blend"].ndcg.mean()
    assert found.power < 0.4


def test_pages_of_newcomers_stay_as_they_are() -> None:
    judge = [replace(each, known=3.0) if n % 2 else each for n, each in enumerate(history())]
    for each in judge:
        each.labels[:] = 0.0
    plain = alike(judge)
    found = personal([fold(judge, plain)], "blend", 0.01)
    after = found.folds[0].answers["blend"].served
    new = np.repeat([each.visit == "newcomer" for each in judge], [len(e.rows) for e in judge])
    np.testing.assert_array_equal(after[new], plain[new])
    assert (after[~new] != plain[~new]).any()
    assert personal([fold(judge[1::2], alike(judge[1::2]))], "blend", 0.01).everybody is None


def test_no_cost_allowed_changes_nothing() -> None:
    judge = history()
    found = personal([fold(judge, alike(judge))], "blend", 0.0)
    assert found.power == 0.0
    np.testing.assert_array_equal(found.folds[0].answers["blend"].served, alike(judge))
