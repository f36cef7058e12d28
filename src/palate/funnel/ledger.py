"""The funnel's books: of what people would have taken, how much each stage let through.

Every relevant item has one fate (`funnel.fate`), so what is lost adds up: what is left after the
last stage is what was shown, and the shares that the stages keep multiply to the end-to-end recall,
exactly.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Self, cast, get_args

import msgspec
import numpy as np

from palate.arrays import Rows
from palate.funnel.engine import Funnel
from palate.funnel.fate import Stage, fate_of
from palate.funnel.merge import merge
from palate.funnel.types import Answer, Query

STAGES: tuple[Stage, ...] = tuple(stage for stage in get_args(Stage) if stage != "shown")
"""Where items are lost, in the order of the books."""


TOTALS = ("requests", "relevant", "shown")
BY_NAME = ("won", "found", "alone", "marginal")
"""Counters by rule or generator."""


@dataclass(frozen=True, slots=True)
class Line:
    """One stage of the books."""

    stage: Stage
    lost: int
    left: int
    parts: tuple[tuple[str, int], ...]
    """What took them (a filter, a rule, an operator's rule), the most first."""

    @property
    def kept(self) -> Fraction:
        """The share of what came in that it let through; 1 where nothing came."""
        came = self.left + self.lost
        return Fraction(self.left, came) if came else Fraction(1)


@dataclass(frozen=True, slots=True)
class Giver:
    """One generator in the books, counted in relevant items."""

    name: str
    found: int
    """It proposed so many."""
    alone: int
    """So many that no other proposed."""
    marginal: int
    """So many more are in the pool for it; below 0 where it takes the room of better ones."""


@dataclass(slots=True)
class Ledger:
    """The books of several requests."""

    requests: int = 0
    relevant: int = 0
    shown: int = 0
    lost: Counter[tuple[Stage, str]] = field(default_factory=Counter)
    won: Counter[str] = field(default_factory=Counter)
    """By rule: shown items that had ranked below the page."""
    found: Counter[str] = field(default_factory=Counter)
    alone: Counter[str] = field(default_factory=Counter)
    marginal: Counter[str] = field(default_factory=Counter)
    generators: tuple[str, ...] = ()

    @classmethod
    def of(cls, funnel: Funnel, query: Query, relevant: Iterable[int], answer: Answer) -> Self:
        """The books of one request; `relevant` is what the visitor took later, distinct."""
        books = cls(requests=1, generators=funnel.names)
        for row in relevant:
            books.relevant += 1
            fate = fate_of(funnel, query, row, answer)
            if fate.stage != "shown":
                books.lost[fate.stage, fate.part] += 1
                continue
            books.shown += 1
            if fate.ranked > query.size and (rule := _bringer(query, row, answer)):
                books.won[rule] += 1
        wanted = np.array(sorted(set(relevant)), np.int32)
        books._credit(funnel, query, wanted, answer)
        return books

    def add(self, other: "Ledger") -> None:
        """Enter the books of other requests."""
        self.requests += other.requests
        self.relevant += other.relevant
        self.shown += other.shown
        for mine, theirs in (
            (self.won, other.won),
            (self.found, other.found),
            (self.alone, other.alone),
            (self.marginal, other.marginal),
        ):
            for name, count in theirs.items():
                mine[name] += count
        self.lost.update(other.lost)
        self.generators = self.generators or other.generators

    @property
    def recall(self) -> Fraction:
        """End to end: what was shown of what was relevant; 0 where nothing was."""
        return Fraction(self.shown, self.relevant) if self.relevant else Fraction(0)

    def lines(self) -> tuple[Line, ...]:
        """Stage by stage. The product of what they keep is the recall."""
        found, left = [], self.relevant
        for stage in STAGES:
            parts = Counter({part: n for (at, part), n in self.lost.items() if at == stage})
            left -= parts.total()
            found.append(Line(stage, parts.total(), left, tuple(parts.most_common())))
        return tuple(found)

    def givers(self) -> tuple[Giver, ...]:
        """Every generator, in the order of the surface."""
        return tuple(
            Giver(name, self.found[name], self.alone[name], self.marginal[name])
            for name in self.generators
        )

    def rules(self) -> tuple[tuple[str, int, int], ...]:
        """(rule, lost, won) of all that did either."""
        lost = Counter({part: n for (stage, part), n in self.lost.items() if stage == "rule"})
        names = dict.fromkeys([*lost, *self.won])
        return tuple((name, lost[name], self.won[name]) for name in names)

    def entries(self) -> Iterator[tuple[str, str, str, int]]:
        """(what, name, part, count) of everything: sums of these are the books of all."""
        yield from ((what, "", "", getattr(self, what)) for what in TOTALS)
        yield from (("lost", stage, part, n) for (stage, part), n in self.lost.items())
        for what in BY_NAME:
            held: Counter[str] = getattr(self, what)
            names = held if what == "won" else self.generators
            yield from ((what, name, "", held[name]) for name in names)

    @classmethod
    def told(cls, entries: Iterable[tuple[str, str, str, int]]) -> Self:
        """The books that such entries, each once, come from."""
        books, generators = cls(), []
        for what, name, part, n in entries:
            if what in TOTALS:
                setattr(books, what, n)
            elif what == "lost":
                books.lost[cast("Stage", name), part] = n
            elif what in BY_NAME:
                getattr(books, what)[name] = n
                generators += [name] if what == "found" else []
        books.generators = tuple(generators)
        return books

    def _credit(self, funnel: Funnel, query: Query, wanted: Rows, answer: Answer) -> None:
        said = answer.trace.proposals
        finders = np.array([np.isin(wanted, each.rows) for each in said], np.bool_)
        if not finders.size:
            return
        pooled = _pooled(funnel, query, wanted, answer, range(len(said)))
        for which, name in enumerate(funnel.names):
            others = [n for n in range(len(said)) if n != which]
            self.found[name] = int(finders[which].sum())
            self.alone[name] = int((finders[which] & (finders.sum(axis=0) == 1)).sum())
            self.marginal[name] = pooled - _pooled(funnel, query, wanted, answer, others)


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """The books for programs and for people."""

    requests: int
    relevant: int
    """Items that were taken later, over all requests."""
    shown: int
    recall: float
    stages: tuple[dict[str, Any], ...]
    """In order: `stage`, `lost`, `left`, `kept` (of what came in), `ceiling` (of all), `parts`."""
    generators: tuple[dict[str, Any], ...]
    """`name`, and as shares of what was relevant `found`, `alone`, `marginal`."""
    rules: tuple[dict[str, Any], ...]
    """`name`, and in items `lost`, `won`."""


def account(kept: Ledger) -> Account:
    """Read the books out."""
    whole = max(kept.relevant, 1)
    return Account(
        requests=kept.requests,
        relevant=kept.relevant,
        shown=kept.shown,
        recall=float(kept.recall),
        stages=tuple(
            {
                "stage": line.stage,
                "lost": line.lost,
                "left": line.left,
                "kept": float(line.kept),
                "ceiling": line.left / whole,
                "parts": dict(line.parts),
            }
            for line in kept.lines()
        ),
        generators=tuple(
            {
                "name": each.name,
                "found": each.found / whole,
                "alone": each.alone / whole,
                "marginal": each.marginal / whole,
            }
            for each in kept.givers()
        ),
        rules=tuple({"name": name, "lost": lost, "won": won} for name, lost, won in kept.rules()),
    )


def _pooled(
    funnel: Funnel, query: Query, wanted: Rows, answer: Answer, which: Sequence[int]
) -> int:
    """How many of the wanted would be in the pool of these generators alone."""
    names = [funnel.names[n] for n in which]
    said = [answer.trace.proposals[n] for n in which]
    pool = merge(names, said, funnel.pool, query.known, funnel.admission)
    return int(np.isin(wanted, pool.rows).sum())


def _bringer(query: Query, row: int, answer: Answer) -> str:
    """The rule that brought it onto the page last."""
    found = ""
    for name, (before, after) in answer.trace.orders.items():
        if row in after[: query.size] and row not in before[: query.size]:
            found = name
    return found
