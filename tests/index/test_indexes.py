"""Both indexes keep the contract; the choice between them goes by size."""

import numpy as np
import pytest

from palate.index.exact import ExactIndex, best
from palate.index.faiss import FaissIndex
from palate.index.opening import build_index, open_index
from palate.testing.index import DIM, Build, IndexContract, Reopen, vectors_of


class TestExact(IndexContract):
    recall, tolerance = 1.0, 1e-6

    @pytest.fixture
    def build(self) -> Build:
        return ExactIndex

    @pytest.fixture
    def reopen(self) -> Reopen:
        return open_index


class TestFaiss(IndexContract):
    @pytest.fixture
    def build(self) -> Build:
        return FaissIndex.build

    @pytest.fixture
    def reopen(self) -> Reopen:
        return open_index


def test_a_small_catalogue_is_searched_exactly_and_a_large_one_in_clusters(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("palate.index.opening.EXACT_LIMIT", 500)
    small, large = vectors_of(500), vectors_of(501)
    assert isinstance(build_index(np.arange(500, dtype=np.int32), small), ExactIndex)
    assert isinstance(build_index(np.arange(501, dtype=np.int32), large), FaissIndex)


def test_the_cut_keeps_the_first_rows_among_equals() -> None:
    rows = np.array([9, 4, 7, 1, 3], np.int32)
    scores = np.array([1, 2, 1, 1, 1], np.float32)
    got, values = best(rows, scores, 3)
    assert got.tolist() == [4, 1, 3]
    assert values.tolist() == [2, 1, 1]


def test_an_empty_index_finds_nothing() -> None:
    index = ExactIndex(np.empty(0, np.int32), np.empty((0, DIM), np.float32))
    assert len(index.search(vectors_of(1)[0], 5)[0]) == 0
