"""LambdaMART: boosted trees that order whole lists, the network's challenger.

Burges (2010), as LightGBM grows it: at most 150 trees of 31 leaves.
"""

from collections.abc import Sequence
from typing import Any

import lightgbm
import numpy as np

from palate.arrays import Floats
from palate.models.trees import Trees
from palate.settings import TrainingSettings
from palate.training.ranking.lists import RankedList, thinned

TREES, LEAVES = 60, 15
RATE = 0.1
LEAST = 50
"""Rows in a leaf."""
PULL = 5.0
"""Pull of the leaves towards zero."""
DEPTH = 30
"""Ranks whose order counts."""


def fit_trees(lists: Sequence[RankedList], settings: TrainingSettings) -> Trees:
    """Grow trees on the lists. Deterministic with the seed."""
    dice = np.random.Generator(np.random.PCG64(settings.seed))
    lists = [thinned(each, settings.ranker_candidates, dice) for each in lists]
    rows = np.concatenate([each.features for each in lists])
    hits = np.concatenate([each.labels[each.kept, 0] for each in lists]).astype(np.int32)
    data = lightgbm.Dataset(rows, hits, group=[len(each.kept) for each in lists])
    return as_arrays(lightgbm.train(_wishes(settings), data, TREES))


def _wishes(settings: TrainingSettings) -> dict[str, Any]:
    return {
        "objective": "lambdarank",
        "num_leaves": LEAVES,
        "learning_rate": RATE,
        "min_data_in_leaf": LEAST,
        "lambda_l2": PULL,
        "feature_fraction": 0.6,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "lambdarank_truncation_level": DEPTH,
        "max_bin": 63,
        "bin_construct_sample_cnt": 20_000,
        "seed": settings.seed,
        "num_threads": settings.threads,
        "deterministic": True,
        "force_row_wise": True,
        "verbose": -1,
    }


def as_arrays(booster: lightgbm.Booster) -> Trees:
    """The booster's trees, as serving walks them."""
    nodes: list[tuple[int, float, int, int]] = []
    roots = [_laid(each["tree_structure"], nodes) for each in booster.dump_model()["tree_info"]]
    feature, threshold, left, right = zip(*nodes, strict=True)
    return Trees(
        np.array(feature, np.int32),
        np.array(threshold, np.float64),
        np.array(left, np.int32),
        np.array(right, np.int32),
        np.array(roots, np.int32),
    )


def _laid(node: dict[str, Any], nodes: list[tuple[int, float, int, int]]) -> int:
    """Add a node and what hangs below it; its place."""
    at = len(nodes)
    if "leaf_value" in node:
        nodes.append((-1, float(node["leaf_value"]), -1, -1))
        return at
    nodes.append((0, 0.0, 0, 0))
    left = _laid(node["left_child"], nodes)
    right = _laid(node["right_child"], nodes)
    nodes[at] = (int(node["split_feature"]), float(node["threshold"]), left, right)
    return at


def raw_of_trees(trees: Trees, lists: Sequence[RankedList], heads: int) -> Floats:
    """(rows, heads): the trees' score as a raw probability, the same for every head."""
    score = trees(np.concatenate([each.features for each in lists]))
    return np.repeat((1.0 / (1.0 + np.exp(-score)))[:, None], heads, axis=1).astype(np.float32)
