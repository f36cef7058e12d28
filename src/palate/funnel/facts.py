"""The features of a pool: one call for what serves and for what training lives through again."""

from collections.abc import Iterable, Sequence

from palate.arrays import Floats
from palate.features.known import Known
from palate.features.vector import matrix
from palate.funnel.stages import Generator, name_of
from palate.funnel.types import Pool, Query
from palate.funnel.worth import SENSIBLE, UNNAMED
from palate.stores import Stores


def features_of(stores: Stores, query: Query, pool: Pool, names: Sequence[str]) -> Floats:
    """(len(pool), len(names)): the named features of every candidate, as of the query."""
    return matrix(
        names,
        known_of(stores),
        user=query.user,
        now=query.now,
        rows=pool.rows,
        scores=pool.scores,
        ranks=pool.ranks,
        generators=pool.generators,
    )


def known_of(stores: Stores) -> Known:
    """What features are read from; without a tower its features say nothing."""
    tower = stores.release.two_tower if stores.release else None
    table = tower.table if tower else None
    return Known(stores.columns, stores.states, stores.covisit, table, stores.sight)


def heard(generators: Iterable[Generator]) -> tuple[str, ...]:
    """Generators whose word the ranker hears: all that know something."""
    return tuple(name for g in generators if SENSIBLE.get(name := name_of(g), UNNAMED) > 0)
