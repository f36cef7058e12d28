"""Where an item went in one request: at which stage it was lost, and what would have to change."""

from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

import numpy as np

from palate.funnel.engine import Funnel
from palate.funnel.retrieve import Asked, retrieve
from palate.funnel.stages import name_of
from palate.funnel.trace import Recorder
from palate.funnel.types import Answer, Candidates, Query

Stage: TypeAlias = Literal[
    "shown", "catalogue", "excluded", "filter", "generate", "pool", "rank", "shortlist", "rule"
]

CURES = {
    "catalogue": "an item of that id in the catalogue, with hidden = false",
    "excluded": "a request that lets it in: without the cursor, `exclude` and `filter`",
    "seen": 'another idea of what counts as seen: "hide_seen.signals" under {surface}',
    "filter": "its dates, regions, age or visibility in the catalogue, or who asks",
    "generate": "events on it by people like this visitor, or categories and text like theirs",
    "pool": 'a better rank at one generator, or a larger pool: "pool" under {surface}',
    "rule": 'the numbers of "{part}" under {surface}',
}


@dataclass(frozen=True, slots=True)
class Vote:
    """One generator's word on the item."""

    generator: str
    rank: int
    """From 1; 0 where it does not propose the item at all."""
    score: float
    """NaN where it does not."""


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """What became of the item."""

    stage: Stage
    """Where it was lost; `shown` where it was not."""
    sentence: str
    part: str = ""
    """The filter or rule that took it."""
    position: int = 0
    """In the slate, from 1; 0 where it is not."""
    ranked: int = 0
    """By the ranker, from 1; 0 where it was not ranked."""
    score: float = float("nan")
    votes: tuple[Vote, ...] = ()
    moves: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Rule -> (rank before, rank after)."""
    cure: str = ""
    """What would have to change for it to be shown."""


async def locate(funnel: Funnel, query: Query, row: int) -> Whereabouts:
    """Answer `query` and follow `row` through the answer."""
    answer = await funnel.answer(query)
    query = replace(query, seed_item=answer.seed_item)
    found = _in_answer(funnel, query, row, answer)
    votes = await _votes(funnel, query, row)
    found = _placed(funnel, found, votes)
    return replace(found, votes=votes, cure=_cure(query, found, answer))


def _placed(funnel: Funnel, found: Whereabouts, votes: tuple[Vote, ...]) -> Whereabouts:
    """Tell an item that nobody proposed from one for which the pool had no room."""
    if found.stage == "generate" and any(vote.rank for vote in votes):
        best = min((vote for vote in votes if vote.rank), key=lambda vote: vote.rank)
        sentence = (
            f"{best.generator} has it at rank {best.rank}, but the pool of {funnel.pool} was full"
        )
        return replace(found, stage="pool", sentence=sentence)
    return found


def _cure(query: Query, found: Whereabouts, answer: Answer) -> str:
    """What the site, or the visitor, would have to do."""
    if found.stage in {"rank", "shortlist"}:
        least = float(answer.slate.scores.min(initial=np.inf))
        return f"a score of {least:.4f}, the lowest on this page (it has {found.score:.4f})"
    told = CURES.get("seen" if found.part == "hide_seen" else found.stage, "")
    return told.format(surface=f"[surfaces.{query.surface}]", part=found.part)


def _in_answer(funnel: Funnel, query: Query, row: int, answer: Answer) -> Whereabouts:
    shown = np.flatnonzero(answer.slate.rows == row)
    if len(shown):
        return _shown(row, int(shown[0]) + 1, answer)
    return _unlawful(funnel, query, row) or _outranked(query, row, answer)


def _shown(row: int, position: int, answer: Answer) -> Whereabouts:
    ranked, score = _ranked(row, answer)
    sentence = f"it is shown at position {position}"
    return Whereabouts("shown", sentence, "", position, ranked, score, (), _moves(row, answer))


def _unlawful(funnel: Funnel, query: Query, row: int) -> Whereabouts | None:
    rows = np.array([row], np.int32)
    if row < 0 or not funnel.stores.columns.read(rows, ["servable"])["servable"][0]:
        return Whereabouts("catalogue", "the catalogue does not know it, or it is hidden there")
    if not query.allows(rows)[0]:
        return Whereabouts("excluded", "the request itself leaves it out")
    for each in funnel.filters:
        if not each.keep(query, rows, funnel.stores.columns.read(rows, each.reads))[0]:
            meaning = (type(each).__doc__ or "").partition("\n")[0]
            name = name_of(each)
            return Whereabouts("filter", f"the filter {name} took it out: {meaning}", name)
    return None


def _outranked(query: Query, row: int, answer: Answer) -> Whereabouts:
    ranked, score = _ranked(row, answer)
    if not ranked:
        return Whereabouts("generate", "no generator proposes it to this visitor")
    moves = _moves(row, answer)
    for name, (before, after) in answer.trace.orders.items():
        if row not in before:
            sentence = f"it ranked {ranked}, and the rules look at {len(before)}"
            return Whereabouts("shortlist", sentence, "", 0, ranked, score)
        gone = row not in after
        if gone or (name in moves and moves[name][0] <= query.size < moves[name][1]):
            to = "out" if gone else f"from {moves[name][0]} to {moves[name][1]}"
            told = "".join(f"; {note}" for note in answer.trace.notes.get(row, ()))
            sentence = f"it ranked {ranked}, and the rule {name} moved it {to}{told}"
            return Whereabouts("rule", sentence, name, 0, ranked, score, (), moves)
    sentence = f"it ranked {ranked}, and the page has {query.size} places"
    return Whereabouts("rank", sentence, "", 0, ranked, score, (), moves)


def _ranked(row: int, answer: Answer) -> tuple[int, float]:
    ranked = answer.trace.ranked
    if ranked is None or row not in ranked.rows:
        return 0, float("nan")
    at = np.flatnonzero(ranked.rows == row)
    return int(at[0]) + 1, float(ranked.scores[at[0]])


def _moves(row: int, answer: Answer) -> dict[str, tuple[int, int]]:
    moves = {}
    for name, (before, after) in answer.trace.orders.items():
        old, new = np.flatnonzero(before == row), np.flatnonzero(after == row)
        if len(old) and len(new) and old[0] != new[0]:
            moves[name] = (int(old[0]) + 1, int(new[0]) + 1)
    return moves


async def _votes(funnel: Funnel, query: Query, row: int) -> tuple[Vote, ...]:
    """Every generator's word, however far down its list."""
    size = max(funnel.stores.columns.size, 1)
    asked = Asked(size, size, funnel.budget)
    proposals = await retrieve(funnel.generators, query, asked, Recorder())
    return tuple(
        _vote(name_of(generator), found, row)
        for generator, found in zip(funnel.generators, proposals, strict=True)
    )


def _vote(name: str, found: Candidates, row: int) -> Vote:
    at = np.flatnonzero(found.rows == row)
    if not len(at):
        return Vote(name, 0, float("nan"))
    return Vote(name, int(at[0]) + 1, float(found.scores[at[0]]))
