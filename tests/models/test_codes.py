"""What an item is about, in three small numbers."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from palate.models import codes
from palate.models.codes import codes_of

BOOKS = np.array([[[1, 0], [0, 1]], [[0.1, 0], [0, -0.2]], [[0, 0.01], [0.01, 0]]], np.float32)


def test_each_code_names_the_nearest_centre_of_what_the_ones_before_left() -> None:
    vectors = np.array([[1.1, 0.01], [0.01, 0.8]], np.float32)
    assert codes_of(vectors, BOOKS).tolist() == [[0, 0, 0], [1, 1, 1]]


def test_what_says_nothing_is_about_nothing() -> None:
    assert codes_of(np.zeros((1, 2), np.float32), BOOKS).tolist() == [[-1, -1, -1]]
    assert codes_of(np.ones((1, 2), np.float32), BOOKS[:, :0]).tolist() == [[-1, -1, -1]]
    assert codes_of(np.ones((0, 2), np.float32), BOOKS).shape == (0, 3)


@given(st.integers(1, 5))
def test_vectors_are_coded_alone_as_among_others(block: int) -> None:
    vectors = np.random.Generator(np.random.PCG64(1)).standard_normal((7, 2)).astype(np.float32)
    whole, codes.BLOCK = codes_of(vectors, BOOKS), block
    try:
        np.testing.assert_array_equal(codes_of(vectors, BOOKS), whole)
    finally:
        codes.BLOCK = 65_536
