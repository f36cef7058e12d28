"""How scores become a list, everywhere in evaluation: best first, equal scores by item row."""

import numpy as np

from palate.arrays import Doubles, Floats, Rows


def best(scores: Doubles | Floats, taken: Rows, limit: int) -> Rows:
    """List the `limit` rows with the highest finite scores (row = index), less those in `taken`.

    Ties go to the smaller row, so they are never broken in favour of the item that is looked for.

    >>> best(np.array([1.0, 3.0, 3.0, 2.0]), np.array([3], np.int32), 2).tolist()
    [1, 2]
    """
    order: Rows = np.argsort(-scores, kind="stable").astype(np.int32)
    order = order[np.isfinite(scores[order])]
    return order[~np.isin(order, taken)][:limit]
