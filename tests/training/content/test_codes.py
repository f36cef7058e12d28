"""Learning the centres of content codes."""

from itertools import pairwise

import numpy as np

from palate.models.codes import codes_of
from palate.training.content.codes import fit_codebooks

DICE = np.random.Generator(np.random.PCG64(2))
TOPICS = DICE.standard_normal((8, 64))
ABOUT = np.arange(400) % 8
VECTORS = (TOPICS[ABOUT] + 0.2 * DICE.standard_normal((400, 64))).astype(np.float32)


def test_items_with_one_first_code_are_of_one_topic() -> None:
    first = codes_of(VECTORS, fit_codebooks(VECTORS, 1))[:, 0]
    for code in np.unique(first):
        assert len(np.unique(ABOUT[first == code])) == 1


def test_each_level_leaves_less_of_the_vectors() -> None:
    books = fit_codebooks(VECTORS, 1)
    assert books.shape == (3, 40, 64)
    codes, left, lengths = codes_of(VECTORS, books), VECTORS.copy(), [np.linalg.norm(VECTORS)]
    for level in range(3):
        left = left - books[level][codes[:, level]]
        lengths.append(np.linalg.norm(left))
    assert all(after < 0.95 * before for before, after in pairwise(lengths))


def test_the_same_seed_gives_the_same_centres() -> None:
    np.testing.assert_array_equal(fit_codebooks(VECTORS, 1), fit_codebooks(VECTORS, 1))


def test_a_handful_of_items_has_no_codes() -> None:
    few = np.zeros((500, 64), np.float32)
    few[:10] = VECTORS[:10]
    books = fit_codebooks(few, 1)
    assert books.shape == (3, 0, 64)
    assert (codes_of(few, books) == -1).all()
