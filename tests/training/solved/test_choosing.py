"""Held-out events choose: no question knows its answer, and the better model wins."""

import numpy as np
import pytest

from palate.arrays import Floats, Rows
from palate.stores import Stores
from palate.training.dataset import Dataset, read_dataset
from palate.training.sequences import Sequences
from palate.training.solved.choosing import FIRST, Exam, foremost


@pytest.fixture
def checkerboard(site: Stores) -> Dataset:
    return read_dataset(site, lambda *_: None)


def exam(checkerboard: Dataset) -> Exam:
    since, until = checkerboard.part(0.6), checkerboard.part(0.9)
    return Exam.of(Sequences.of(checkerboard.events), checkerboard.rows, since, until, 1)


def test_questions_ask_for_what_came_after_the_cut_only(checkerboard: Dataset) -> None:
    posed = exam(checkerboard)
    assert posed.questions
    known = {tuple(posed.past.of(user).tolist()) for user in range(posed.past.users)}
    for question in posed.questions:
        history = tuple(question.history[::-1].tolist())
        assert history in known or len(history) <= FIRST
        assert not set(question.history.tolist()) & set(question.relevant.tolist())


def test_a_model_that_knows_beats_one_that_does_not(checkerboard: Dataset) -> None:
    posed = exam(checkerboard)
    right = {tuple(q.history.tolist()): q.relevant for q in posed.questions}

    def oracle(history: Rows) -> Floats:
        scores = np.zeros(checkerboard.rows, np.float32)
        scores[right[tuple(history.tolist())]] = 1.0
        return scores

    def silent(_: Rows) -> Floats:
        return np.zeros(checkerboard.rows, np.float32)

    assert posed.mark(oracle) > 0.99
    models = [(name, posed.mark(score)) for name, score in (("no", silent), ("yes", oracle))]
    assert foremost(models)[0] == "yes"


def test_newcomers_are_asked_with_their_first_few_and_nobody_else_is(checkerboard: Dataset) -> None:
    since, until = checkerboard.part(0.3), checkerboard.part(0.9)
    sequences = Sequences.of(checkerboard.events)
    posed = Exam.of_newcomers(sequences, checkerboard.rows, since, until, 1)
    everybody = Exam.of(sequences, checkerboard.rows, since, until, 1)
    assert len(posed.questions) < len(everybody.questions)
    assert all(len(question.history) <= FIRST for question in posed.questions)
