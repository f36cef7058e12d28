"""Where an item went in one request: at which stage it was lost, and what would have to change."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from palate.arrays import Rows
from palate.funnel.budget import WHOLE, Plan
from palate.funnel.costs import Cost, Gap, gap
from palate.funnel.engine import Funnel
from palate.funnel.fate import Fate, fate_of
from palate.funnel.lifting import needed, place_of
from palate.funnel.retrieve import Asked, retrieve
from palate.funnel.trace import Recorder
from palate.funnel.types import NOTHING, Answer, Candidates, Query, Reason
from palate.funnel.without import without
from palate.funnel.worth import BY_LOT

CURES = {
    "catalogue": "an item of that id in the catalogue, with hidden = false",
    "excluded": "a request that lets it in: without the cursor, `exclude` and `filter`",
    "seen": 'another idea of what counts as seen: "hide_seen.signals" under {surface}',
    "filter": "its dates, regions, age or visibility in the catalogue, or who asks",
    "hide_muted": "a follow of its creator, whom the visitor sent away",
    "hide_seed": "another item on screen: it is the one that this list is about",
    "ruled": "the operator's rule {rule!r}: its items, condition, numbers, audience or dates",
    "rule": 'the numbers of "{part}" under {surface}',
    "ladder": "a full answer: {skipped}",
}
OF_OPERATORS = (
    *("block:", "restrict:", "lift:", "in_window:", "at_least:", "pin:"),
    *("hide_seen:", "hide_seen_for:", "diversify:", "boost_fresh:"),
)


@dataclass(frozen=True, slots=True)
class Vote:
    """One generator's word on the item."""

    generator: str
    rank: int
    """From 1, however far down; 0 where it does not propose the item at all. Of a generator that
    goes by lot: `heard`."""
    score: float
    """NaN where it does not."""
    heard: int = 0
    """Its rank in what the generator proposed for this request; 0 where it is not in it."""
    needed: int = 0
    """The lowest rank there at which the item would be a candidate, all else as it is; 0 where
    none would do, or a lot decides. Told of items that are no candidates."""


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """What became of the item."""

    fate: Fate
    votes: tuple[Vote, ...] = ()
    place: int = 0
    """Among everything that was proposed, from 1, were there room for all; 0 where it is not."""
    gap: Gap | None = None
    """Of an item that ranked too low: what it lacks."""
    cure: str = ""
    """What would have to change for it to be shown."""
    then: Fate | None = None
    """What would become of it without the part that took it, or were it a candidate."""
    reason: Reason | None = None
    """Of an item that is shown."""
    relaxed: tuple[str, ...] = field(default=())
    """Operators' rules that could not be kept on this page."""

    @property
    def costs(self) -> tuple[Cost, ...]:
        """What costs most, first."""
        return self.gap.costs if self.gap else ()


async def locate(funnel: Funnel, query: Query, row: int, plan: Plan = WHOLE) -> Whereabouts:
    """Answer `query` and follow `row` through the answer, all within `plan`."""
    answer = await funnel.answer(query, plan)
    query = replace(query, seed_item=answer.seed_item)
    fate = fate_of(funnel, query, row, answer)
    votes = await _votes(funnel, query, row, answer, plan)
    found = Whereabouts(fate, votes, relaxed=tuple(answer.trace.relaxed))
    match fate.stage:
        case "shown":
            at = answer.slate.rows.tolist().index(row)
            return replace(found, reason=answer.reasons[at])
        case "generate" | "pool":
            found = _outside(funnel, query, row, answer, found)
        case "rank" | "shortlist":
            found = replace(found, gap=gap(funnel, query, answer, row))
    then = await _then(funnel, query, row, fate, plan)
    return replace(found, cure=_cure(query, found, answer), then=then)


def _outside(
    funnel: Funnel, query: Query, row: int, answer: Answer, found: Whereabouts
) -> Whereabouts:
    """Of an item that is no candidate: how near it was, and what would have let it in."""
    proposals = answer.trace.proposals
    ranks = needed(funnel, query, proposals, row)
    votes = tuple(replace(vote, needed=rank) for vote, rank in zip(found.votes, ranks, strict=True))
    place = place_of(funnel, query, proposals, row)
    fate, near = found.fate, nearest(votes)
    if place:
        told = f"it is at place {place} of all that was proposed, and the pool holds {funnel.pool}"
    elif near is not None:
        told = f"no generator reached it; the nearest is {near.generator}, at rank {near.rank}"
    else:
        told = "no generator knows it, however far down"
        told += "; only a lot may bring it" if BY_LOT & set(funnel.names) else ""
    return replace(found, fate=replace(fate, sentence=told), votes=votes, place=place)


def nearest(votes: Sequence[Vote]) -> Vote | None:
    """The generator that has the item highest, of those whose word would let it in.

    What goes by lot has no word on it: its next order is another one.
    """
    known = [vote for vote in votes if vote.rank and vote.generator not in BY_LOT]
    return min(known, key=lambda vote: (not vote.needed, vote.rank), default=None)


@dataclass(frozen=True, slots=True)
class _With:
    """Guests, and one more."""

    others: Callable[[Query], Rows]
    row: int

    def __call__(self, query: Query) -> Rows:
        others = self.others(query)
        return others if self.row in others else np.append(others, np.int32(self.row))


async def _then(funnel: Funnel, query: Query, row: int, fate: Fate, plan: Plan) -> Fate | None:
    """The same request once more, without what took the item; the item as a candidate."""
    match fate.stage:
        case "generate" | "pool":
            funnel = replace(funnel, guests=_With(funnel.guests, row))
        case "filter" | "rule":
            funnel = without(funnel, fate.part)
            if query.matching is not None and not query.matching.asked:
                query = replace(query, matching=None)
        case "excluded":
            query = replace(query, excluded=NOTHING, matching=None)
        case _:
            return None
    return fate_of(funnel, query, row, await funnel.answer(query, plan))


def _cure(query: Query, found: Whereabouts, answer: Answer) -> str:
    """What the site, or the visitor, would have to do."""
    fate, surface = found.fate, f"[surfaces.{query.surface}]"
    if fate.stage in {"rank", "shortlist"}:
        return _better(fate, found.gap)
    if fate.stage in {"generate", "pool"}:
        return _nearer(found.votes, surface)
    if fate.part.startswith(OF_OPERATORS):
        return CURES["ruled"].format(rule=fate.part.partition(":")[2])
    skipped = "; ".join(f"{name}: {why}" for name, why in answer.trace.skipped.items())
    told = CURES["seen"] if fate.part.startswith("hide_seen") else CURES.get(fate.part)
    told = told or CURES[fate.stage]
    return told.format(surface=surface, part=fate.part, skipped=skipped or "nothing was found")


def _better(fate: Fate, lacks: Gap | None) -> str:
    if lacks is None:
        return "a better score"
    told = f"a score of {lacks.bar:.4f}, that of the last place (it has {fate.score:.4f})"
    if not lacks.enough:
        return f"{told}; nothing that was measured brings it there"
    names = [cost.name for cost in lacks.costs[: lacks.enough]]
    return f"{told}: it would have it with {', '.join(names)} as the items shown have them"


def _nearer(votes: Sequence[Vote], surface: str) -> str:
    able = [vote for vote in votes if vote.needed]
    if not able:
        return f'a larger pool: "pool" under {surface}'
    best = max(able, key=lambda vote: (vote.needed - (vote.rank or np.inf), vote.needed))
    how = "events on it by people like this visitor, or categories and text like theirs"
    return f"rank {best.needed} or better at {best.generator} ({how})"


async def _votes(
    funnel: Funnel, query: Query, row: int, answer: Answer, plan: Plan
) -> tuple[Vote, ...]:
    """Every generator's word, however far down its list, and what was heard of it.

    Of those that go by lot only what they said: further down is no rank of theirs.
    """
    size = max(funnel.stores.columns.size, 1)
    asked = Asked(size, size, funnel.budget)
    meant = {n: g for n, g in zip(funnel.names, funnel.named, strict=True) if n not in BY_LOT}
    found = await retrieve(tuple(meant.values()), query, asked, Recorder(plan))
    deep, none = dict(zip(meant, found, strict=True)), Candidates.none()
    return tuple(
        _vote(name, deep.get(name, none), heard, row)
        for name, heard in zip(funnel.names, answer.trace.proposals, strict=True)
    )


def _vote(name: str, deep: Candidates, said: Candidates, row: int) -> Vote:
    heard, at = np.flatnonzero(said.rows == row), np.flatnonzero(deep.rows == row)
    first = int(heard[0]) + 1 if len(heard) else 0
    if not len(at):
        score = float(said.scores[heard[0]]) if first else float("nan")
        return Vote(name, first, score, first)
    return Vote(name, int(at[0]) + 1, float(deep.scores[at[0]]), first)
