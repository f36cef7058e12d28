"""Some slots are given away by lot, so that we learn of items we know too little about."""

from dataclasses import dataclass, replace
from typing import ClassVar, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Doubles, Floats, Mask, Rows, Times
from palate.features.folds import FIRST_AT, ITEM_CLOCKS, ITEM_SLOT
from palate.features.items import TABLE, ItemStates
from palate.funnel.types import Query, Slate
from palate.jit import kernel
from palate.mapped.projections import slot_in
from palate.reranking.editorial.constraint import Constraint
from palate.reranking.editorial.pin import Pin
from palate.reranking.thompson import Counts, Head, Posterior, decided, head_of, policy, posterior
from palate.stores import Stores

Places: TypeAlias = NDArray[np.intp]

SLOTS = np.array([ITEM_SLOT[n] for n in ("shown_30d", "clicked_30d", "engaged_30d")], np.int64)
CLOCKS, RATES = ITEM_CLOCKS[SLOTS], TABLE.rate[SLOTS]
DAY = 86_400.0
NEW, NOTHING = np.float32(1.0), np.float32(0.0)
"""Variance of the logit of a click that an item on trial has at least."""


@dataclass(frozen=True, slots=True)
class Explore:
    """Thompson sampling or ε-greedy, with the probability of every choice on record.

    With `states` every so many slots of the page are for exploration: they go to items that nobody
    is sure of yet, drawn by `reranking.thompson`, and what stood there moves down one place. New
    items are on trial until they were shown `trial` times: a share `newcomers` of the draws is
    theirs while there are any, so that they get their showings whatever the ranker thinks of them.
    Without, such a slot is given away with probability ε only, to a uniform draw from what was
    ranked but did not make the page (the shortlist's rest and the items of exploring generators),
    which changes places with its owner. All other slots are certain.
    """

    explores: ClassVar[bool] = True

    epsilon: float
    """With `states`: the share of the draws that is uniform. Without: the probability with which a
    slot that may explore does so. 0 turns exploration off."""
    first: int = 4
    """The first position, from 1, that may."""
    every: int = 4
    """Then every so many positions."""
    most: int = 120
    """Items at most that it draws from."""
    per_creator: int = 2
    """Items of one creator at most among these, so at most so many on a page."""
    newcomers: float = 0.7
    """Share of the draws for items on trial, while there are any among those ranked."""
    trial: int = 30
    """Showings that a new item is owed."""
    young_days: float = 14.0
    """An item is new for so long, from its publication, or from the first act on it."""
    head: bool = True
    """Whether the prior leans on the ranker's probability of a click and weighs as much as that is
    sure, where the release can tell."""
    states: ItemStates | None = None
    """How often each item was shown and taken."""
    within: tuple[Constraint, ...] = ()
    """Operators' constraints that hold of the page whatever is drawn."""

    @property
    def reads(self) -> tuple[str, ...]:
        own = ["creator"] if self.epsilon > 0 else []
        own += ["content", "published"] if own and self.states is not None else []
        return tuple(dict.fromkeys([*own, *(name for each in self.within for name in each.reads)]))

    @property
    def required(self) -> bool:
        return False

    @classmethod
    def default(cls, stores: Stores) -> Self:
        asked = stores.settings.explore
        if asked.method == "greedy":
            epsilon = max(asked.epsilon, asked.share) if asked.share else 0.0
            return cls(epsilon, every=round(epsilon / asked.share) if asked.share else 1)
        every = max(1, round(1.0 / asked.share)) if asked.share else 0
        return cls(asked.epsilon if every else 0.0, every=max(every, 1), states=stores.states)

    @classmethod
    def resting(cls, stores: Stores) -> Self:
        """Off, until a surface's ``"explore.epsilon"`` turns it on."""
        return replace(cls.default(stores), epsilon=0.0)

    def apply(self, query: Query, slate: Slate) -> Slate:
        page = min(query.size, len(slate))
        slots = self._slots(slate, page)
        if self.epsilon <= 0 or not len(slots):
            return slate
        pool = self._pool(query, slate, slots)
        if self.states is not None:
            return self._sampled(query, slate, slots, pool, self.states)
        return self._greedy(query, slate, slots[: len(pool)], pool)

    def _greedy(self, query: Query, slate: Slate, slots: Places, pool: Places) -> Slate:
        if not len(slots):
            return slate
        dice = query.dice("explore")
        given = slots[dice.random(len(slots)) < self.epsilon]
        drawn = pool[dice.permutation(len(pool))[: len(given)]]
        propensity = np.ones(len(slate), np.float32)
        propensity[slots] = 1 - self.epsilon
        propensity[given] = self.epsilon / len(pool)
        told = f"greedy epsilon={self.epsilon:g} pool={len(pool)} slots={len(slots)}"
        return _explored(_swapped(slate, given, drawn), given, propensity, told)

    def _sampled(
        self, query: Query, slate: Slate, slots: Places, pool: Places, states: ItemStates
    ) -> Slate:
        places = np.append(np.arange(min(query.size, len(slate))), pool)
        counts = counts_of(states, slate.rows[places], query.now)
        trial = self._on_trial(query, slate, places, counts)
        head = self._head(slate, places, trial)
        found = posterior(counts, slate.columns["content"][places], slate.scores[places], head)
        page = len(places) - len(pool)
        open_ = np.flatnonzero(~decided(found, counts, float(found.mean[page - 1]))[page:])
        slots = slots[: len(open_)]
        if not len(slots):
            return slate
        pool, open_ = pool[open_], page + open_
        some, trial = Posterior(found.a[open_], found.b[open_]), trial[open_]
        chosen = policy(slate.rows[pool], some, len(slots), trial, self.newcomers)
        drawn = chosen.draw(self.epsilon, query.dice("explore"))
        propensity = np.ones(len(slate), np.float32)
        propensity[slots] = chosen.propensity(self.epsilon)[np.arange(len(slots)), drawn]
        told = (
            f"thompson epsilon={self.epsilon:g} pool={len(pool)} slots={len(slots)}"
            f" trial={int(trial.sum())}"
        )
        placed = _swapped if self.within else _inserted
        return _explored(placed(slate, slots, pool[drawn]), slots, propensity, told)

    def _head(self, slate: Slate, places: Places, trial: Mask) -> Head | None:
        """What the ranker says of these; it is sure of nothing that is on trial."""
        if not self.head or slate.expected is None:
            return None
        head = head_of(slate.expected, slate.rows[places])
        return head._replace(
            variance=np.where(trial, np.maximum(head.variance, NEW), head.variance)
        )

    def _on_trial(self, query: Query, slate: Slate, pool: Places, counts: Counts) -> Mask:
        """Where an item is new and was not shown often enough to be judged."""
        if self.states is None or self.newcomers <= 0:
            return np.zeros(len(pool), np.bool_)
        born, since = slate.columns["published"][pool], query.now - self.young_days * DAY
        where = self.states.slots, self.states.times
        return _owed(slate.rows[pool], born, where, since, counts, self.trial)

    def _slots(self, slate: Slate, page: int) -> Places:
        """Places that may explore: not those that an operator's pin gave away."""
        slots = np.arange(self.first - 1, page, self.every)
        pins = {each.id for each in self.within if isinstance(each, Pin)}
        pinned = {row for row, said in slate.marks.items() if said.rule in pins}
        return slots[[row not in pinned for row in slate.rows[slots].tolist()]]

    def _pool(self, query: Query, slate: Slate, slots: Places) -> Places:
        """Places of the items that may be drawn, the best first."""
        page = min(query.size, len(slate))
        pool = np.arange(page, min(len(slate), page + self.most))
        for each in self.within:
            pool = pool[each.admits(query, slate, slots.tolist())[pool]]
        few: Places = pool[_few_of_each(slate.columns["creator"][pool], self.per_creator)]
        return few


def counts_of(states: ItemStates, rows: Rows, now: float) -> Counts:
    """What the site has seen of each row, as of `now`."""
    shown, clicked, engaged = _decayed(rows, states.slots, states.counts, states.times, now)
    return Counts(shown, np.minimum(clicked, shown), engaged)


@kernel
def _decayed(rows: Rows, slots: Rows, counts: Floats, times: Doubles, now: float) -> Floats:
    """(kinds, rows): counts as of `now`; 0 for rows that have none yet."""
    found = np.zeros((len(SLOTS), len(rows)), np.float32)
    for i in range(len(rows)):
        slot = slot_in(slots, rows[i], len(counts))
        for s in range(len(SLOTS)):
            age = max(now - times[slot, CLOCKS[s]], 0.0)
            found[s, i] = counts[slot, SLOTS[s]] * 2.0 ** (-age * RATES[s])
    return found


@kernel
def _owed(
    rows: Rows, born: Times, met: tuple[Rows, Times], since: float, counts: Counts, trial: int
) -> Mask:
    """Where what was published (else met first, or never) after `since` was shown too little."""
    owed, (slots, times) = np.empty(len(rows), np.bool_), met
    for i in range(len(rows)):
        first = times[slot_in(slots, rows[i], len(times)), FIRST_AT]
        undated = np.isnan(born[i])
        young = (first if undated else born[i]) > since or (undated and first == 0.0)
        owed[i] = young and max(counts.shown[i], counts.engaged[i]) < trial
    return owed


@kernel
def _few_of_each(creators: NDArray[np.int32], cap: int) -> Mask:
    """True for the first `cap` of each creator, and for whatever has none."""
    kept = np.empty(len(creators), np.bool_)
    for i in range(len(creators)):
        before = 0
        for j in range(i):
            before += creators[j] == creators[i]
        kept[i] = before < cap or creators[i] < 0
    return kept


def _swapped(slate: Slate, slots: Places, drawn: Places) -> Slate:
    """The drawn and the owners of the slots change places."""
    order = np.arange(len(slate))
    order[slots], order[drawn] = drawn, slots
    return slate.take(order)


def _inserted(slate: Slate, slots: Places, drawn: Places) -> Slate:
    """The drawn stand in the slots; what stood there and below moves down."""
    return slate.take(_moved(slots, drawn, len(slate)))


@kernel
def _moved(slots: Places, drawn: Places, size: int) -> Places:
    """The order in which these slots have what was drawn, and the rest follows as it stood."""
    order, moved = np.full(size, -1, np.int64), np.zeros(size, np.bool_)
    for at in range(len(slots)):
        order[slots[at]] = drawn[at]
        moved[drawn[at]] = True
    behind = 0
    for at in range(size):
        if order[at] < 0:
            while moved[behind]:
                behind += 1
            order[at] = behind
            behind += 1
    return order


def _explored(slate: Slate, slots: Places, propensity: Floats, told: str) -> Slate:
    explore = np.zeros(len(slate), np.bool_)
    explore[slots] = True
    return slate.drawn(explore, propensity, told)
