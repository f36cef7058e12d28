"""The promises of an index. Subclass, give a `build` fixture, done."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest

from palate.arrays import Floats, Mask, Rows
from palate.index.protocol import Allowed, Index

Build: TypeAlias = Callable[[Rows, Floats], Index]

Reopen: TypeAlias = Callable[[Path, Mask, Floats], Index]
"""As `open_index`: the folder, which rows are known, a vector for each row."""

DIM = 16


def vectors_of(count: int, seed: int = 3) -> Floats:
    """Vectors in a few directions, as learnt ones are, of any length."""
    dice = np.random.Generator(np.random.PCG64(seed))
    centres = dice.normal(size=(12, DIM))
    near = centres[dice.integers(0, 12, count)] + 0.4 * dice.normal(size=(count, DIM))
    return near.astype(np.float32)


class IndexContract:
    """Everything an index must do to be used in place of the default."""

    recall = 0.95
    """Share of the true best that has to be found."""
    tolerance = 0.05
    """How far a score may be from the dot product, relative to the best one."""

    @pytest.fixture
    def build(self) -> Build:
        raise NotImplementedError

    @pytest.fixture
    def reopen(self) -> Reopen:
        raise NotImplementedError

    def test_finds_the_largest_dot_products_best_first(self, build: Build) -> None:
        vectors = vectors_of(3_000)
        rows = np.arange(3_000, dtype=np.int32) * 2 + 5
        index = build(rows, vectors)
        found = []
        for query in vectors_of(20, seed=4):
            got, scores = index.search(query, 50)
            truth = rows[np.argsort(-(vectors @ query), kind="stable")[:50]]
            found.append(len(np.intersect1d(got, truth)) / 50)
            assert (np.diff(scores) <= 0).all()
            assert len(set(got.tolist())) == len(got) == 50
            exact = vectors[(got - 5) // 2] @ query
            assert np.abs(scores - exact).max() <= self.tolerance * np.abs(exact).max()
        assert np.mean(found) >= self.recall

    def test_equal_scores_come_in_row_order(self, build: Build) -> None:
        vectors = np.tile(vectors_of(1), (400, 1))
        rows = np.arange(400, dtype=np.int32)[::-1].copy()
        got, _ = build(rows, vectors).search(vectors[0], 400)
        assert got.tolist() == sorted(got.tolist())

    def test_asking_for_more_than_there_is_gives_all(self, build: Build) -> None:
        vectors = vectors_of(60)
        index = build(np.arange(60, dtype=np.int32), vectors)
        got, scores = index.search(vectors[0], 500)
        assert sorted(got.tolist()) == list(range(60))
        assert len(scores) == 60
        assert len(index) == 60

    @pytest.mark.parametrize("share", [0.5, 0.01])
    def test_looks_only_among_what_is_allowed(self, build: Build, share: float) -> None:
        vectors = vectors_of(3_000)
        rows = np.arange(3_000, dtype=np.int32) + 7
        dice = np.random.Generator(np.random.PCG64(2))
        allowed = dice.random(3_000) < share  # shorter than the rows: those beyond count as False
        index = build(rows, vectors)
        may = np.flatnonzero(allowed[rows[rows < 3_000]])
        found = []
        for query in vectors_of(20, seed=5):
            got, _ = index.search(query, 25, Allowed(allowed))
            assert allowed[got].all()
            truth = rows[may[np.argsort(-(vectors[may] @ query), kind="stable")[:25]]]
            found.append(len(np.intersect1d(got, truth)) / 25)
            assert len(got) == min(25, len(may))
        assert np.mean(found) >= self.recall

    def test_what_passes_a_filter_may_all_lie_far_away(self, build: Build) -> None:
        vectors, question = vectors_of(6_000), vectors_of(6_000)[7]
        far = np.sort(np.argsort(vectors @ question)[:1_800]).astype(np.int32)
        mask = np.zeros(6_000, np.bool_)
        mask[far] = True
        index = build(np.arange(6_000, dtype=np.int32), vectors)
        for allowed in (Allowed(mask), Allowed(mask, far)):
            got, scores = index.search(question, 300, allowed)
            assert len(got) == 300
            assert mask[got].all()
            assert (np.diff(scores) <= 0).all()

    def test_reads_back_what_it_saved(self, build: Build, reopen: Reopen, tmp_path: Path) -> None:
        vectors, rows = vectors_of(2_000), np.arange(2_000, dtype=np.int32)
        index = build(rows, vectors)
        index.save(tmp_path)
        again = reopen(tmp_path, np.ones(len(rows), np.bool_), vectors)
        for query in vectors_of(5, seed=9):
            np.testing.assert_array_equal(index.search(query, 20)[0], again.search(query, 20)[0])
