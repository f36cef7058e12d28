"""What became of an item in an answer: one stage at which it was lost, told by what was recorded.

Every item has exactly one fate, so fates of many items add up (`funnel.ledger`).
"""

from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

import numpy as np

from palate.arrays import Rows
from palate.funnel.engine import Funnel
from palate.funnel.stages import name_of
from palate.funnel.trace import HELD_BACK, PUT_HERE
from palate.funnel.types import Answer, Query

Stage: TypeAlias = Literal[
    "shown",
    "catalogue",
    "excluded",
    "filter",
    "ladder",
    "generate",
    "pool",
    "shortlist",
    "rank",
    "rule",
]
"""In the order of the funnel, but for `shown`."""
COMPOSE = "compose"
"""The rule that keeps all of an operator's constraints at once."""
Moves: TypeAlias = dict[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Fate:
    """At which stage the item was lost, and to what."""

    stage: Stage
    """Where it was lost; `shown` where it was not."""
    sentence: str
    part: str = ""
    """The filter, rule or operator's rule that took it; of `excluded` what left it out."""
    position: int = 0
    """In the slate, from 1; 0 where it is not."""
    ranked: int = 0
    """By the ranker, from 1; 0 where it was not ranked."""
    score: float = float("nan")
    """The ranker's."""
    moves: Moves = field(default_factory=dict)
    """Rule -> (rank before, rank after)."""


def fate_of(funnel: Funnel, query: Query, row: int, answer: Answer) -> Fate:
    """Follow `row` through what `funnel` answered to `query`."""
    ranked, score = _ranked(row, answer)
    shown = _rank(answer.slate.rows, row)
    if shown:
        told = f"it is shown at position {shown}"
        return Fate("shown", told, "", shown, ranked, score, _moves(row, answer))
    return (
        _unlawful(funnel, query, row)
        or _missed(row, answer)
        or _outranked(funnel, query, row, answer)
    )


def _unlawful(funnel: Funnel, query: Query, row: int) -> Fate | None:
    rows = np.array([row], np.int32)
    if row < 0 or not funnel.stores.columns.read(rows, ["servable"])["servable"][0]:
        return Fate("catalogue", "the catalogue does not know it, or it is hidden there")
    if not query.welcomes(rows)[0]:
        told = "the request leaves it out: it was on an earlier page, or `exclude` names it"
        return Fate("excluded", told, "exclude")
    for each in funnel.filters:
        if not each.keep(query, rows, funnel.stores.columns.read(rows, each.reads))[0]:
            meaning = (type(each).__doc__ or "").partition("\n")[0]
            name = name_of(each)
            return Fate("filter", f"the filter {name} took it out: {meaning}", name)
    if not query.matches(rows)[0]:
        return Fate(
            "excluded", "the request leaves it out: its `filter` does not hold of it", "filter"
        )
    return None


def _missed(row: int, answer: Answer) -> Fate | None:
    """Before the ranker."""
    pool = answer.trace.pool
    if answer.step != "full":
        told = f"the funnel could not answer, and the rung {answer.step} does not show it"
        return Fate("ladder", told, answer.step)
    if pool is not None and row in pool.rows:
        return None
    if any(row in said.rows for said in answer.trace.proposals):
        return Fate("pool", "it was proposed, and the pool was full")
    return Fate("generate", "no generator proposes it to this visitor")


def _outranked(funnel: Funnel, query: Query, row: int, answer: Answer) -> Fate:
    """By the ranker, or by the last rule that moved it off the page, or out."""
    ranked, score = _ranked(row, answer)
    told = f"it ranked {ranked}, and the page has {query.size} places"
    low = Fate("rank", told, "", 0, ranked, score, _moves(row, answer))
    room, lifts = max(funnel.shortlist, 3 * query.size), {name_of(each) for each in funnel.lifts}
    culprit = lift = ""
    for name, (before, after) in answer.trace.orders.items():
        was, now = _rank(before, row), _rank(after, row)
        if not was:
            told = f"it ranked {ranked}, and the rules look at {len(before)}"
            culprit, low = culprit or lift, replace(low, stage="shortlist", sentence=told)
            break
        culprit = _crossed(culprit, name, was, now, query.size)
        lift = _crossed(lift, name, was, now, room) if name in lifts else lift
        if not now:
            culprit = name
            break
    return _displaced(low, culprit, row, answer) if culprit else low


def _crossed(culprit: str, name: str, was: int, now: int, bound: int) -> str:
    """Who took it below the bound last; "" where it is above it, or never was."""
    if was <= bound < now:
        return name
    return "" if now <= bound else culprit


def _displaced(low: Fate, culprit: str, row: int, answer: Answer) -> Fate:
    """Name the operator's rule where it was one of several that act together."""
    notes = answer.trace.notes
    before, after = answer.trace.orders[culprit]
    held = _authors(notes.get(row, ()), HELD_BACK)
    put = [a for r in answer.slate.rows.tolist() for a in _authors(notes.get(r, ()), PUT_HERE)]
    part = culprit
    if culprit == COMPOSE and (held or put):
        part = (held or put)[0]
    now = _rank(after, row)
    to = f"from {_rank(before, row)} to {now}" if now else "out"
    others = list(dict.fromkeys(each for each in (held or put) if each != part))
    beside = f", beside {', '.join(others)}" if part != culprit and others else ""
    told = f"it ranked {low.ranked}, and the rule {part} moved it {to}{beside}"
    return replace(low, stage="rule", part=part, sentence=told)


def _authors(notes: tuple[str, ...], deed: str) -> list[str]:
    return [note.removesuffix(deed) for note in notes if note.endswith(deed)]


def _rank(rows: Rows, row: int) -> int:
    """From 1; 0 where it is not there."""
    at = np.flatnonzero(rows == row)
    return int(at[0]) + 1 if len(at) else 0


def _ranked(row: int, answer: Answer) -> tuple[int, float]:
    ranked = answer.trace.ranked
    place = _rank(ranked.rows, row) if ranked is not None else 0
    if ranked is None or not place:
        return 0, float("nan")
    return place, float(ranked.scores[place - 1])


def _moves(row: int, answer: Answer) -> Moves:
    found = {}
    for name, (before, after) in answer.trace.orders.items():
        old, new = _rank(before, row), _rank(after, row)
        if old and new and old != new:
            found[name] = (old, new)
    return found
