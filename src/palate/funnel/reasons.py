"""Why each item is in the slate: asked of the generator that gave most."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Floats, Rows
from palate.funnel.stages import Generator, name_of
from palate.funnel.trace import PUT_HERE, log
from palate.funnel.types import Pool, Query, Reason, Slate
from palate.funnel.worth import PATIENCE, weights_of
from palate.jit import kernel


def reasons_for(
    generators: Sequence[Generator],
    credit: Mapping[str, float],
    query: Query,
    pool: Pool | None,
    slate: Slate,
    failed: dict[str, str] | None = None,
) -> tuple[Reason, ...]:
    """One reason per entry.

    The generator that gave most is the one with the greatest `worth`. An entry
    that stands there by exploration, or by an operator's rule, says so; without a pool everything
    else is there for being popular.
    """
    if pool is None or not len(slate):
        plain = Reason("popular", generator="popular")
        return tuple(slate.marks.get(row, plain) for row in slate.rows.tolist())
    weights = weights_of(pool.generators, credit)
    givers = _givers(pool.rows, pool.ranks, slate.rows, weights).tolist()
    explored = [False] * len(slate) if slate.explore is None else slate.explore.tolist()
    found: dict[int, Reason] = {}
    asked: dict[int, list[int]] = {}
    for row, giver, lot in zip(slate.rows.tolist(), givers, explored, strict=True):
        said = slate.marks.get(row) or (_brought(slate, row) if giver < 0 else None)
        if said is not None:
            found[row] = said
        elif lot:
            found[row] = Reason("explore", generator=pool.generators[max(giver, 0)])
        else:
            asked.setdefault(max(giver, 0), []).append(row)
    for giver, rows in asked.items():
        told = _reasons(generators[giver], query, rows, {} if failed is None else failed)
        found.update(zip(rows, told, strict=True))
    return tuple(map(found.__getitem__, slate.rows.tolist()))


def _brought(slate: Slate, row: int) -> Reason | None:
    """Of what no generator proposed: the operator's rule that put it there."""
    authors = [n.removesuffix(PUT_HERE) for n in slate.notes.get(row, ()) if n.endswith(PUT_HERE)]
    return Reason("editorial", rule=authors[0].partition(":")[2]) if authors else None


@kernel
def _givers(
    rows: Rows, ranks: NDArray[np.int16], shown: Rows, weights: Floats
) -> NDArray[np.int64]:
    """(len(shown),): who gave most to each, -1 for nobody.

    A page is short, so the pool is gone through for it.
    """
    givers = np.full(len(shown), -1, np.int64)
    for at in range(len(shown)):
        entry = 0
        while entry < len(rows) and rows[entry] != shown[at]:
            entry += 1
        if entry == len(rows):
            continue
        most = np.float32(-1.0)
        for g in range(len(weights)):
            rank = ranks[entry, g]
            gave = weights[g] / np.float32(PATIENCE + rank)
            if rank > 0 and gave > most:
                givers[at], most = g, gave
    return givers


def _reasons(
    generator: Generator, query: Query, rows: list[int], failed: dict[str, str]
) -> list[Reason]:
    """What a generator says of its rows: of all at once where it can, else of each."""
    name, together = name_of(generator), getattr(generator, "explain_all", None)
    if together is not None:
        try:
            return [each.by(name) for each in together(query, rows)]
        except Exception:
            log.debug("%s cannot explain %d rows at once", name, len(rows), exc_info=True)
    return [_reason(generator, name, query, row, failed) for row in rows]


def _reason(
    generator: Generator, name: str, query: Query, row: int, failed: dict[str, str]
) -> Reason:
    try:
        return generator.explain(query, row).by(name)
    except Exception as error:
        log.debug("%s cannot explain item row %d", name, row, exc_info=True)
        failed[f"explain.{name}"] = f"{type(error).__name__}: {error}"
        return Reason("popular", generator=name)
