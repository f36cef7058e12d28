"""Why each item is in the slate: asked of the generator that gave most."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Floats, Rows
from palate.funnel.stages import Generator
from palate.funnel.trace import PUT_HERE, log
from palate.funnel.types import Pool, Query, Reason, Slate
from palate.funnel.worth import PATIENCE, credits_of, heard
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

    The generator that gave most is the one with the greatest worth to this visitor, by
    `credits_of`. An entry that stands there by exploration, or by an operator's rule, says so;
    without a pool everything else is there for being popular.
    """
    if pool is None or not len(slate):
        plain = Reason("popular", generator="popular")
        return tuple(slate.marks.get(row, plain) for row in slate.rows.tolist())
    rows, told = slate.rows.tolist(), {} if failed is None else failed
    weights = credits_of(pool.generators, credit, *heard(query))
    givers = _givers(pool.rows, pool.ranks, slate.rows, weights)
    found = _favoured(slate, rows, givers)
    asked: dict[int, list[int]] = {}
    for row, giver in zip(rows, givers.tolist(), strict=True):
        if row not in found:
            asked.setdefault(giver, []).append(row)
    drawn = set() if slate.explore is None else set(slate.rows[slate.explore].tolist())
    for giver, theirs in asked.items():
        generator, name = generators[giver], pool.generators[giver]
        known = [row for row in theirs if row not in drawn]
        reasons = _reasons(generator, name, query, known, told) if known else []
        found.update(zip(known, reasons, strict=True))
        if len(known) < len(theirs):
            lot = Reason("explore", generator=name)
            found.update({row: lot for row in theirs if row in drawn})
    return tuple(map(found.__getitem__, rows))


def _favoured(slate: Slate, rows: list[int], givers: NDArray[np.int64]) -> dict[int, Reason]:
    """By row: what operators' rules say of those that they favour, or made candidates."""
    found = {row: slate.marks[row] for row in rows if row in slate.marks} if slate.marks else {}
    for at in np.flatnonzero(givers < 0).tolist():
        found.setdefault(rows[at], _brought(slate, rows[at]))
    return found


def _brought(slate: Slate, row: int) -> Reason:
    """Of what no generator proposed: an operator named it, and perhaps a rule put it there."""
    authors = [n.removesuffix(PUT_HERE) for n in slate.notes.get(row, ()) if n.endswith(PUT_HERE)]
    return Reason("editorial", rule=authors[0].partition(":")[2] if authors else "")


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
    generator: Generator, name: str, query: Query, rows: list[int], failed: dict[str, str]
) -> list[Reason]:
    """What a generator says of its rows: of all at once where it can, else of each."""
    together = getattr(generator, "explain_all", None)
    if together is not None:
        try:
            told = [each.by(name) for each in together(query, rows)]
            if len(told) == len(rows):
                return told
            log.debug("%s explained %d of %d rows", name, len(told), len(rows))
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
