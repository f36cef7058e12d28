"""One pool out of many proposals, what is worth most, and of what was ranked the shortlist."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import accumulate
from math import inf
from typing import Self

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Floats, Mask, Rows
from palate.funnel.types import NO_CANDIDATES, NOTHING, Candidates, Pool
from palate.funnel.worth import ADMITTED, BY_LOT, POOLED, UNNAMED, leaning
from palate.index.exact import best
from palate.index.slots import free, outside, places_of, slot
from palate.jit import kernel

DEPTH = 60
"""How slowly a rank loses worth here: in a deep pool the hundredth place still has a voice."""
FLOOR = 0.05
"""Weight below which no generator falls here: who only explores still brings a few."""
SEAT = np.float32(8.0)
"""More than any sum of worths: an entry within its generator's quota comes before all others."""
LOTS = 50
"""One place in so many of a full pool is for what was drawn by lot."""
NEVER = np.int16(32_767)
"""Rank of what a generator did not propose."""


@dataclass(frozen=True, slots=True, eq=False)
class Admission:
    """Who gets into the pool."""

    weights: Mapping[str, float] = field(default_factory=lambda: ADMITTED)
    """What each generator's word counts."""
    quotas: Mapping[str, int] = field(default_factory=dict)
    """By generator: how many of its first candidates are in it whatever they are worth."""

    @classmethod
    def found(cls, weights: Mapping[str, float], quotas: Mapping[str, int]) -> Self:
        """By `weights` that training found; of what these do not name, the sensible ones."""
        return cls({**ADMITTED, **weights}, quotas)


SENSIBLY = Admission()


def merge(
    names: Sequence[str],
    proposals: Sequence[Candidates],
    limit: int,
    known: float = inf,
    admission: Admission = SENSIBLY,
    guests: Rows = NOTHING,
) -> Pool:
    """Merge what the generators proposed into at most `limit` distinct rows, most worth first.

    Worth adds up over generators and falls with the rank (by the same `admission` for serving and
    training), so agreement and good ranks come first, and a generator that knows little brings
    its first few. The fewer acts are `known` of the visitor, the more everybody's word counts
    (`funnel.worth.leaning`). Equals keep the order of ranks. Before all others come the first of a
    generator that has a quota, so many of them. Behind all others come `guests` that there was no
    room for, or that nobody proposed.
    An entry keeps the score and rank of *each* generator that proposed it (NaN and 0 where not).
    What was drawn by lot (`BY_LOT`) stands behind all that others propose, changes nothing of it,
    and gets the room that is left: one place in `LOTS`, or its quota, where there is none. It keeps
    the lot's rank alone, for the lot is why it is there, and the rest keep none of the lot's.
    """
    names = tuple(names)
    chance = _by_lot(names)
    if not chance or len(chance) == len(names):
        return _merged(names, proposals, limit, known, admission, guests)
    count = sum(len(proposals[at].rows) for at in chance)
    seats = sum(admission.quotas.get(names[at], limit // LOTS) for at in chance)
    most = max(limit - min(seats, count), 0)
    certain = list(proposals)
    for at in chance:
        certain[at] = NO_CANDIDATES
    pool = _merged(names, certain, most, known, admission, guests)
    room = limit - min(len(pool), most)
    if len(chance) == 1:
        [at], found = chance, proposals[chance[0]]
        told = np.asarray(found.rows, np.int32), np.asarray(found.scores, np.float32)
        return Pool(*_behind((pool.rows, pool.scores, pool.ranks), *told, at, room), names)
    lots = _drawn(names, proposals, chance, known)
    lots = lots.take(outside(lots.rows, np.sort(pool.rows)))
    return pool.followed(lots.take(slice(0, room)))


def _drawn(
    names: tuple[str, ...], proposals: Sequence[Candidates], chance: Sequence[int], known: float
) -> Pool:
    """What chance brought, whatever else there is."""
    drawn = [each if at in chance else NO_CANDIDATES for at, each in enumerate(proposals)]
    count = max(sum(map(len, drawn)), 1)
    return _merged(names, drawn, count, known, SENSIBLY, NOTHING)


@lru_cache(maxsize=256)
def _by_lot(names: tuple[str, ...]) -> tuple[int, ...]:
    """Places of the generators that go by chance."""
    return tuple(at for at, name in enumerate(names) if name in BY_LOT)


def by_lot(pool: Pool) -> Rows:
    """Rows of the pool that only chance brought."""
    only = _only(pool.ranks, np.array(_by_lot(pool.generators), np.int64))
    drawn: Rows = pool.rows[only]
    return drawn


@kernel
def _only(ranks: NDArray[np.int16], chance: NDArray[np.int64]) -> Mask:
    """Where these generators found what no other did."""
    only = np.zeros(len(ranks), np.bool_)
    for at in range(len(ranks)):
        lots, found = 0, 0
        for g in chance:
            lots += ranks[at, g] > 0
        for g in range(ranks.shape[1] if lots else 0):
            found += ranks[at, g] > 0
        only[at] = lots > 0 and found == lots
    return only


def _merged(
    names: tuple[str, ...],
    proposals: Sequence[Candidates],
    limit: int,
    known: float,
    admission: Admission,
    guests: Rows,
) -> Pool:
    ends = np.array([0, *accumulate([len(each.rows) for each in proposals])], np.int64)
    if not ends[-1]:
        return Pool.none(names).joined(guests)
    rows = np.concatenate([each.rows for each in proposals]).astype(np.int32, copy=False)
    scores = np.concatenate([each.scores for each in proposals]).astype(np.float32, copy=False)
    quotas = admission.quotas
    seats = np.array([quotas.get(name, 0) for name in names] if quotas else [0] * len(names))
    taken, value, entries = _distinct(rows, ends, _weights(admission, names, known), seats)
    order, _ = best(np.arange(len(value), dtype=np.int32), value, limit)
    if len(guests):
        proposed = np.flatnonzero(np.isin(taken, guests))
        late = proposed[~np.isin(proposed, order)]
        late = late[np.argsort(-value[late], kind="stable")]
        order = np.concatenate([order, late.astype(np.int32)])
    return Pool(*_provenance(scores, ends, taken, entries, order), names).joined(guests)


@lru_cache(maxsize=4_096)
def _weights(admission: Admission, names: tuple[str, ...], known: float) -> Floats:
    """What each generator's word counts here, by how much is known of the visitor."""
    weights = np.array([admission.weights.get(name, UNNAMED) for name in names], np.float32)
    found: Floats = np.maximum(weights * leaning(names, known, POOLED), np.float32(FLOOR))
    found.flags.writeable = False
    return found


@kernel
def _distinct(
    rows: Rows,
    ends: NDArray[np.int64],
    weights: Floats,
    seats: NDArray[np.int64],
) -> tuple[Rows, Floats, NDArray[np.int32]]:
    """Each row once, by rank, what it is worth, and the place of each proposal among these."""
    table, entries = free(2 * len(rows)), np.empty(len(rows), np.int32)
    taken = np.empty(len(rows), np.int32)
    value = np.zeros(len(rows), np.float32)
    found = 0
    for rank in range(np.max(ends[1:] - ends[:-1])):
        for g in range(len(ends) - 1):
            at = ends[g] + rank
            if at >= ends[g + 1]:
                continue
            place = slot(table, taken, rows[at])
            if table[place] < 0:
                table[place], taken[found] = found, rows[at]
                found += 1
            entries[at] = table[place]
            value[table[place]] += weights[g] / np.float32(DEPTH + rank + 1)
            if rank < seats[g] and value[table[place]] < SEAT:
                value[table[place]] += SEAT
    return taken[:found], value[:found], entries


@kernel
def _provenance(
    scores: Floats,
    ends: NDArray[np.int64],
    taken: Rows,
    entries: NDArray[np.int32],
    order: NDArray[np.int32],
) -> tuple[Rows, Floats, NDArray[np.int16]]:
    """Rows in this order, and (order, generators): each generator's score and rank of them."""
    rows, places = np.empty(len(order), np.int32), np.full(len(taken), -1, np.int32)
    for place in range(len(order)):
        rows[place], places[order[place]] = taken[order[place]], place
    found = np.full((len(order), len(ends) - 1), np.nan, np.float32)
    ranks = np.zeros((len(order), len(ends) - 1), np.int16)
    for g in range(len(ends) - 1):
        for at in range(ends[g], ends[g + 1]):
            entry = places[entries[at]]
            if entry >= 0 and ranks[entry, g] == 0:
                found[entry, g] = scores[at]
                ranks[entry, g] = min(at - ends[g] + 1, 32767)
    return rows, found, ranks


@kernel
def _behind(
    pool: tuple[Rows, Floats, NDArray[np.int16]], rows: Rows, scores: Floats, g: int, room: int
) -> tuple[Rows, Floats, NDArray[np.int16]]:
    """A pool's rows, scores and ranks, and behind them what one generator alone brought."""
    held, before = pool[0], len(pool[0])
    new = np.flatnonzero(places_of(held, rows) < 0)[: max(room, 0)]
    taken = np.empty(before + len(new), np.int32)
    found = np.full((len(taken), pool[1].shape[1]), np.nan, np.float32)
    ranks = np.zeros((len(taken), pool[2].shape[1]), np.int16)
    taken[:before], found[:before], ranks[:before] = held, pool[1], pool[2]
    for place in range(len(new)):
        at = new[place]
        taken[before + place], found[before + place, g] = rows[at], scores[at]
        ranks[before + place, g] = min(at + 1, 32767)
    return taken, found, ranks


def shortlisted(
    pool: Pool, ranked: Rows, lots: Rows, exploring: Mask, room: tuple[int, int], *, deep: bool
) -> NDArray[np.int64]:
    """Places of what stays of `ranked`, best first; what was drawn by lot (`lots`) comes last.

    `room` is for how many, and for how many more that exploring generators proposed, by the rank
    that these gave: the ranker knows little of what is new, so its order says little of who is to
    get a chance. With `deep` everything else stays behind them.
    """
    size, reserve = room
    order = np.arange(len(ranked))
    if len(lots):
        order = np.argsort(~outside(ranked, lots), kind="stable")
    if len(ranked) <= size:
        return order
    found = _first_ranks(pool.rows, pool.ranks, exploring, ranked[order[size:]])
    return _chosen(order, found, reserve, deep)


@kernel
def _chosen(
    order: NDArray[np.int64],
    found: NDArray[np.int16],
    reserve: int,
    deep: bool,  # noqa: FBT001  compiled code takes no keywords
) -> NDArray[np.int64]:
    """The head of the order, and of the rest, whose ranks are `found`, the `reserve` first."""
    size = len(order) - len(found)
    last, room = _last(found, reserve)
    kept, beside = np.empty(len(order), np.int64), np.empty(len(order), np.int64)
    kept[:size], few, others = order[:size], size, 0
    for at in range(len(found)):
        equal = found[at] == last and room > 0
        room -= equal
        if found[at] < last or equal:
            kept[few], few = order[size + at], few + 1
        else:
            beside[others], others = order[size + at], others + 1
    if deep:
        kept[few:] = beside[:others]
        few += others
    return kept[:few]


@kernel
def _last(found: NDArray[np.int16], reserve: int) -> tuple[int, int]:
    """The rank at which `reserve` are reached, and how many of that rank there is room for."""
    most = 0
    for rank in found:
        most = max(most, rank) if rank < NEVER else most
    counts = np.zeros(most + 1, np.int32)
    for rank in found:
        if rank < NEVER:
            counts[rank] += 1
    last, room = 0, reserve
    while last <= most and counts[last] <= room:
        room -= counts[last]
        last += 1
    return last, (room if last <= most else 0)


@kernel
def _first_ranks(
    pool: Rows, ranks: NDArray[np.int16], exploring: Mask, rows: Rows
) -> NDArray[np.int16]:
    """(len(rows),): the best rank that an exploring generator gave each; `NEVER` for none."""
    places, found = places_of(pool, rows), np.full(len(rows), NEVER, np.int16)
    for i in range(len(rows)):
        at = places[i]
        for g in range(ranks.shape[1] if at >= 0 else 0):
            if exploring[g] and 0 < ranks[at, g] < found[i]:
                found[i] = ranks[at, g]
    return found
