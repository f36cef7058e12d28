from math import inf

import numpy as np
import pytest

from palate.arrays import Rows
from palate.evaluation.tuning.quotas import STEP, Proposals, seats, tuned
from palate.funnel.types import Candidates
from palate.funnel.worth import ADMITTED

POOL = 60


def rows(*values: int) -> Rows:
    return np.array(values, np.int32)


def said(first: int, count: int) -> Candidates:
    return Candidates(np.arange(first, first + count, dtype=np.int32), np.ones(count, np.float32))


def asked(right: Rows, questions: int = 4) -> Proposals:
    """Two that weigh much propose 0 to 99, and one that weighs little 200 to 299."""
    answers = [said(0, 100), said(0, 100), said(200, 100)]
    names = ("two_tower", "covisit", "fresh")
    return Proposals(
        names, POOL, ADMITTED, [answers] * questions, [inf] * questions, [right] * questions
    )


def test_a_generator_that_alone_finds_something_gets_seats_as_deep_as_it_finds_it() -> None:
    given = seats(asked(rows(3, 225)), 1.0)
    assert given["fresh"] == 30
    assert given["two_tower"] == given["covisit"] == STEP


def test_what_others_found_already_earns_no_seat() -> None:
    given = seats(asked(rows(15)), 1.0)
    assert sorted((given["two_tower"], given["covisit"])) == [STEP, 20]
    assert given["fresh"] == STEP


def test_quotas_are_kept_where_they_find_more_in_questions_that_did_not_find_them() -> None:
    proposals = asked(rows(3, 225))
    found = tuned(proposals)
    assert found.before == pytest.approx(0.5)
    assert found.after == pytest.approx(1.0) == proposals.recall(found.quotas)
    assert found.alone == {"two_tower": 0.5, "covisit": 0.5, "fresh": 0.5}


def test_there_are_no_quotas_where_worth_alone_finds_as_much() -> None:
    found = tuned(asked(rows(3)))
    assert found.quotas == {}
    assert found.before == found.after == 1.0


def test_a_single_question_gives_no_quotas() -> None:
    assert tuned(asked(rows(225), questions=1)).quotas == {}
