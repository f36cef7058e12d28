"""Why each item is in the slate: asked of the generator that gave most."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from palate.funnel.stages import Generator, name_of
from palate.funnel.trace import log
from palate.funnel.types import Pool, Query, Reason, Slate
from palate.funnel.worth import worth


def reasons_for(
    generators: Sequence[Generator],
    credit: Mapping[str, float],
    query: Query,
    pool: Pool | None,
    slate: Slate,
) -> tuple[Reason, ...]:
    """One reason per entry.

    The generator that gave most is the one with the greatest `worth`. An entry
    that stands there by exploration says so; without a pool everything is there for being popular.
    """
    if pool is None or not len(slate):
        return tuple(Reason("popular", generator="popular") for _ in range(len(slate)))
    givers = _givers(credit, pool, slate).tolist()
    explored = slate.explore if slate.explore is not None else np.zeros(len(slate), np.bool_)
    return tuple(
        _reason(generators[giver], query, row, explored=lot)
        for row, giver, lot in zip(slate.rows.tolist(), givers, explored.tolist(), strict=True)
    )


def _givers(credit: Mapping[str, float], pool: Pool, slate: Slate) -> NDArray[np.intp]:
    order = np.argsort(pool.rows)
    entries = pool.take(order[np.searchsorted(pool.rows, slate.rows, sorter=order)])
    found = entries.ranks > 0
    return np.asarray(np.argmax(np.where(found, worth(entries, credit) + 1e-6, 0.0), axis=1))


def _reason(generator: Generator, query: Query, row: int, *, explored: bool) -> Reason:
    name = name_of(generator)
    if explored:
        return Reason("explore", generator=name)
    try:
        return generator.explain(query, row).by(name)
    except Exception:
        log.warning("%s cannot explain item row %d", name, row, exc_info=True)
        return Reason("popular", generator=name)
