"""Trees of the shape that a ranker's are, grown on rows by chance."""

from typing import Any

import lightgbm
import numpy as np

from palate.models.trees import Trees
from palate.training.ranking.lambdamart import LEAVES, TREES, as_arrays

LISTS, EACH = 60, 50
"""How many lists they are grown on, and of how many rows."""
TAKEN = 0.1
WISHES: dict[str, Any] = {
    "objective": "lambdarank",
    "num_leaves": LEAVES,
    "min_data_in_leaf": 5,
    "feature_fraction": 0.6,
    "max_bin": 63,
    "num_threads": 1,
    "deterministic": True,
    "verbose": -1,
}


def forest(width: int, dice: np.random.Generator) -> Trees:
    """As many trees, of as many leaves, as training grows; they read `width` features."""
    rows = dice.standard_normal((LISTS * EACH, width)).astype(np.float32)
    taken = (dice.random(len(rows)) < TAKEN).astype(np.int32)
    data = lightgbm.Dataset(rows, taken, group=[EACH] * LISTS)
    return as_arrays(lightgbm.train(WISHES, data, TREES))
