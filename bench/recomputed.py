"""The funnel once more, by brute force and in plain loops: the oracle of bench/why.py.

It asks the same parts (generators, filters, ranker, rules), but merges, cuts, sorts, and follows
items by itself: nothing of `palate.funnel.engine`, `merge`, `fate`, `lifting` or `costs` is used.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from msgspec import structs

from palate.funnel.engine import Funnel
from palate.funnel.facts import features_of
from palate.funnel.ladder import unlimited
from palate.funnel.stages import name_of
from palate.funnel.types import Candidates, Pool, Query, Slate
from palate.funnel.worth import (
    BY_LOT,
    FROM_EVERYBODY,
    FROM_HISTORY,
    POOLED,
    SENSIBLE,
    UNNAMED,
    leaning,
)

DEPTH, FLOOR, SEAT, SHARE = 60, 0.05, 8.0, 50
FEW, AWAY, THIN, BARELY = 10, 1_800.0, 3.0, 0.01
HOLDERS = ("constraints", "within")


@dataclass
class Retold:
    """One request, as it went through the parts one by one."""

    proposals: list[list[int]]
    """By generator, best first."""
    merged: list[int]
    """Everything that was proposed, most worth first."""
    pool: list[int]
    """As many as there was room for, and guests."""
    lawful: list[int]
    made: Pool
    """Of these: who proposed them."""
    ranked: list[int]
    scores: dict[int, float]
    steps: list[tuple[str, list[int], list[int]]] = field(default_factory=list)
    """Per lift and rule: the order before and after."""
    page: list[int] = field(default_factory=list)


async def retold(funnel: Funnel, query: Query) -> Retold:
    """Run every part by hand."""
    hidden = [each.excludes(query) for each in funnel.filters]
    excluded = np.unique(np.concatenate([query.excluded, *hidden])).astype(np.int32)
    told_of = await funnel.allowed(query)
    matching = told_of.within(query.matching) if told_of else query.matching
    asked = replace(query, excluded=excluded, matching=matching)
    said = [await each.generate(asked, funnel.pool) for each in funnel.generators]
    rows = [each.rows.tolist() for each in said]
    merged = merged_by_hand(funnel, asked, rows, max(1, sum(map(len, rows))))
    guests = funnel.guests(asked).tolist()
    pool, lots = in_two(funnel, asked, rows, funnel.pool, guests)
    guests = [row for row in guests if row not in pool]
    pool += [row for row in merged if row in guests]
    pool += [row for row in guests if row not in pool]
    pool += lots
    lawful = [row for row in pool if unlawful(funnel, asked, row) is None]
    made = provenance(funnel, said, lawful, lots)
    scores = scored(funnel, asked, made)
    order = sorted(range(len(lawful)), key=lambda n: -scores[n])
    told = Retold(
        [each.rows.tolist() for each in said],
        merged,
        pool,
        lawful,
        made,
        [lawful[n] for n in order],
        {row: float(scores[n]) for n, row in enumerate(lawful)},
    )
    slate = Slate(np.array(told.ranked, np.int32), scores[order].astype(np.float32))
    slate = _applied(funnel, funnel.lifts, asked, slate, told)
    lots = [row for row in lots if row not in slate.marks]
    slate = slate.take(np.argsort(np.isin(slate.rows, lots), kind="stable"))
    slate = slate.take(np.array(shortlisted(funnel, asked, made, slate.rows.tolist()), np.intp))
    slate = _applied(funnel, funnel.rules, asked, slate, told, lots)
    told.page = slate.rows.tolist()[: query.size]
    return told


def merged_by_hand(
    funnel: Funnel, query: Query, proposals: Sequence[Sequence[int]], limit: int
) -> list[int]:
    """The first `limit`: what is meant, most worth first, and behind it what the lot drew."""
    found, drawn = in_two(funnel, query, proposals, limit)
    return found + drawn


def in_two(
    funnel: Funnel,
    query: Query,
    proposals: Sequence[Sequence[int]],
    limit: int,
    guests: Sequence[int] = (),
) -> tuple[list[int], list[int]]:
    """What is meant, and what the lot drew.

    The lot gets the room that is left, and one place in fifty (or its quota) where there is none.
    """
    names = [name_of(each) for each in funnel.generators]
    lots = [name in BY_LOT for name in names]
    meant = [[] if lot else rows for rows, lot in zip(proposals, lots, strict=True)]
    drawn = [rows if lot else [] for rows, lot in zip(proposals, lots, strict=True)]
    asked = [n for n, lot in zip(names, lots, strict=True) if lot]
    seats = sum(funnel.admission.quotas.get(name, limit // SHARE) for name in asked)
    seats = min(seats, sum(map(len, drawn)))
    found = _by_worth(funnel, query, meant, funnel.admission.quotas)[: max(limit - seats, 0)]
    rest = [
        row for row in _by_worth(funnel, query, drawn, {}) if row not in found and row not in guests
    ]
    return found, rest[: limit - len(found)]


def _by_worth(
    funnel: Funnel, query: Query, proposals: Sequence[Sequence[int]], quotas: Mapping[str, int]
) -> list[int]:
    """Worth adds up over generators in float32, rank by rank, as the words of `merge` say."""
    names = [name_of(each) for each in funnel.generators]
    weights = np.array([funnel.admission.weights.get(n, UNNAMED) for n in names], np.float32)
    weights = np.maximum(weights * leaning(names, query.known, POOLED), np.float32(FLOOR))
    worth: dict[int, np.float32] = {}
    for rank in range(max(map(len, proposals), default=0)):
        for which, rows in enumerate(proposals):
            if rank >= len(rows):
                continue
            row = rows[rank]
            value = worth.get(row, np.float32(0)) + weights[which] / np.float32(DEPTH + rank + 1)
            if rank < quotas.get(names[which], 0) and value < np.float32(SEAT):
                value += np.float32(SEAT)
            worth[row] = value
    return sorted(worth, key=lambda row: -worth[row])


def weighed_by_hand(
    names: Sequence[str], weights: Mapping[str, float], query: Query, *, reasons: bool = False
) -> list[float]:
    """What each generator's word weighs in a ranking to this visitor, or as a reason."""
    acts, idle = len(query.user.history), 1e9
    if acts:
        idle = query.now - float(query.user.times[-1])
    if query.seed_item >= 0:
        acts = 10**9
    visit = "newcomer" if acts < FEW else "returning" if idle >= AWAY else "within"
    say = acts / (acts + THIN)
    unknown = (1 - say) ** 2 if (1 - say) ** 2 >= BARELY else 0.0
    if not any(name in FROM_HISTORY for name in names):
        unknown = 0.0
    told = []
    for name in names:
        weight = weights.get(name, UNNAMED if weights else 1.0)
        weight = weights.get(f"{visit}/{name}", weight)
        if name in FROM_HISTORY and not (reasons and (acts or name == "followed")):
            weight *= say
        if name in FROM_EVERYBODY:
            weight = max(weight * (1 + 0.5 * (1 - say)), SENSIBLE[name] * unknown)
        told.append(weight)
    return told


def unlawful(funnel: Funnel, query: Query, row: int) -> str | None:
    """Who takes it out; None where nobody does."""
    one = np.array([row], np.int32)
    if row in query.excluded.tolist() or not query.matches(one)[0]:
        return "request"
    for each in funnel.filters:
        columns = funnel.stores.columns.read(one, each.reads)
        if not each.keep(query, one, columns)[0]:
            return name_of(each)
    return None


def provenance(
    funnel: Funnel, said: Sequence[Candidates], rows: Sequence[int], lots: Sequence[int]
) -> Pool:
    """Each generator's score and rank of each row; of one that the lot brought, the lot's alone."""
    scores = np.full((len(rows), len(said)), np.nan, np.float32)
    ranks = np.zeros((len(rows), len(said)), np.int16)
    for g, found in enumerate(said):
        at = {row: n for n, row in enumerate(found.rows.tolist())}
        by_lot = name_of(funnel.generators[g]) in BY_LOT
        for n, row in enumerate(rows):
            if row in at and (row in lots) == by_lot:
                scores[n, g], ranks[n, g] = found.scores[at[row]], at[row] + 1
    names = tuple(name_of(each) for each in funnel.generators)
    return Pool(np.array(rows, np.int32), scores, ranks, names)


def scored(funnel: Funnel, query: Query, pool: Pool) -> Any:
    """The ranker's word on the pool."""
    reads = funnel.ranker.reads
    nothing = np.empty((len(pool), 0), np.float32)
    features = features_of(funnel.stores, query, pool, reads) if reads else nothing
    return funnel.ranker.score(query, pool, features)


def shortlisted(funnel: Funnel, query: Query, pool: Pool, rows: Sequence[int]) -> list[int]:
    """Places of what the rules see."""
    size = max(funnel.shortlist, 3 * query.size)
    kept, rest = list(range(min(size, len(rows)))), list(range(size, len(rows)))
    explores = [getattr(each, "explores", False) for each in funnel.generators]
    first = {}
    for row, ranks in zip(pool.rows.tolist(), pool.ranks.tolist(), strict=True):
        known = [rank for rank, yes in zip(ranks, explores, strict=True) if yes and rank > 0]
        if known:
            first[row] = min(known)
    unsure = sorted((at for at in rest if rows[at] in first), key=lambda at: first[rows[at]])
    kept += sorted(unsure[: funnel.reserve])
    return kept + ([at for at in rest if at not in kept] if funnel.deep else [])


def fate(funnel: Funnel, query: Query, row: int, told: Retold) -> tuple[str, str]:
    """(stage, the rule that moved it off the page last), by the definition of each stage."""
    if row in told.page:
        return "shown", ""
    if not funnel.stores.columns.read(np.array([row], np.int32), ["servable"])["servable"][0]:
        return "catalogue", ""
    by = unlawful(replace(funnel, filters=()), query, row)
    hidden = unlawful(funnel, replace(query, excluded=query.excluded[:0], matching=None), row)
    if row in query.excluded.tolist() or (by and not hidden):
        return "excluded", ""
    if hidden:
        return "filter", hidden
    if row not in told.pool:
        return ("pool", "") if any(row in rows for rows in told.proposals) else ("generate", "")
    return _lost(funnel, query, row, told)


def _lost(funnel: Funnel, query: Query, row: int, told: Retold) -> tuple[str, str]:
    lists = [told.ranked, *(after for _, _, after in told.steps)]
    names = ["", *(name for name, _, _ in told.steps)]
    on_page = [row in rows[: query.size] for rows in lists]
    seen = [row in rows for rows in lists]
    left = [n for n in range(1, len(lists)) if on_page[n - 1] and not on_page[n]]
    if left:
        return "rule", names[left[-1]]
    first = len(funnel.lifts)
    cut = len(lists) > first + 1 and seen[first] and row not in told.steps[first][1]
    if not cut:
        gone = [n for n in range(1, len(lists)) if seen[n - 1] and not seen[n]]
        return ("rule", names[gone[0]]) if gone else ("rank", "")
    room = max(funnel.shortlist, 3 * query.size)
    inside = [row in rows[:room] for rows in lists[: first + 1]]
    pushed = [n for n in range(1, first + 1) if inside[n - 1] and not inside[n]]
    return ("rule", names[pushed[-1]]) if pushed else ("shortlist", "")


def without(funnel: Funnel, part: str) -> Funnel:
    """The funnel with one part less."""
    rules = []
    for rule in funnel.rules:
        held: dict[str, Any] = {
            each: tuple(c for c in getattr(rule, each) if name_of(c) != part)
            for each in HOLDERS
            if getattr(rule, each, ())
        }
        rules += [replace(rule, **held)] if name_of(rule) != part else []  # type: ignore[type-var]
    return replace(
        funnel,
        rules=tuple(rules),
        allowed=unlimited if any(name_of(f) == part for f in funnel.filters) else funnel.allowed,
        filters=tuple(each for each in funnel.filters if name_of(each) != part),
        lifts=tuple(each for each in funnel.lifts if name_of(each) != part),
    )


def _applied(
    funnel: Funnel,
    rules: Sequence[Any],
    query: Query,
    slate: Slate,
    told: Retold,
    lots: Sequence[int] = (),
) -> Slate:
    """One rule after the other; what the lot drew goes through those that only order by itself."""
    drawn = np.isin(slate.rows, list(lots))
    apart = slate.take(drawn) if drawn.any() and not drawn.all() else None
    slate = slate if apart is None else slate.take(~drawn)
    for rule in rules:
        last = rule.required or getattr(rule, "always", False) or getattr(rule, "explores", False)
        if apart is not None and last:
            slate, apart = slate.followed(apart), None
        before = slate.rows.tolist() + ([] if apart is None else apart.rows.tolist())
        slate = _ruled(funnel, rule, query, slate)
        apart = None if apart is None else _ruled(funnel, rule, query, apart)
        after = slate.rows.tolist() + ([] if apart is None else apart.rows.tolist())
        told.steps.append((name_of(rule), before, after))
    return slate if apart is None else slate.followed(apart)


def _ruled(funnel: Funnel, rule: Any, query: Query, slate: Slate) -> Slate:
    columns = funnel.stores.columns.read(slate.rows, rule.reads) if rule.reads else {}
    return rule.apply(query, structs.replace(slate, columns=columns))  # type: ignore[no-any-return]
