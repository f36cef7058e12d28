"""Rows for the ranker, out of the log: every sampled moment is lived through again.

The log is replayed in its own order. Just before an event that engaged a user, the generators that
serve are asked what they would have proposed, with everything as it was known then; what the user
took in next says which proposals were right. Nobody recorded what was really on the screen, so
these rows are *reconstructed* and are flagged as such.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Floats, Keys, Mask, Rows
from palate.errors import GateRefused
from palate.events.batch import EventBatch, people
from palate.events.kinds import Kind, Signal
from palate.features.follows import followed
from palate.features.record import UserState
from palate.features.vector import offered
from palate.funnel.facts import features_of, heard
from palate.funnel.merge import SENSIBLY, Admission, merge
from palate.funnel.stages import Generator, name_of
from palate.funnel.types import Candidates, Pool, Query
from palate.models.ranker import HEADS
from palate.models.two_tower import outcome_codes
from palate.models.visits import VISITS, visits_of
from palate.releases.release import Release
from palate.stores import Stores
from palate.streaming.replay import Replay
from palate.training.dataset import Dataset
from palate.training.ranking.lists import RankedList, room_for_others
from palate.training.ranking.moments.logged import AsShown
from palate.training.ranking.moments.proposing import Proposing
from palate.training.report import Report

GeneratorsOf: TypeAlias = Callable[[Stores], tuple[Generator, ...]]

STEPS = np.array([0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377, 610, 987, 1597])
"""Which of a user's engagements are moments: close together when the user is new to the window,
then ever wider apart, so that a few busy people do not become what everybody is ranked by."""
RETURNS = 8
"""One moment in so many is that of a return, where there are so many."""
POOL = 500
HISTORY = 50
"""Acts of a user that the network compares the candidates with."""
SURFACE = "home"
TOLD = 10
"""Moments after which it is said how far it is."""
STRETCHES = 100
"""Leaderboards are computed anew this often over the window; live it is several times a second."""


class Moment(NamedTuple):
    """A user is about to engage with something."""

    at: int
    """Place in the log's columns."""
    user: int
    now: float
    labels: dict[int, tuple[bool, ...]]
    """Row -> came true, by head."""
    shown: Rows | None = None
    """What was really on the page, in order; None of what is reconstructed."""
    places: NDArray[np.int16] | None = None
    """(shown,): where each stood, from 1."""
    weight: float = 1.0
    """How many pages of its kind it stands for."""
    came: Mapping[int, int] = MappingProxyType({})
    """Row -> the log position at which its label was told; pages that were shown do not say."""


def sample_moments(events: EventBatch, since: int, count: int, horizon: int) -> list[Moment]:
    """At most `count` engagements at log positions from `since` on: `STEPS` of every user.

    And `STEPS` of every user's returns, however late they are: an eighth of all moments where there
    are so many. Pages are asked for when people come, while most of what they do follows within
    minutes of something else. What each user takes in within `horizon` engagements, this one
    included, are the labels.
    """
    users = people(events)
    engaged = events.engaged
    fresh = engaged & _first_time(users, events.item, engaged)
    wanted = np.flatnonzero(fresh & (events.position >= since))
    back = _kinds(events, users, wanted) == VISITS.index("returning")
    others = np.isin(_number(users[wanted]), STEPS) & ~back
    wanted = _drawn(wanted[others], _seldom(wanted[back], users), count)
    order = np.argsort(users, kind="stable")
    order = order[fresh[order]]
    place = np.empty(len(events), np.int64)
    place[order] = np.arange(len(order))
    ahead = (order[place[at] : place[at] + horizon] for at in wanted)
    theirs = (each[users[each] == users[each[0]]] for each in ahead)
    return [_moment(events, int(at), each) for at, each in zip(wanted, theirs, strict=True)]


def _kinds(events: EventBatch, users: Keys, wanted: NDArray[np.intp]) -> NDArray[np.int64]:
    """(wanted,): which of `VISITS` each one belongs to, as of just before it."""
    acts = np.flatnonzero(events.engaged)
    order = acts[np.argsort(users[acts], kind="stable")]
    again = users[order][1:] == users[order][:-1]
    idle, known = np.full(len(events), np.inf), np.zeros(len(events), np.int64)
    idle[order[1:]] = np.where(again, np.diff(events.time[order]), np.inf)
    known[acts] = _number(users[acts])
    return visits_of(known[wanted], idle[wanted])


def _seldom(wanted: NDArray[np.intp], users: Keys) -> NDArray[np.intp]:
    """`STEPS` of every user."""
    return wanted[np.isin(_number(users[wanted]), STEPS)]


def _drawn(others: NDArray[np.intp], returns: NDArray[np.intp], count: int) -> NDArray[np.intp]:
    """At most `count` of both, each spread evenly over time."""
    room = min(len(returns), max(count // RETURNS, count - len(others)))
    parts = ((others, min(len(others), count - room)), (returns, room))
    even = [each[np.linspace(0, len(each) - 1, many).astype(int)] for each, many in parts if many]
    return np.sort(np.concatenate([*even, np.empty(0, np.intp)]))


def _moment(events: EventBatch, at: int, ahead: NDArray[np.int64]) -> Moment:
    """The moment before event `at`; `ahead` are the engagements that are its labels."""
    rows = events.item[ahead].tolist()
    said = zip(rows, events.kind[ahead], events.signal[ahead], strict=True)
    return Moment(
        at,
        int(events.user[at]),
        float(events.time[at]),
        {row: outcome(int(kind), int(signal)) for row, kind, signal in said},
        came=dict(zip(rows, events.position[ahead].tolist(), strict=True)),
    )


def outcome(kind: int, signal: int) -> tuple[bool, ...]:
    """What an act makes true, in the order of `HEADS`."""
    viewed, positive = kind == Kind.VIEW, bool(signal & Signal.POSITIVE)
    return (
        bool(signal & (Signal.ENGAGED | Signal.CLICKED)),
        bool(signal & Signal.ENGAGED and signal & Signal.TAKEN) and (positive or not viewed),
        positive and not viewed,
        bool(signal & Signal.NEGATIVE),
    )


def _number(users: NDArray[Any]) -> NDArray[np.int64]:
    """(n,): how many entries before it are the same user's."""
    order = np.argsort(users, kind="stable")
    _, starts, counts = np.unique(users[order], return_index=True, return_counts=True)
    number = np.empty(len(users), np.int64)
    number[order] = np.arange(len(users)) - np.repeat(starts, counts)
    return number


def _first_time(users: Keys, items: Rows, engaged: Mask) -> Mask:
    first = np.zeros(len(items), bool)
    which = np.flatnonzero(engaged)
    pairs = np.empty(len(which), [("user", np.uint64), ("item", np.int32)])
    pairs["user"], pairs["item"] = users[which], items[which]
    first[which[np.unique(pairs, return_index=True)[1]]] = True
    return first


@dataclass(frozen=True, slots=True)
class RowSource:
    """Everything that is needed to live through the log again."""

    stores: Stores
    generators_of: GeneratorsOf
    release: Release | None
    """With the tower that the generators ask; trained on events before the moments."""
    live: Release | None = None
    """What is served while this one is made."""
    admission: Admission = SENSIBLY
    """Who gets into the pools."""

    @property
    def features(self) -> tuple[str, ...]:
        """Names of what is learnt from; generators that know something are heard."""
        return offered(heard(self.generators_of(self.stores)))


def generator_names(source: RowSource) -> tuple[str, ...]:
    """Names of the generators, in the order of every list's ranks."""
    return tuple(name_of(g) for g in source.generators_of(source.stores))


def reconstruct(
    source: RowSource,
    data: Dataset,
    moments: list[Moment],
    full: int,
    report: Report,
    as_shown: AsShown | None = None,
) -> list[RankedList]:
    """One list per moment, in log order; from number `full` on every pool entry has features.

    Pages that were really shown (`shown.showings`) have exactly their items, and do not count in
    that number. The others keep their positives and a sample of the rest,
    `settings.training.ranker_candidates` in all, with the sampling's weight. What `as_shown` has
    of a page's features stands in the place of what replay makes of them.
    """
    walk = _Walk(source, data, full, as_shown or AsShown())
    return asyncio.run(walk.run(moments, report))


class Lived(NamedTuple):
    """A moment, lived through again: what was asked, and what the generators said."""

    moment: Moment
    query: Query
    names: tuple[str, ...]
    """Of the generators."""
    proposals: list[Candidates]
    stores: Stores
    """As of then."""


async def lived(
    source: RowSource, data: Dataset, moments: Sequence[Moment]
) -> AsyncIterator[Lived]:
    """One by one, in log order; everything before a moment is folded, and nothing of it."""
    past = _Past(Replay(source.stores.settings, source.stores.columns), data.events)
    proposing = Proposing(source.generators_of(source.stores))
    for stretch in _stretches(moments):
        past.fold(stretch[0].at)
        stores = _as_of(source, past.replay, stretch[0].now)
        proposing.turn(source.generators_of(stores), stores.columns.size)
        for moment in stretch:
            past.fold(moment.at)
            query = _query(moment, past.replay)
            if moment.shown is None:
                _check(query.user, moment)
            said = await proposing.ask(query, POOL)
            yield Lived(moment, query, proposing.names, said, stores)


@dataclass(slots=True)
class _Past:
    replay: Replay
    events: EventBatch
    done: int = 0

    def fold(self, until: int) -> None:
        """Fold what lies before this place in the log and is not folded yet."""
        if until > self.done:
            self.replay.apply(self.events.take(slice(self.done, until)))
            self.done = until


def _as_of(source: RowSource, replay: Replay, now: float) -> Stores:
    """The stores that generators ask, with the state of then."""
    return replace(
        source.stores,
        states=replay.states,
        covisit=replay.covisit,
        boards=replay.boards(now),
        release=source.release,
    )


def _query(moment: Moment, replay: Replay) -> Query:
    user = replay.user(moment.user)
    seen = np.sort(user.seen[(user.seen_signals & Signal.TAKEN) > 0])
    follows = followed(user, replay.columns)
    return Query(SURFACE, user, 10, moment.now, draw=moment.at, excluded=seen, follows=follows)


class _Walk:
    def __init__(self, source: RowSource, data: Dataset, full: int, as_shown: AsShown) -> None:
        self.source, self.data, self.full = source, data, full
        self.as_shown = as_shown
        self.settings = source.stores.settings.training
        self.features = source.features
        self.dice = np.random.Generator(np.random.PCG64(self.settings.seed))

    async def run(self, moments: list[Moment], report: Report) -> list[RankedList]:
        lists: list[RankedList] = []
        number = 0
        async for each in lived(self.source, self.data, moments):
            lists.append(self._list(each, number))
            number += each.moment.shown is None
            if len(lists) == len(moments) or not len(lists) % TOLD:
                done = len(lists) / len(moments)
                report("rows", done, f"replayed {len(lists):,} of {len(moments):,} moments")
        return lists

    def _list(self, each: Lived, number: int) -> RankedList:
        moment, query = each.moment, each.query
        pool = merge(each.names, each.proposals, POOL, query.known, self.source.admission)
        if moment.shown is None:
            pool = pool.take(query.allows(pool.rows))
        else:
            pool = _only(pool, moment.shown)
        labels = _aligned(pool.rows, moment.labels)
        kept, weight = self._sample(
            labels, everything=number >= self.full or moment.shown is not None
        )
        last = slice(max(len(query.user.history) - HISTORY, 0), None)
        position = int(self.data.events.position[moment.at])
        page = position if moment.shown is not None else -1
        return RankedList(
            moment.user,
            moment.now,
            pool.rows,
            pool.ranks,
            labels,
            sum(told[0] for told in moment.labels.values()),
            kept,
            self._features(each, pool.take(kept), page),
            weight * moment.weight,
            query.known,
            query.idle,
            query.user.history[last].copy(),
            outcome_codes(query.user.signals[last]),
            position,
            moment.places,
            surface="" if moment.shown is None else self.data.pages.surface(position),
            came=_came(pool.rows, moment.came),
        )

    def _sample(self, labels: Floats, *, everything: bool) -> tuple[NDArray[np.intp], float]:
        taken = labels.any(axis=1)
        others = np.flatnonzero(~taken)
        room = room_for_others(self.settings.ranker_candidates, int(taken.sum()))
        if everything or len(others) <= room:
            return np.arange(len(labels)), 1.0
        drawn = self.dice.choice(others, room, replace=False)
        return np.sort(np.concatenate([np.flatnonzero(taken), drawn])), len(others) / room

    def _features(self, each: Lived, pool: Pool, page: int) -> Floats:
        made = features_of(each.stores, each.query, pool, self.features)
        replayed = np.ascontiguousarray(made)
        return self.as_shown.over(page, pool.rows, replayed)


def _check(user: UserState, moment: Moment) -> None:
    """See that the state knows nothing of what it is to foresee."""
    engaged = user.seen[(user.seen_signals & Signal.ENGAGED) > 0]
    if np.isin(engaged, np.array(list(moment.labels), np.int32)).any():
        raise GateRefused(
            "the rows for the ranker know what happened after their moment: the state was folded"
            f" too far (at {moment.at:,} of the log). Nothing was released; this is a fault of ours"
        )


def _only(pool: Pool, rows: Rows) -> Pool:
    """The pool's word on these rows; of what no generator found, that it was not found."""
    if not len(pool):
        width = (len(rows), len(pool.generators))
        nothing = np.full(width, np.nan, np.float32), np.zeros(width, np.int16)
        return Pool(rows, *nothing, pool.generators)
    order = np.argsort(pool.rows, kind="stable")
    at = order[np.minimum(np.searchsorted(pool.rows[order], rows), len(order) - 1)]
    found = (pool.rows[at] == rows)[:, None]
    scores = np.where(found, pool.scores[at], np.float32(np.nan))
    return Pool(rows, scores, np.where(found, pool.ranks[at], np.int16(0)), pool.generators)


def _came(rows: Rows, told: Mapping[int, int]) -> NDArray[np.int64]:
    """(n,): when each row's label was told; beyond any position where it never was."""
    never = np.iinfo(np.int64).max
    return np.array([told.get(row, never) for row in rows.tolist()], np.int64)


def _aligned(rows: Rows, labels: dict[int, tuple[bool, ...]]) -> Floats:
    nothing = (False,) * len(HEADS)
    return np.array([labels.get(row, nothing) for row in rows.tolist()], np.float32).reshape(
        len(rows), len(HEADS)
    )


def _stretches(moments: Sequence[Moment]) -> Iterator[Sequence[Moment]]:
    size = max(1, -(-len(moments) // STRETCHES))
    for at in range(0, len(moments), size):
        yield moments[at : at + size]
