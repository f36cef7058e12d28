"""Why an item is, or is not, on a visitor's page: one answer for the command line and the API."""

import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec
import numpy as np

from palate.events.kinds import Signal
from palate.features.vector import feature_of
from palate.funnel.budget import WHOLE, Plan
from palate.funnel.costs import Cost
from palate.funnel.engine import Funnel
from palate.funnel.fate import Fate, Stage
from palate.funnel.stages import name_of
from palate.funnel.types import Query
from palate.funnel.whereabouts import Vote, Whereabouts, locate
from palate.reranking.editorial.block import Block
from palate.reranking.editorial.restrict import Restrict
from palate.reranking.hide_policy import HidePolicy
from palate.serving.bodies import ReasonBody
from palate.serving.names import Named
from palate.serving.reasons import deeds, reason_body
from palate.serving.wording.wordings import Wording
from palate.stores import Stores

DEEDS = {Signal.NEGATIVE: "turned down", Signal.POSITIVE: "liked", Signal.TAKEN: "taken in"}
CANDIDATE = frozenset({"generate", "pool"})
"""Stages before the item is a candidate."""


class VoteBody(msgspec.Struct, frozen=True, kw_only=True):
    """One generator's word on the item."""

    rank: int
    """From 1, however far down its list."""
    score: float
    heard: int | None
    """Its rank in what was proposed for this request; null where it lies deeper."""
    needed: int | None
    """Of an item that is no candidate: the lowest rank there that would make it one, all else as it
    is; null where none would."""


class CostBody(msgspec.Struct, frozen=True, kw_only=True):
    """One thing in which the item differs from what was shown."""

    name: str
    value: float
    shown: float
    """The median of the items that were shown."""
    cost: float
    """What its score would gain with this alone as those have it."""
    meaning: str = ""


class WhyBody(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one item on one visitor's page."""

    surface: str
    visitor: str
    item_id: str
    title: str
    stage: Stage
    """Where it was lost: `shown` where it was not; then, in the order of the funnel, `catalogue`,
    `excluded`, `filter`, `ladder`, `generate`, `pool`, `shortlist`, `rank`, `rule`."""
    part: str
    """The filter or rule that took it."""
    sentence: str
    cure: str
    """What would have to change for it to be shown."""
    then: str
    """What would become of it next, were it not lost there: asked of the same funnel."""
    position: int | None
    ranked: int | None
    """By the ranker, from 1; null where it was not ranked."""
    score: float | None
    """The ranker's."""
    bar: float | None
    """Of an item that ranked too low: the score of the last place on the page."""
    place: int | None
    """Among everything that was proposed, from 1; the pool is cut after `pool` of them."""
    generators: dict[str, VoteBody | None]
    """Null where a generator does not have the item at all."""
    costs: tuple[CostBody, ...]
    """Of an item that ranked too low: what costs it most against the items shown, first."""
    enough: int | None
    """So many of `costs`, the first ones, would together bring it onto the page; null where all of
    them would not."""
    moves: dict[str, tuple[int, int]]
    """By rule: rank before and after."""
    relaxed: tuple[str, ...]
    """Operators' rules that could not be kept on this page."""
    reason: ReasonBody | None
    """Of an item that is shown: why."""


async def follow(funnel: Funnel, query: Query, row: int, plan: Plan = WHOLE) -> Whereabouts:
    """Where the item was lost, told as precisely as the filters can."""
    found = await locate(funnel, query, row, plan)
    fate, told = found.fate, ""
    if fate.part == "hide_policy":
        told = f"policy hides it: {HidePolicy(funnel.stores.columns).problem(query, row)}"
    if fate.part == "hide_muted":
        told = "the visitor hid its creator; a follow takes that back"
    if fate.part.startswith("hide_seen"):
        told = f"it counts as seen: {_deeds(query, row)}"
    if broken := _broken(funnel, fate.part):
        told = f"the rule {fate.part} cannot act as it is written: {broken}"
    return replace(found, fate=replace(fate, sentence=told)) if told else found


def _broken(funnel: Funnel, part: str) -> str:
    """What of the operator's rule that took the item makes no sense; "" where it does."""
    hides = (each for each in funnel.filters if isinstance(each, Block | Restrict))
    return next((each.closed for each in hides if name_of(each) == part), "")


class Wondering(NamedTuple):
    """Who asks about which item."""

    visitor: str
    """`user:…` or `session:…`."""
    query: Query
    row: int
    words: Wording | None = None
    """In what language the reason is told; English where None."""


def why_body(
    stores: Stores, asked: Wondering, found: Whereabouts, names: Mapping[int, Named]
) -> WhyBody:
    """As it goes over the wire; `names` holds the item and what its reason is about."""
    fate, gap, row = found.fate, found.gap, asked.row
    named = names.get(row, Named("", ""))
    reason = found.reason
    said = None
    if reason is not None:
        done = deeds(asked.query.user, set(reason.rows), stores.settings.site.viewed)
        said = reason_body(reason, names, done, row, asked.words)
    return WhyBody(
        surface=asked.query.surface,
        visitor=asked.visitor,
        item_id=named.item_id,
        title=named.title,
        stage=fate.stage,
        part=fate.part,
        sentence=fate.sentence,
        cure=found.cure,
        then=_then(fate, found.then),
        position=fate.position or None,
        ranked=fate.ranked or None,
        score=None if math.isnan(fate.score) else fate.score,
        bar=gap.bar if gap else None,
        place=found.place or None,
        generators={vote.generator: _vote(vote) for vote in found.votes},
        costs=tuple(map(_cost, found.costs)),
        enough=(gap.enough or None) if gap else None,
        moves=fate.moves,
        relaxed=found.relaxed,
        reason=said,
    )


def _then(fate: Fate, then: Fate | None) -> str:
    if then is None:
        return ""
    if fate.stage in CANDIDATE:
        return f"as a candidate: {then.sentence}"
    return f"without that: {then.sentence}"


def _vote(vote: Vote) -> VoteBody | None:
    if not vote.rank:
        return None
    heard, needed = vote.heard or None, vote.needed or None
    return VoteBody(rank=vote.rank, score=vote.score, heard=heard, needed=needed)


def _cost(cost: Cost) -> CostBody:
    declared = feature_of(cost.name)
    return CostBody(
        name=cost.name,
        value=cost.value,
        shown=cost.shown,
        cost=cost.cost,
        meaning=declared.doc if declared else "",
    )


def _deeds(query: Query, row: int) -> str:
    """What the visitor did with an item, and when last."""
    user = query.user
    bits = int(np.bitwise_or.reduce(user.seen_signals[user.seen == row], initial=0))
    done = [deed for signal, deed in DEEDS.items() if bits & signal]
    last = user.times[user.history == row]
    when = f", last at {_moment(float(last.max()))}" if len(last) else ""
    shown = user.shown_times[user.shown == row]
    if not done and len(shown):
        return f"shown to the visitor, last at {_moment(float(shown.max()))}"
    return f"{' and '.join(done)}{when}"


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(sep=" ", timespec="minutes")
