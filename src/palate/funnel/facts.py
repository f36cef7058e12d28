"""The features of a pool: one call for what serves and for what training lives through again."""

from collections.abc import Sequence

from palate.arrays import Floats
from palate.features.vector import matrix
from palate.funnel.types import Pool, Query
from palate.stores import Stores


def features_of(stores: Stores, query: Query, pool: Pool, names: Sequence[str]) -> Floats:
    """(len(pool), len(names)): the named features of every candidate, as of the query."""
    return matrix(
        names,
        user=query.user,
        now=query.now,
        rows=pool.rows,
        scores=pool.scores,
        ranks=pool.ranks,
        generators=pool.generators,
        columns=stores.columns,
        states=stores.states,
    )
