"""What a request's filter lets through: compiled once, evaluated once for many requests."""

from collections.abc import Hashable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from palate.catalog.columns import ItemColumns
from palate.catalog.filterable import Filterable
from palate.expressions.check import checked
from palate.expressions.mask import MINUTE, Scope, mask
from palate.expressions.tree import VISITOR, Condition, Now, fields, kind_of, parts, tests
from palate.funnel.standing import QUICK, Standing
from palate.index.matching import Matching

PATIENCE, REST = 2.0, 0.5
"""Seconds: in a large catalogue that changes all the time an answer serves at least for the one,
and at most for the other while it is found anew."""


class Compiled(NamedTuple):
    """A condition, and what of a request it asks for."""

    condition: Condition
    names: tuple[str, ...]
    """``user.*`` and ``context.*`` that it reads."""
    timed: bool
    """Whether it goes by the time."""


class Asked(NamedTuple):
    """All that an answer depends on."""

    condition: Condition
    version: int
    size: int
    minute: float
    values: tuple[tuple[str, Hashable], ...]


class Conditions:
    """The filters of one worker."""

    def __init__(self, columns: ItemColumns, compiled: int = 256, kept: int = 16) -> None:
        self._columns, self._fields = columns, Filterable(columns)
        self._compiled = lru_cache(compiled)(self._compile)
        self._answered = lru_cache(kept)(self._answer)
        self._standing = Standing[Matching](kept, PATIENCE, REST)

    async def matching(self, text: str, now: float, visitor: Mapping[str, Any]) -> Matching:
        """What passes `text` for a visitor with these ``user.*`` and ``context.*`` values.

        Where it takes a while it may be as of a second ago. Raises BadInput that points at the
        character.
        """
        asked = self._asked(text, now, visitor)
        if self._columns.size * len(tests(asked.condition)) <= QUICK:
            return self._answered(asked)
        question = (asked.condition, asked.values, self._columns.capacity)
        moment = (asked.version, asked.size, asked.minute)
        return await self._standing.of(question, moment, now, lambda: self._answer(asked))

    def _asked(self, text: str, now: float, visitor: Mapping[str, Any]) -> Asked:
        columns = self._columns
        condition, names, timed = self._compiled(text, columns.version)
        values = tuple((name, _frozen(visitor[name])) for name in names if name in visitor)
        minute = now // MINUTE * MINUTE if timed else 0.0
        return Asked(condition, columns.version, columns.size, minute, values)

    def _compile(self, text: str, _: int) -> Compiled:
        """Fields come with the catalogue, so each of its versions is checked anew."""
        condition = checked(text, self._fields.schema())
        names = {each.name for each in fields(condition) if each.name.startswith(VISITOR)}
        timed = any(isinstance(each, Now) for each in parts(condition))
        return Compiled(condition, tuple(sorted(names)), timed)

    def _answer(self, asked: Asked) -> Matching:
        columns, size = self._columns, asked.size
        found = mask(asked.condition, self._fields, Scope(asked.minute, dict(asked.values)), size)
        allowed = np.zeros(columns.capacity, np.bool_)
        allowed[:size] = found & (columns.servable[:size] != 0)
        return Matching.of(allowed)


def _frozen(value: Any) -> Hashable:
    """The value where a condition can use it, else None: missing."""
    kind = kind_of(value)
    if kind is None:
        return None
    return tuple(value) if kind == "texts" else value
