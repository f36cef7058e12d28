"""Asks every generator, in turn or side by side, and cleans what it says."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from math import inf
from typing import TypeAlias

import numpy as np

from palate.arrays import Floats, Rows
from palate.errors import told_of
from palate.funnel.budget import LATE, UNFIT, Budget
from palate.funnel.stages import Generator, name_of
from palate.funnel.trace import Part, Recorder
from palate.funnel.types import NO_CANDIDATES, Candidates, Query
from palate.index.slots import free, slot
from palate.jit import kernel

Named: TypeAlias = tuple[str, Generator]
"""A generator, by its name in the trace."""
TOO_MANY, FEW = 4, 2_000
"""What is proposed beyond so many times what was asked for (but always so many) is not read."""


async def retrieve(
    generators: Sequence[Named], query: Query, asked: "Asked", log: Recorder
) -> list[Candidates]:
    """One proposal per generator, in order; an empty one where it failed or was late.

    Local generators never wait, so running them in turn is as fast as it gets; those marked
    ``remote`` are started first and collected last.
    """
    plan = log.plan
    far = {i for i, (_, each) in enumerate(generators) if getattr(each, "remote", False)}
    if not far and not plan.without and plan.ends == inf:
        return [await _one(each, query, asked, log) for each in generators]
    wanted = [i for i, (name, _) in enumerate(generators) if _fits(name, log)]
    tasks = {
        i: asyncio.create_task(_one(generators[i], query, asked, log)) for i in wanted if i in far
    }
    try:
        near: dict[int, Candidates] = {}
        left = [i for i in wanted if i not in far]
        while left:  # once, but for those that wait for ever: they are left behind
            with suppress(TimeoutError):
                async with asyncio.timeout(_patience(plan.left)):
                    while left:
                        i = left.pop(0)
                        near[i] = await _one(generators[i], query, asked, log)
        if tasks:
            most, remains = asked.budget.remote_seconds, plan.left
            patient = most if remains is None else min(most, remains)
            await asyncio.wait(tasks.values(), timeout=patient)
        late = {i for i, task in tasks.items() if not task.done()}
        late |= set(wanted) - tasks.keys() - near.keys()
    finally:
        for task in tasks.values():
            task.cancel()
    for i in late:
        log.skip(generators[i][0], LATE)
    found = near | {i: task.result() for i, task in tasks.items() if i not in late}
    return [found.get(i, NO_CANDIDATES) for i in range(len(generators))]


def _patience(left: float | None) -> float | None:
    """Seconds that local generators may wait: half of what there is, for others come too."""
    return None if left is None else left / 2


def _fits(name: str, log: Recorder) -> bool:
    """Whether the plan has room for it."""
    fits = name not in log.plan.without
    if not fits:
        log.skip(name, UNFIT)
    return fits


class Asked:
    """What every generator is asked for."""

    __slots__ = ("budget", "limit", "most", "rows_given")

    def __init__(self, limit: int, rows_given: int, budget: Budget) -> None:
        self.limit, self.rows_given, self.budget = limit, rows_given, budget
        self.most = max(TOO_MANY * limit, FEW)


async def _one(named: Named, query: Query, asked: Asked, log: Recorder) -> Candidates:
    (name, generator), found = named, NO_CANDIDATES
    if log.plan.ends < inf and log.plan.late:
        log.skip(name, LATE)
        return found
    with Part(log.trace, name, forgive=True) as part:
        said = await generator.generate(query, asked.limit)
        over = len(said.rows) - asked.most
        few = said if over <= 0 else said.take(slice(0, -over))
        found, flaws = cleaned(few, asked.rows_given)
        flaws += max(0, over)
        part.left = len(found.rows)
        if flaws:
            log.skip(
                name, f"{flaws} of its entries were too many, unknown, repeated or not a number"
            )
    return found


def cleaned(found: Candidates, rows_given: int) -> tuple[Candidates, int]:
    """The proposal without unknown or repeated rows and scores that are no numbers; how many."""
    rows, scores = np.asarray(found.rows, np.int32), np.asarray(found.scores, np.float32)
    if rows.shape != scores.shape or rows.ndim != 1:
        raise ValueError(f"{rows.shape} rows with {scores.shape} scores")
    flaws = _flaws(rows, scores, rows_given) if len(rows) else 0
    if not flaws:
        return found, 0
    good = (rows >= 0) & (rows < rows_given) & np.isfinite(scores)
    _, first = np.unique(rows[good], return_index=True)
    kept = np.flatnonzero(good)[np.sort(first)]
    return Candidates(rows[kept], scores[kept]), len(rows) - len(kept)


class Guarded:
    """Asks generators outside of a page: one that breaks proposes nothing, and is said once."""

    __slots__ = ("_log", "_said")

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._said: set[str] = set()

    async def ask(
        self, generator: Generator, query: Query, limit: int, rows_given: int
    ) -> Candidates:
        """What it proposes, cleaned."""
        try:
            return cleaned(await generator.generate(query, limit), rows_given)[0]
        except Exception as error:  # noqa: BLE001  the funnel goes on without it, and so does this
            if (name := name_of(generator)) not in self._said:
                self._said.add(name)
                told = "generator %s breaks, and proposes nothing where it does: %s"
                self._log.warning(told, name, told_of(error))
            return NO_CANDIDATES


@kernel
def _flaws(rows: Rows, scores: Floats, rows_given: int) -> int:
    table = free(2 * len(rows))
    flaws = 0
    for i in range(len(rows)):
        if rows[i] < 0 or rows[i] >= rows_given or not np.isfinite(scores[i]):
            flaws += 1
            continue
        place = slot(table, rows, rows[i])
        flaws += table[place] >= 0
        table[place] = i
    return flaws
