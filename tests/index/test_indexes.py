"""All indexes keep the contract; the choice between them goes by size, then by the settings."""

from pathlib import Path
from typing import cast

import numpy as np
import pytest

from palate.arrays import Floats
from palate.index.exact import SAMPLE, ExactIndex, best
from palate.index.faiss import FaissIndex
from palate.index.ivf.index import IvfIndex
from palate.index.opening import Building, build_index, open_index, tuned
from palate.index.protocol import Allowed
from palate.index.recall import nearest, recall
from palate.testing.index import DIM, Build, IndexContract, Reopen, vectors_of


class TestExact(IndexContract):
    recall, tolerance = 1.0, 1e-6

    @pytest.fixture
    def build(self) -> Build:
        return ExactIndex

    @pytest.fixture
    def reopen(self) -> Reopen:
        return open_index


class TestIvf(IndexContract):
    @pytest.fixture
    def build(self) -> Build:
        return IvfIndex.build

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
    assert isinstance(build_index(np.arange(501, dtype=np.int32), large), IvfIndex)
    theirs = build_index(np.arange(501, dtype=np.int32), large, Building(kind="faiss"))
    assert isinstance(theirs, FaissIndex)


@pytest.mark.parametrize("kind", [FaissIndex, IvfIndex])
def test_a_clustered_index_is_mapped_and_nothing_else_is_read(
    tmp_path: Path, kind: type[FaissIndex | IvfIndex]
) -> None:
    vectors, rows = vectors_of(3_000), np.arange(3_000, dtype=np.int32)
    built = kind.build(rows, vectors)
    while built.probes < 16:
        assert built.widen()
    built.save(tmp_path)
    none = cast("Floats", None)  # no vector is asked for
    opened = open_index(tmp_path, np.ones(3_000, np.bool_), none)
    assert isinstance(opened, kind)
    assert opened.probes == built.probes
    mapped = Path("/proc/self/maps")
    if mapped.exists():
        assert str(tmp_path) in mapped.read_text(encoding="utf-8")
    few = np.random.Generator(np.random.PCG64(3)).random(3_000) < 0.05
    for query in vectors_of(5, seed=9):
        for allowed in (None, Allowed(few)):
            for got, wanted in zip(
                opened.search(query, 50, allowed), built.search(query, 50, allowed), strict=True
            ):
                np.testing.assert_array_equal(got, wanted)


def test_the_cut_keeps_the_first_rows_among_equals() -> None:
    rows = np.array([9, 4, 7, 1, 3], np.int32)
    scores = np.array([1, 2, 1, 1, 1], np.float32)
    got, values = best(rows, scores, 3)
    assert got.tolist() == [4, 1, 3]
    assert values.tolist() == [2, 1, 1]


def scored(kind: str, count: int) -> Floats:
    """Scores by chance, and such as make a sample of every so-manieth of them lie."""
    dice = np.random.Generator(np.random.PCG64(3))
    scores = dice.exponential(size=count).astype(np.float32)
    match kind:
        case "ties":
            scores = np.floor(scores)
        case "alike":
            scores[:] = 1.0
        case "falling":
            scores = -np.sort(-scores)
        case "misled":  # what a sample sees is all better, or all worse, than the rest
            scores[:: count // SAMPLE] += 10.0
        case "misled below":
            scores[:: count // SAMPLE] -= 10.0
    return scores


@pytest.mark.parametrize("kind", ["chance", "ties", "alike", "falling", "misled", "misled below"])
@pytest.mark.parametrize("count", [900, 5_000, 20_000])
@pytest.mark.parametrize("limit", [1, 40, 500])
def test_the_best_of_many_are_those_of_a_whole_sort(kind: str, count: int, limit: int) -> None:
    scores = scored(kind, count)
    rows = np.random.Generator(np.random.PCG64(4)).permutation(count).astype(np.int32)
    got, values = best(rows, scores, limit)
    order = np.lexsort((rows, -scores))[:limit]
    assert got.tolist() == rows[order].tolist()
    assert values.tolist() == scores[order].tolist()


def test_an_empty_index_finds_nothing() -> None:
    index = ExactIndex(np.empty(0, np.int32), np.empty((0, DIM), np.float32))
    assert len(index.search(vectors_of(1)[0], 5)[0]) == 0


@pytest.mark.parametrize("kind", ["faiss", "ivf"])
def test_an_index_is_widened_until_it_finds_enough(tmp_path: Path, kind: str) -> None:
    dice = np.random.Generator(np.random.PCG64(0))
    vectors = dice.normal(size=(30_000, DIM)).astype(np.float32)  # the worst case: no clusters
    rows, asked = np.arange(30_000, dtype=np.int32), vectors_of(20)
    index = build_index(rows, vectors, Building(kind=kind))
    assert isinstance(index, FaissIndex | IvfIndex)
    before, truth = index.probes, nearest(rows, vectors, asked, 500)
    assert recall(index, asked, truth) < 0.9
    done = tuned(index, rows, vectors, asked, 0.9)
    assert done.recall >= 0.9
    assert done.probes == index.probes > before
    index.save(tmp_path)
    assert (
        recall(open_index(tmp_path, np.ones(len(rows), np.bool_), vectors), asked, truth)
        == done.recall
    )


def test_what_looks_at_everything_misses_nothing() -> None:
    vectors, rows = vectors_of(300), np.arange(300, dtype=np.int32)
    assert tuned(ExactIndex(rows, vectors), rows, vectors, vectors_of(5), 0.95) == (1.0, 0)


def test_the_truth_is_found_in_parts_as_it_is_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, rows = vectors_of(900), np.arange(900, dtype=np.int32) * 3
    asked = vectors_of(4, seed=9)
    whole = [rows[np.argsort(-(vectors @ each), kind="stable")[:50]] for each in asked]
    monkeypatch.setattr("palate.index.recall.CHUNK", 400)
    for mine, theirs in zip(nearest(rows, vectors, asked, 50), whole, strict=True):
        assert set(mine.tolist()) == set(theirs.tolist())
