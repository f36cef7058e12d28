"""Content of a byte a number."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from palate.arrays import Floats
from palate.catalog.quantised import dots, quantised, read_only, unit_vector, unit_vectors

DICE = np.random.Generator(np.random.PCG64(5))


def directions(n: int, dim: int = 64) -> Floats:
    vectors = DICE.standard_normal((n, dim))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def test_a_vector_points_where_it_did_and_what_says_nothing_still_does() -> None:
    vectors = directions(200)
    vectors[3] = 0.0
    held = quantised(vectors)
    found = unit_vectors(held, np.arange(200, dtype=np.intp))
    np.testing.assert_allclose(found, vectors, atol=0.005)
    lengths = np.linalg.norm(found, axis=1)
    np.testing.assert_allclose(lengths, np.arange(200) != 3, atol=1e-6)
    assert held[3].tolist() == [0] * 64
    assert np.abs(held).max(axis=1).tolist() == [0 if n == 3 else 127 for n in range(200)]


@settings(deadline=None)
@given(st.floats(1e-6, 1e6))
def test_lengths_mean_nothing(length: float) -> None:
    vectors = directions(3)
    apart = quantised(np.asarray(vectors * length, np.float32)).astype(int) - quantised(vectors)
    assert np.abs(apart).max() <= 1, "rounded in another place at most"


def test_rows_beyond_the_last_are_read_as_the_last() -> None:
    held = quantised(directions(4))
    found = unit_vectors(held, np.array([3, 4, 2**32 - 1], np.intp))
    np.testing.assert_array_equal(found[1:], found[:1].repeat(2, axis=0))


def test_dot_products_are_those_of_the_unit_vectors() -> None:
    held, rows = quantised(directions(50)), np.array([7, 0, 49, 7], np.int32)
    held[49] = 0
    wanted = directions(1)[0] * np.float32(3)
    expected = unit_vectors(held, rows.astype(np.intp)) @ wanted
    np.testing.assert_allclose(dots(read_only(held), rows, wanted), expected, atol=1e-6)
    assert dots(held, rows, wanted)[2] == 0.0


def test_it_is_told_whether_an_item_says_anything_however_little_of_it_is_left() -> None:
    into, held = np.empty(64, np.float32), np.zeros(64, np.int8)
    assert (unit_vector(into, held), into.any()) == (False, False)
    held[63] = -1
    assert unit_vector(into, held)
    assert into[63] == -1.0


def test_the_nearest_are_those_that_floats_find() -> None:
    centres = directions(40)
    vectors = centres[DICE.integers(0, 40, 3_000)] + 0.7 * directions(3_000)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    told = unit_vectors(quantised(vectors), np.arange(3_000, dtype=np.intp))
    asked = vectors[:100]
    true, found = (np.argsort(-(asked @ each.T), axis=1)[:, 1:51] for each in (vectors, told))
    shares = [len(np.intersect1d(a, b)) / 50 for a, b in zip(true, found, strict=True)]
    assert np.mean(shares) > 0.98


def test_whoever_reads_cannot_write() -> None:
    held = quantised(directions(2))
    seen = read_only(held)
    assert not seen.flags.writeable
    held[0] = 0
    assert not seen[0].any()
