"""Parts that misbehave on purpose."""

import asyncio
from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np

from palate.arrays import Floats, Mask, Rows
from palate.funnel.types import NOTHING, Candidates, Columns, Pool, Query, Reason, Slate
from palate.stores import Stores


@dataclass(frozen=True)
class Says:
    """A generator that says what it is told to."""

    rows: tuple[int, ...]
    scores: tuple[float, ...] = ()

    @classmethod
    def default(cls, stores: Stores) -> Self:
        return cls(())

    async def generate(self, query: Query, limit: int) -> Candidates:
        scores = self.scores or tuple(float(-n) for n in range(len(self.rows)))
        return Candidates(np.array(self.rows, np.int32), np.array(scores, np.float32))

    def explain(self, query: Query, row: int) -> Reason:
        return Reason("taste", rows=(1,))


@dataclass(frozen=True)
class Breaks(Says):
    """A generator that raises."""

    async def generate(self, query: Query, limit: int) -> Candidates:
        raise ConnectionError("no route")


@dataclass(frozen=True)
class Late(Says):
    """A remote generator that never answers."""

    remote: ClassVar[bool] = True

    ended: list[str] = field(default_factory=list)

    async def generate(self, query: Query, limit: int) -> Candidates:
        try:
            await asyncio.Event().wait()
        finally:
            self.ended.append("cancelled")
        return Candidates.none()


@dataclass(frozen=True)
class Remote(Says):
    """A remote generator that answers after the others had a turn."""

    remote: ClassVar[bool] = True

    async def generate(self, query: Query, limit: int) -> Candidates:
        await asyncio.sleep(0)
        return await super().generate(query, limit)


@dataclass(frozen=True)
class Rejects:
    """A filter that hides some rows and, when told to, breaks or answers nonsense."""

    rows: tuple[int, ...] = ()
    broken: bool = False
    silent: bool = False
    numbers: bool = False

    reads: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def default(cls, stores: Stores) -> Self:
        return cls()

    def keep(self, query: Query, rows: Rows, columns: Columns) -> Mask:
        if self.broken:
            raise OSError("policy is down")
        if self.silent:
            return np.ones(0, np.bool_)
        if self.numbers:
            return np.arange(len(rows))  # type: ignore[return-value]
        return ~np.isin(rows, self.rows)

    def excludes(self, query: Query) -> Rows:
        return NOTHING


@dataclass(frozen=True)
class Scores:
    """A ranker that gives the same to all, or what it must not."""

    value: float = 1.0
    broken: bool = False
    reads: tuple[str, ...] = ()

    @classmethod
    def default(cls, stores: Stores) -> Self:
        return cls()

    def score(self, query: Query, pool: Pool, features: Floats) -> Floats:
        if self.broken:
            raise ValueError("shape")
        return np.full(len(pool), self.value, np.float32)


@dataclass(frozen=True)
class Rearranges:
    """A rule: reverses, or what it must not."""

    how: str = "reverse"
    required: bool = False

    reads: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def default(cls, stores: Stores) -> Self:
        return cls()

    def apply(self, query: Query, slate: Slate) -> Slate:
        match self.how:
            case "break":
                raise KeyError("column")
            case "forbid":
                if slate.rows.tolist() == [1]:
                    raise PermissionError("not this one alone")
                return slate
            case "repeat":
                return slate.take(np.zeros(len(slate), np.intp))
            case "invent":
                return Slate(slate.rows + 1, slate.scores)
            case "overwrite":
                slate.rows[:] += 1
                return slate
            case "drop":
                return slate.take(slice(1, None))
            case _:
                return slate.take(slice(None, None, -1))
