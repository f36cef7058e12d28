"""Does `palate why` tell the truth? Random visitors and items, each answer recomputed by force.

    python bench/why.py --pairs 1000 [--seed 1] [--manifest FILE] [--json]

Every pair is asked of a surface with random numbers (pool, shortlist, quotas, ranker), with or
without a release's fitted weights, under random operators' rules, by a random visitor (a stranger,
one of few acts, one in the middle of a visit) with a random filter. What is told (who each entry is
credited to, the stage, the part, the place in the pool, the rank that a generator would need, what
costs most and how much of it would be enough, what would become of it otherwise) is then recomputed
by `recomputed.py` in plain loops. `--manifest` takes the weights of a release of yours.
Exits with 1 where anything disagrees.
"""

import argparse
import asyncio
import math
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from time import perf_counter
from typing import Any, Self

import numpy as np
from fitted import manifest_of, released, visiting
from load.ran import ran
from recomputed import Retold, fate, merged_by_hand, retold, weighed_by_hand, without

from palate.arrays import Floats
from palate.cli.output import facts, table_of
from palate.funnel.engine import Funnel
from palate.funnel.facts import features_of
from palate.funnel.merge import Admission
from palate.funnel.types import Pool, Query
from palate.funnel.whereabouts import Whereabouts, locate
from palate.funnel.worth import ADMITTED, BY_LOT, PATIENCE
from palate.index.matching import Matching
from palate.releases.manifest import Manifest
from palate.rules.decode import rules as decoded
from palate.settings import Settings
from palate.stores import Stores
from palate.surfaces import funnel
from palate.surfaces.overrides import certain
from palate.surfaces.steered.program import Program
from palate.testing.tiny import GENRES, SIZE, USERS, TinyWorld, tiny_names, tiny_world

FEATURES = ("popular_rank", "covisit_score", "content_score", "item_shown_30d", "item_age_days")
NEAR, EQUAL = 1e-4, 1e-7
MORE = 3_000
"""Items of the wide world beside those of the tiny one: more than any pool holds."""
BY_OPERATORS = ("in_window:", "at_least:", "pin:")


@dataclass(frozen=True)
class Weighed:
    """A ranker that reads features: a sum with weights, bent."""

    reads: tuple[str, ...]
    weights: tuple[float, ...]

    @classmethod
    def default(cls, stores: Stores) -> Self:
        return cls((), ())

    def score(self, query: Query, pool: Pool, features: Floats) -> Floats:
        told = np.nan_to_num(features) @ np.array(self.weights, np.float32)
        return np.asarray(np.tanh(told / 10), np.float32)


def main(arguments: Sequence[str]) -> int:
    """Ask, recompute, and say what disagreed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pairs", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--manifest", type=Path, help="of the release whose weights are taken")
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args(arguments)
    manifest = manifest_of(wanted.manifest) if wanted.manifest else None
    started = perf_counter()
    stages, wrong = judged(wanted.pairs, wanted.seed, manifest)
    told = {
        **ran("why", arguments),
        "pairs": wanted.pairs,
        "agree": wanted.pairs - len(wrong),
        "stages": dict(stages.most_common()),
        "seconds": round(perf_counter() - started, 1),
        "disagreements": wrong[:20],
    }
    rows = [(name, count) for name, count in stages.most_common()]
    facts(told, as_json=wanted.json, table=table_of("stages", ("stage", "pairs"), rows))
    if not wanted.json:
        facts(None, as_json=False, table=f"{told['agree']} of {told['pairs']} agree {wrong[:5]}")
    return 1 if wrong else 0


def judged(
    pairs: int, seed: int, manifest: Manifest | None = None
) -> tuple[Counter[str], list[str]]:
    """How many pairs ended at each stage, and every disagreement in words."""
    stages: Counter[str] = Counter()
    wrong: list[str] = []
    for n in range(pairs):
        dice = np.random.Generator(np.random.PCG64((seed, n)))
        built, query, row = asked(dice, manifest)
        found, problems = asyncio.run(compared(built, query, row))
        stages[found.fate.stage] += 1
        wrong += [f"pair {n}: {each}" for each in problems[:1]]
    return stages, wrong


def asked(dice: np.random.Generator, manifest: Manifest | None) -> tuple[Funnel, Query, int]:
    """A surface under rules, a visitor, and an item."""
    world = wide_world() if chance(dice, 0.3) else tiny_world()
    surface = str(dice.choice(["home", "home", "home", "more_like_this", "trending"]))
    query = visiting(dice, visitor(dice, world, surface))
    fitted = released(dice, manifest) if chance(dice, 0.5) else None
    built = surfaced(dice, surface, replace(world.stores, release=fitted))
    program = Program.checked(dict(enumerated(documents(dice))), world.stores)
    row = int(dice.integers(world.stores.columns.size))
    return certain(program.steer(built, query)), query, row


def visitor(dice: np.random.Generator, world: TinyWorld, surface: str) -> Query:
    """Somebody's request."""
    stores, size = world.stores, world.stores.columns.size
    user = f"u{dice.integers(USERS)}" if chance(dice, 0.8) else ""
    mask = np.zeros(stores.columns.capacity, np.bool_)
    mask[:size] = dice.permutation(size) < dice.integers(size)
    mask[:size] &= stores.columns.servable[:size] != 0
    left_out = int(dice.integers(9)) if chance(dice, 0.3) else 0
    excluded = np.sort(dice.permutation(SIZE)[:left_out])
    return replace(
        world.query(user, surface, int(dice.integers(1, 13))),
        seed_item=int(dice.integers(SIZE)) if surface == "more_like_this" else -1,
        draw=int(dice.integers(1 << 62)),
        region=str(dice.choice(["DE", "US", ""])),
        age=int(dice.integers(5, 50)),
        matching=Matching.of(mask) if chance(dice, 0.2) else None,
        excluded=excluded.astype(np.int32),
    )


def surfaced(dice: np.random.Generator, surface: str, stores: Stores) -> Funnel:
    """A surface of random numbers; where a release has weights, mostly by these."""
    built = replace(
        funnel(surface, stores),
        pool=int(dice.choice([4, 12, 30, 500])),
        shortlist=int(dice.choice([1, 10, 30, 100])),
        reserve=int(dice.choice([0, 3, 20])),
    )
    quotas = {"trending": 2, "covisit": 3} if chance(dice, 0.3) else {}
    weights = {"covisit": 2.0, "popular": 0.1} if chance(dice, 0.3) else ADMITTED
    if stores.release is not None:
        weights = built.admission.weights
    built = replace(built, admission=Admission(weights, quotas))
    if chance(dice, 0.2 if stores.release else 0.5):
        drawn = tuple(dice.normal(size=len(FEATURES)).tolist())
        built = replace(built, ranker=Weighed(FEATURES, drawn))
    return built


@cache
def wide_world() -> TinyWorld:
    """The tiny world among thousands of items that nobody touched."""
    return TinyWorld(Settings(), None, MORE)


def chance(dice: np.random.Generator, part: float) -> bool:
    """True so often."""
    return bool(dice.random() < part)


def enumerated(documents: list[dict[str, Any]]) -> Iterator[tuple[str, Any]]:
    """The rules by the pointers that lead to them."""
    for n, rule in enumerate(decoded(documents)):
        yield f"/rules/{n}", rule


def documents(dice: np.random.Generator) -> list[dict[str, Any]]:
    """None to four operators' rules."""
    genre, other = (str(each) for each in dice.choice(GENRES, 2))
    names = [n for n in tiny_names(dice.permutation(SIZE)[:3].tolist()) if n != "space-9"]
    there: list[dict[str, Any]] = [
        {"kind": "block", "where": f'"{genre}" in categories'},
        {"kind": "block", "items": names},
        {"kind": "restrict", "where": f'"{genre}" in categories', "min_age": 18},
        {"kind": "boost", "where": f'"{genre}" in categories', "by": 1.5},
        {"kind": "bury", "where": f'"{genre}" in categories', "by": 2.0},
        {"kind": "pin", "items": names, "slots": [1, 3]},
        {"kind": "at_most", "of": "categories", "cap": 1, "window": 3},
        {"kind": "at_most", "where": f'"{other}" in categories', "cap": 1},
        {"kind": "at_least", "where": f'"{other}" in categories', "share": 0.4},
        {"kind": "seen", "policy": "show"},
        {"kind": "seen", "policy": "hide_days", "days": 2},
    ]
    chosen = dice.permutation(len(there))[: dice.integers(0, 5)].tolist()
    return [{"id": f"r{n}", **there[n]} for n in chosen]


async def compared(built: Funnel, query: Query, row: int) -> tuple[Whereabouts, list[str]]:
    """What `palate why` says, and in what the recomputation disagrees."""
    found = await locate(built, query, row)
    told = await retold(built, query)
    fate_, wrong = found.fate, []
    stage, part = fate(built, query, row, told)
    if stage != fate_.stage:
        return found, [f"item {row}: {fate_.stage} {fate_.part}, recomputed {stage} {part}"]
    if stage == "filter" and part != fate_.part:
        wrong.append(f"taken by {fate_.part}, recomputed {part}")
    if stage == "rule" and part != fate_.part and not fate_.part.startswith(BY_OPERATORS):
        wrong.append(f"moved by {fate_.part}, recomputed {part}")
    wrong += await _credited(built, query, told)
    if row in told.ranked and fate_.ranked != told.ranked.index(row) + 1:
        wrong.append(f"ranked {fate_.ranked}, recomputed {told.ranked.index(row) + 1}")
    if stage in {"generate", "pool"}:
        wrong += _near(built, query, row, told, found)
        wrong += await _nearest(built, query, row, found)
    if found.gap is not None:
        wrong += _lacking(built, query, row, told, found)
    wrong += await _otherwise(built, query, row, found)
    return found, wrong


async def _credited(built: Funnel, query: Query, told: Retold) -> list[str]:
    """Whether every reason is of one whose word weighs most, by the surface's own weights."""
    answer = await built.answer(query)
    seen = replace(query, seed_item=answer.seed_item)
    weights, wrong = weighed_by_hand(built.names, built.credit, seen, reasons=True), []
    for row, reason in zip(answer.slate.rows.tolist(), answer.reasons, strict=True):
        if reason.rule or answer.step != "full":
            continue
        at = told.made.rows.tolist().index(row)
        ranks = dict(zip(built.names, told.made.ranks[at].tolist(), strict=True))
        gave = {
            name: weight / (PATIENCE + ranks[name])
            for name, weight in zip(built.names, weights, strict=True)
            if ranks[name]
        }
        if not gave and reason.kind != "editorial":
            wrong.append(f"item {row}: nobody found it, yet {reason.generator} is credited")
        likely = {"content", "covisit"} if reason.kind == "similar_to_item" else {reason.generator}
        if gave and max(gave.values()) - max(gave.get(name, -1.0) for name in likely) > EQUAL:
            wrong.append(f"item {row}: {reason.generator} is credited, recomputed {gave}")
    return wrong


def _near(built: Funnel, query: Query, row: int, told: Retold, found: Whereabouts) -> Iterator[str]:
    """The place in the merged pool, and the rank that each generator would need."""
    place = told.merged.index(row) + 1 if row in told.merged else 0
    if place != found.place:
        yield f"at place {found.place}, recomputed {place}"
    for which, vote in enumerate(found.votes):
        if vote.generator in BY_LOT:
            if vote.needed:
                yield f"a rank of {vote.generator} would help"
            continue
        for rank, wanted in ((vote.needed, True), (vote.needed + 1, False)):
            last = min(len(told.proposals[which]) + 1, built.pool)
            if 0 < rank <= last and _enters(built, query, row, told, (which, rank)) != wanted:
                yield f"{vote.generator} at {rank}: {'not enough' if wanted else 'enough'}"


async def _nearest(built: Funnel, query: Query, row: int, found: Whereabouts) -> list[str]:
    """Who has it highest, of those that go by something, which is so with every other lot too."""
    ranks = {}
    for generator, name in zip(built.generators, built.names, strict=True):
        said = (await generator.generate(query, built.stores.columns.size)).rows.tolist()
        if row in said and name not in BY_LOT:
            ranks[name] = said.index(row) + 1
    votes = {vote.generator: vote for vote in found.votes}
    off = {name: rank for name, rank in ranks.items() if votes[name].rank != rank}
    wrong = [f"{name} has it at {votes[name].rank}, not {rank}" for name, rank in off.items()]
    able = {name: rank for name, rank in ranks.items() if votes[name].needed} or ranks
    if able and found.fate.stage == "generate":
        near = min(able, key=lambda name: able[name])
        if f"the nearest is {near}, at rank {able[near]}" not in found.fate.sentence:
            wrong.append(f"{found.fate.sentence}, recomputed {near} at {able[near]}")
    other = replace(query, user=replace(query.user, key=query.user.key ^ 1))
    again = await locate(built, other, row)
    if again.fate.stage == found.fate.stage == "generate" and again.fate != found.fate:
        wrong.append(f"with another lot: {again.fate.sentence}")
    return wrong


def _enters(built: Funnel, query: Query, row: int, told: Retold, where: tuple[int, int]) -> bool:
    which, rank = where
    said = list(told.proposals)
    rows = [each for each in said[which] if each != row]
    said[which] = [*rows[: rank - 1], row, *rows[rank - 1 :]][: built.pool]
    return row in merged_by_hand(built, query, said, built.pool)


def _lacking(
    built: Funnel, query: Query, row: int, told: Retold, found: Whereabouts
) -> Iterator[str]:
    """What costs most, and how much of it would be enough: every single change, scored by hand."""
    gap = found.gap
    shown = [each for each in told.page if each in told.scores]
    if gap is None or not shown:
        return
    names, values, typical = measured(built, query, told, [row, *shown])
    bar = told.scores[told.ranked[min(query.size, len(told.ranked)) - 1]]
    own = by_hand(built, query, values)
    gains = {
        name: by_hand(built, query, [*values[:n], typical[n], *values[n + 1 :]]) - own
        for n, name in enumerate(names)
    }
    if abs(bar - gap.bar) > NEAR or abs(own - found.fate.score) > NEAR:
        yield f"bar {gap.bar}, score {found.fate.score}; recomputed {bar}, {own}"
    most = max([0.0, *gains.values()])
    if abs(most - (gap.costs[0].cost if gap.costs else 0.0)) > NEAR:
        yield f"the most costs {gap.costs[:1]}, recomputed {most}"
    for cost in gap.costs:
        if abs(gains[cost.name] - cost.cost) > NEAR:
            yield f"{cost.name} costs {cost.cost}, recomputed {gains[cost.name]}"
    better = [cost.name for cost in gap.costs[: gap.enough]] if gap.enough else None
    raised_ = better or [name for name in names if gains[name] > 0]
    changed = [t if n in raised_ else v for n, v, t in zip(names, values, typical, strict=True)]
    reached = by_hand(built, query, changed) - bar
    if (reached < -NEAR) if gap.enough else (reached > NEAR):
        yield f"{gap.enough} would be enough, recomputed {reached} over the bar"


def measured(
    built: Funnel, query: Query, told: Retold, rows: list[int]
) -> tuple[list[str], list[float], list[float]]:
    """Names, the item's values (the first row's) and the middle of the others'."""
    if built.ranker.reads:
        at = [told.lawful.index(each) for each in rows]
        table = features_of(built.stores, query, told.made.take(np.array(at)), FEATURES)
        return list(FEATURES), table[0].tolist(), np.median(table[1:], axis=0).tolist()
    ranks = [told.made.ranks[told.lawful.index(row)].tolist() for row in rows]
    middle = []
    for column in zip(*ranks[1:], strict=True):
        found = sorted(rank or 10**6 for rank in column)[(len(column) - 1) // 2]
        middle.append(0 if found == 10**6 else found)
    return [f"{each} rank" for each in built.names], [float(r) for r in ranks[0]], middle


def by_hand(built: Funnel, query: Query, values: Sequence[float]) -> float:
    """The ranker's formula, written out."""
    ranker: Any = built.ranker
    if ranker.reads:
        pairs = zip(ranker.weights, values, strict=True)
        total = sum(weight * value for weight, value in pairs if math.isfinite(value))
        return math.tanh(total / 10)
    weights = weighed_by_hand(built.names, ranker.weights, query)
    pairs = zip(weights, values, strict=True)
    return float(sum(weight / (PATIENCE + rank) for weight, rank in pairs if rank))


async def _otherwise(built: Funnel, query: Query, row: int, found: Whereabouts) -> list[str]:
    """What would become of it without the part that took it, or as a candidate."""
    then, changed = found.then, built
    match found.fate.stage:
        case "generate" | "pool":
            guests = built.guests
            changed = replace(built, guests=lambda asked: np.append(guests(asked), np.int32(row)))
        case "filter" | "rule":
            changed = without(built, found.fate.part)
        case "excluded":
            query = replace(query, excluded=query.excluded[:0], matching=None)
        case _:
            return [] if then is None else ["nothing was to be said of what would become of it"]
    if then is None:
        return ["it is not told what would become of it"]
    again = await retold(changed, query)
    stage, _ = fate(changed, query, row, again)
    place = again.page.index(row) + 1 if row in again.page else 0
    if (stage, place) != (then.stage, then.position):
        return [f"otherwise {then.stage} {then.position}, recomputed {stage} {place}"]
    return []


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
