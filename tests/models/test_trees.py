"""Boosted trees: every row ends where a walk from the root ends."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from palate.arrays import Floats
from palate.models.trees import MOST, TOGETHER, Trees


def grown(dice: np.random.Generator, trees: int, leaves: int, width: int) -> Trees:
    """Trees of any shape, thresholds among few numbers so that many values equal one."""
    nodes: list[tuple[int, float, int, int]] = []

    def grow(left: int) -> int:
        at = len(nodes)
        if left == 1:
            nodes.append((-1, float(dice.normal()), -1, -1))
            return at
        nodes.append((-1, 0.0, -1, -1))
        first = int(dice.integers(1, left))
        below = grow(first), grow(left - first)
        threshold = float(dice.choice([-1.0, -0.1, 0.0, 0.1, 1 / 3, 1.0]))
        nodes[at] = (int(dice.integers(width)), threshold, *below)
        return at

    roots = [grow(int(dice.integers(1, leaves + 1))) for _ in range(trees)]
    feature, threshold, left, right = zip(*nodes, strict=True)
    kinds = (np.int32, np.float64, np.int32, np.int32, np.int32)
    told = (feature, threshold, left, right, roots)
    return Trees(*(np.array(each, kind) for each, kind in zip(told, kinds, strict=True)))


def walked(trees: Trees, features: Floats) -> Floats:
    """What the sums should be: node by node."""
    out = np.zeros(len(features))
    for i, row in enumerate(features):
        for root in trees.roots.tolist():
            at = root
            while trees.feature[at] >= 0:
                below = float(row[trees.feature[at]]) <= trees.threshold[at]
                at = int((trees.left if below else trees.right)[at])
            out[i] += trees.threshold[at]
    return out.astype(np.float32)


@settings(max_examples=60, deadline=None)
@given(seed=some.integers(0, 2**32 - 1), rows=some.integers(0, 130))
def test_scores_are_those_of_a_walk(seed: int, rows: int) -> None:
    dice = np.random.default_rng(seed)
    trees = grown(dice, trees=7, leaves=MOST, width=5)
    features = dice.choice([-1.0, -0.1, 0.0, 0.1, 1 / 3, 0.5], (rows, 5)).astype(np.float32)
    features[dice.random((rows, 5)) < 0.1] = np.nan
    np.testing.assert_array_equal(trees(features), walked(trees, features))


@pytest.mark.parametrize("threshold", [1 / 3, 0.1, -0.1, np.nextafter(1.0, 2.0)])
def test_a_number_just_above_a_threshold_goes_right(threshold: float) -> None:
    """The threshold has more digits than the numbers that are compared with it."""
    ends = np.array([0, -1, -1], np.int32)
    trees = Trees(
        ends,
        np.array([threshold, 1.0, 2.0]),
        np.array([1, -1, -1], np.int32),
        np.array([2, -1, -1], np.int32),
        np.zeros(1, np.int32),
    )
    near = np.float32(threshold)
    values = np.array([np.nextafter(near, np.float32(s)) for s in (-9, near, 9)], np.float32)
    features = values[:, None]
    np.testing.assert_array_equal(trees(features), walked(trees, features))


def test_rows_beyond_what_is_turned_at_once_and_tables_laid_by_column_score_alike() -> None:
    dice = np.random.default_rng(5)
    trees = grown(dice, 4, 9, 5)
    features = dice.normal(size=(TOGETHER + 30, 5)).astype(np.float32)
    whole = trees(features)
    np.testing.assert_array_equal(trees(np.asfortranarray(features)), whole)
    np.testing.assert_array_equal(trees(features[-40:]), whole[-40:])


def test_what_is_saved_is_read_again(tmp_path: Path) -> None:
    dice = np.random.default_rng(3)
    trees, features = grown(dice, 4, 9, 5), dice.normal(size=(70, 5)).astype(np.float32)
    trees.save(tmp_path)
    np.testing.assert_array_equal(Trees.load(tmp_path)(features), trees(features))


def test_trees_read_a_narrower_table() -> None:
    dice = np.random.default_rng(4)
    trees, features = grown(dice, 5, 12, 3), dice.normal(size=(70, 8)).astype(np.float32)
    columns = [6, 1, 4]
    wide = np.zeros((70, 8), np.float32)
    wide[:, :3] = features[:, columns]
    again = trees.reading([0, 1, 2])
    np.testing.assert_array_equal(again(features[:, columns]), trees(wide))


def test_a_tree_with_too_many_leaves_is_refused() -> None:
    chain = MOST + 1
    inner = np.arange(chain - 1)
    trees = Trees(
        np.r_[np.zeros(chain - 1), -np.ones(chain)].astype(np.int32),
        np.zeros(2 * chain - 1),
        np.r_[inner + chain - 1, -np.ones(chain)].astype(np.int32),
        np.r_[inner[1:], 2 * chain - 2, -np.ones(chain)].astype(np.int32),
        np.zeros(1, np.int32),
    )
    with pytest.raises(ValueError, match="32 leaves"):
        trees(np.zeros((1, 1), np.float32))
