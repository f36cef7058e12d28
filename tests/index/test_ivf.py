"""What only the clustered index of our own promises: it looks no further than it must, and no less.

The contract itself is kept in `test_indexes`.
"""

import numpy as np
import pytest

from palate.arrays import Floats, Rows
from palate.index.exact import ExactIndex
from palate.index.ivf.build import FEW, nearest_centres
from palate.index.ivf.index import IvfIndex
from palate.index.ivf.scan import question_of, scan
from palate.index.protocol import Allowed
from palate.testing.index import DIM, vectors_of

COUNT = 12_000


@pytest.fixture(scope="module")
def vectors() -> Floats:
    return vectors_of(COUNT)


@pytest.fixture(scope="module")
def index(vectors: Floats) -> IvfIndex:
    return IvfIndex.build(np.arange(COUNT, dtype=np.int32), vectors)


def exact(vectors: Floats, question: Floats, passing: Rows, limit: int) -> Rows:
    return ExactIndex(passing, vectors[passing]).search(question, limit)[0]


def test_a_filter_that_lets_only_far_items_through_still_fills_the_list(
    index: IvfIndex, vectors: Floats
) -> None:
    question = vectors[7]
    far = np.sort(np.argsort(vectors @ question)[:900]).astype(np.int32)
    mask = np.zeros(COUNT, np.bool_)
    mask[far] = True
    truth = exact(vectors, question, far, 300)
    for rows in (None, far):
        found, scores = index.search(question, 300, Allowed(mask, rows))
        assert len(found) == 300
        assert mask[found].all()
        assert (np.diff(scores) <= 0).all()
        assert len(np.intersect1d(found, truth)) >= 240


def test_few_that_pass_are_compared_all_and_nothing_else(index: IvfIndex) -> None:
    dice = np.random.Generator(np.random.PCG64(5))
    few = np.sort(dice.choice(COUNT, 60, replace=False)).astype(np.int32)
    nothing = np.zeros(COUNT, np.bool_)  # is not looked at: the rows say it all
    beyond = np.append(few, np.int32(COUNT + 5))  # came after the index was built
    for question in vectors_of(5, seed=8):
        found, _ = index.search(question, 60, Allowed(nothing, beyond))
        assert sorted(found.tolist()) == few.tolist()


def test_no_more_is_compared_than_was_tuned_for(index: IvfIndex, vectors: Floats) -> None:
    asked, order = question_of(vectors[3]), np.arange(index.clusters)
    everything = np.empty(0, np.bool_)
    _, compared, gone = scan(index._lists, order, asked, everything, 1_000, 10)
    longest = int(np.diff(index._lists.starts).max())
    assert 1_000 <= compared < 1_000 + longest
    assert gone < index.clusters
    half = np.arange(COUNT) % 2 == 0
    _, passed, further = scan(index._lists, order, asked, half, 1_000, 10)
    assert 1_000 <= passed < 1_000 + longest
    assert further > gone


def test_the_best_are_kept_however_many_are_compared(vectors: Floats, index: IvfIndex) -> None:
    """More than the buffer holds, so that it is cut again and again."""
    while index.widen():
        pass
    for question in vectors_of(5, seed=6):
        found, _ = index.search(question, 20)
        truth = exact(vectors, question, np.arange(COUNT, dtype=np.int32), 20)
        assert len(np.intersect1d(found, truth)) >= 18


def test_long_vectors_are_told_apart_as_well_as_short_ones() -> None:
    dice = np.random.Generator(np.random.PCG64(4))
    vectors = vectors_of(4_000) * np.exp(2 * dice.standard_normal((4_000, 1))).astype(np.float32)
    index = IvfIndex.build(np.arange(4_000, dtype=np.int32), vectors)
    for question in vectors_of(5, seed=2):
        found, scores = index.search(question, 100)
        truth = vectors[found] @ question
        assert np.abs(scores / truth - 1).max() < 0.03


@pytest.mark.parametrize("wrong", [0.0, np.nan, np.inf])
def test_a_question_that_is_none_gets_an_answer_without_worth(
    index: IvfIndex, wrong: float
) -> None:
    found, scores = index.search(np.full(DIM, wrong, np.float32), 5)
    assert len(found) == 5
    assert (scores == 0).all()


def test_an_item_of_zeros_is_held_and_scores_nothing() -> None:
    vectors = vectors_of(100)
    vectors[40] = 0.0
    found, scores = IvfIndex.build(np.arange(100, dtype=np.int32), vectors).search(vectors[3], 100)
    assert scores[found.tolist().index(40)] == 0.0


@pytest.mark.parametrize("centres", [FEW, 2 * FEW])
def test_each_vector_gets_its_nearest_centre_of_however_many(vectors: Floats, centres: int) -> None:
    some, own = vectors[-centres:], vectors[:2_000]
    found = nearest_centres(own, some, threads=2)
    assert (found == nearest_centres(own, some)).all(), "whatever the threads"
    apart = np.square(some).sum(axis=1) - 2 * own @ some.T
    true = apart.argmin(axis=1)
    assert (found == true).mean() > (0.99 if centres > FEW else 0.9999)
    assert apart[np.arange(len(own)), found].mean() <= apart.min(axis=1).mean() + 0.01
