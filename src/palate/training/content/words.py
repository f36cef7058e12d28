"""The words of items as a sparse matrix."""

from collections.abc import Sequence

import numpy as np
from scipy import sparse

from palate.arrays import Floats
from palate.catalog.item import Item
from palate.models.content import Terms

NOTHING: tuple[Sequence[int], Floats] = ((), np.zeros(0, np.float32))


def weighed(items: Sequence[Item | None], terms: Terms) -> sparse.csr_matrix:
    """(items, terms): tf-idf, rows of unit length; nothing where there is no item."""
    rows = [NOTHING if item is None else terms.weigh(item) for item in items]
    ends = np.cumsum([0, *(len(places) for places, _ in rows)])
    places = np.fromiter((at for each, _ in rows for at in each), np.int32, int(ends[-1]))
    values = np.concatenate([*(values for _, values in rows), NOTHING[1]])
    return sparse.csr_matrix((values, places, ends), (len(items), len(terms.names)))
