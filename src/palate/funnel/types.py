"""The nouns that travel down the funnel: Query -> Candidates -> Pool -> Slate -> Answer.

What a request makes dozens of is a structure of msgspec, which is made twenty times as fast as a
frozen dataclass; `msgspec.structs.replace` changes one.
"""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from functools import cache
from math import inf
from typing import Any, Literal, NamedTuple, Self, TypeAlias, TypeVar

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from palate.arrays import Floats, Mask, Rows
from palate.catalog.columns import ItemColumns
from palate.dice import dice
from palate.features.record import HISTORY, UserState
from palate.index.aligned import Aligned
from palate.index.matching import Matching
from palate.index.slots import outside

Columns: TypeAlias = Mapping[str, NDArray[Any]]
"""Item columns by name, aligned with the rows they were read for."""

T = TypeVar("T")

NOTHING: Rows = np.empty(0, np.int32)
NOTHING.flags.writeable = False
HOUR = 3_600.0
"""Seconds for which a lot stands."""


@dataclass(frozen=True, slots=True)
class Query:
    """Who asks, on which surface, in which context, what time it is, which random draw."""

    surface: str
    user: UserState
    """The visitor's state as of now; `UserState.nobody()` for somebody new."""
    size: int
    now: float
    draw: int = 0
    """One integer in [0, 2**63); a component derives its own stream: `query.dice("name")`."""
    seed_item: int = -1
    """Row of the item on screen (More Like This) or of the anchor; -1 for none."""
    excluded: Rows = field(default_factory=lambda: NOTHING)
    """Sorted distinct rows that must not come back: earlier pages, and what the caller named."""
    matching: Matching | None = None
    """What the request's filter lets through; None where it has none."""
    region: str = ""
    age: int | None = None
    """Whole years; None where unknown."""
    follows: Rows = field(default_factory=lambda: NOTHING)
    """Codes of the creators whom the profile says the visitor follows."""
    muted: Rows = field(default_factory=lambda: NOTHING)
    """Codes of the creators whom the visitor hid."""
    context: Mapping[str, Any] = field(default_factory=dict)
    given: int = 0
    """Entries on earlier pages."""
    tail: Rows = field(default_factory=lambda: NOTHING)
    """The last of them in their order, as far as that is known."""
    values: Mapping[str, Any] = field(default_factory=dict)
    """What conditions may ask of the visitor, by name: ``user.country``, ``context.device``."""
    _known: dict[Any, Any] = field(init=False, repr=False, compare=False, default_factory=dict)

    def dice(self, name: str) -> np.random.Generator:
        """This request's own random stream for the component `name`: same query, same numbers."""
        return dice(self.draw, _salt(name))

    def lots(self, name: str) -> np.random.Generator:
        """A random stream that is the same for an hour of a visitor, surface and place in the list.

        For what chance decides without a propensity on record: it is a function of what is logged.
        """
        hour, seed = int(max(self.now, 0.0) // HOUR), self.seed_item + 1
        return dice(self.user.key, hour, _salt(self.surface), seed, self.given, _salt(name))

    def about(self, limit: int) -> Rows:
        """What the slate is about: the seed item, else what the visitor took in, newest first."""
        if self.seed_item >= 0:
            return self.once("seed", lambda: np.array([self.seed_item], np.int32))
        return self.once("engaged", lambda: self.user.engaged(HISTORY))[:limit]

    @property
    def known(self) -> float:
        """How many acts of the visitor the slate can go by; infinite beside an item on screen."""
        return inf if self.seed_item >= 0 else float(len(self.user.history))

    @property
    def idle(self) -> float:
        """Seconds since the visitor's last act; infinite where there was none."""
        return self.now - float(self.user.times[-1]) if len(self.user.times) else inf

    def once(self, what: Hashable, find: Callable[[], T]) -> T:
        """What `find` gives, computed once a request: for what every reason asks for again."""
        if what not in self._known:
            self._known[what] = find()
        found: T = self._known[what]
        return found

    def allows(self, rows: Rows) -> Mask:
        """True where a row is not among `excluded` and passes the request's filter."""
        kept = self.welcomes(rows)
        return kept if self.matching is None else kept & self.matches(rows)

    def welcomes(self, rows: Rows) -> Mask:
        """True where a row is not among `excluded`."""
        return outside(rows, self.excluded)

    def matches(self, rows: Rows) -> Mask:
        """True where a row passes the request's filter."""
        if self.matching is None:
            return np.ones(len(rows), np.bool_)
        return self.matching.mask.take(rows, mode="clip")

    def servable(self, columns: ItemColumns) -> NDArray[np.uint8]:
        """(columns.capacity,): not 0 where an item may be proposed to this request."""
        return columns.servable if self.matching is None else self.matching.mask.view(np.uint8)


@cache
def _salt(name: str) -> int:
    return int.from_bytes(name.encode()[:8].ljust(8, b"\0"), "little")


class Candidates(Struct, frozen=True):
    """What one generator proposes: distinct rows, best first, with the generator's own score."""

    rows: Rows
    scores: Floats

    @classmethod
    def none(cls) -> Self:
        """No proposal."""
        return cls(np.empty(0, np.int32), np.empty(0, np.float32))

    def take(self, which: NDArray[np.intp] | Mask | slice) -> "Candidates":
        """Keep these, in this order."""
        return Candidates(self.rows[which], self.scores[which])

    def __len__(self) -> int:
        return len(self.rows)


NO_CANDIDATES = Candidates.none()


class Pool(Struct, frozen=True):
    """The generators' candidates merged, each with who found it, how high and at which rank."""

    rows: Rows
    scores: Floats
    """(n, generators): the generator's score, NaN where it did not find the item."""
    ranks: NDArray[np.int16]
    """(n, generators): the generator's rank from 1, 0 where it did not find the item."""
    generators: tuple[str, ...]

    @classmethod
    def none(cls, generators: tuple[str, ...] = ()) -> Self:
        """Nobody proposed anything."""
        width = len(generators)
        scores, ranks = np.empty((0, width), np.float32), np.empty((0, width), np.int16)
        return cls(np.empty(0, np.int32), scores, ranks, generators)

    @classmethod
    def of(cls, generators: tuple[str, ...], at: int, found: Candidates) -> Self:
        """What the generator at this place proposes, alone."""
        shape = (len(found), len(generators))
        scores, ranks = np.full(shape, np.nan, np.float32), np.zeros(shape, np.int16)
        scores[:, at], ranks[:, at] = found.scores, np.arange(1, len(found) + 1)
        return cls(np.asarray(found.rows, np.int32), scores, ranks, generators)

    def joined(self, rows: Rows) -> "Pool":
        """With these rows behind, found by nobody, where they are not in it yet."""
        new = rows[~np.isin(rows, self.rows)] if len(rows) else rows
        if not len(new):
            return self
        shape = (len(new), len(self.generators))
        scores, ranks = np.full(shape, np.nan, np.float32), np.zeros(shape, np.int16)
        return self.followed(Pool(new, scores, ranks, self.generators))

    def followed(self, other: "Pool") -> "Pool":
        """With `other`, of the same generators and of none of these rows, behind."""
        return Pool(
            np.concatenate([self.rows, other.rows]).astype(np.int32, copy=False),
            np.concatenate([self.scores, other.scores]),
            np.concatenate([self.ranks, other.ranks]),
            self.generators,
        )

    def take(self, which: NDArray[np.intp] | Mask | slice) -> "Pool":
        """Keep these, in this order."""
        return Pool(self.rows[which], self.scores[which], self.ranks[which], self.generators)

    def __len__(self) -> int:
        return len(self.rows)


class Expected(NamedTuple):
    """What the ranker expects of its candidates, for a rule that asks how sure it is."""

    rows: Rows
    click: Floats
    """(n,): probability of a click."""
    layer: Floats
    """(n, dim): what that probability was read from."""
    doubt: Floats
    """(dim, dim): the variance of a click's logit is |doubt · layer|² …"""
    stray: float
    """… and the square of this, for what no feature tells of an item."""


class Slate(Struct, frozen=True):
    """A ranked list, best first, with the columns its rules asked to read."""

    rows: Rows
    scores: Floats
    """The ranker's value, as the rules left it."""
    columns: Columns = {}
    explore: Mask | None = None
    """True where the item is there to be learnt about; None is nowhere."""
    propensity: Floats | None = None
    """Probability with which the item got its position; None is 1 everywhere."""
    policy: str = ""
    """What was left to chance, in words; "" where nothing was."""
    marks: "Mapping[int, Reason]" = {}
    """By row: what an operator's rule says of an item that it favours."""
    notes: Mapping[int, tuple[str, ...]] = {}
    """By row: what operators' rules did to it, each by its name."""
    relaxed: Mapping[str, int] = {}
    """Rules that could not be kept, in the order in which they gave way, and at how many places."""
    expected: Expected | None = None
    """Of everything that was ranked, in no order; None where the ranker does not know."""

    @classmethod
    def none(cls) -> Self:
        """An empty page."""
        return cls(np.empty(0, np.int32), np.empty(0, np.float32))

    def take(self, which: NDArray[np.intp] | Mask | slice) -> "Slate":
        """Keep these rows, in this order; everything stays aligned."""
        columns = self.columns
        if type(columns) is Aligned or columns:
            columns = Aligned.of(columns).take(which, len(self.rows))
        return Slate(
            self.rows[which],
            self.scores[which],
            columns,
            None if self.explore is None else self.explore[which],
            None if self.propensity is None else self.propensity[which],
            self.policy,
            self.marks,
            self.notes,
            self.relaxed,
            self.expected,
        )

    def followed(self, other: "Slate") -> "Slate":
        """With `other`, of the same columns and of none of these rows, behind.

        For slates of which nothing was left to chance yet.
        """
        return Slate(
            np.concatenate([self.rows, other.rows]),
            np.concatenate([self.scores, other.scores]),
            Aligned.of(self.columns).followed(other.columns),
            marks={**other.marks, **self.marks},
            notes={**other.notes, **self.notes},
            relaxed=self.relaxed,
            expected=self.expected,
        )

    def top(self, size: int) -> "Slate":
        """The first `size`."""
        return self.take(slice(0, size))

    def scored(self, scores: Floats) -> "Slate":
        """Replace the scores and sort again; equal scores keep their order."""
        order = (-scores).argsort(kind="stable")
        told: Floats = scores.astype(np.float32, copy=False)
        return replace(self, scores=told).take(order)

    def drawn(self, explore: Mask, propensity: Floats, policy: str) -> "Slate":
        """With what was left to chance: where, how likely, and in words."""
        return replace(self, explore=explore, propensity=propensity, policy=policy)

    def __len__(self) -> int:
        return len(self.rows)


Step: TypeAlias = Literal["full", "retrieval", "last_slate", "popular", "static"]
"""Which rung of the ladder answered."""

ReasonKind: TypeAlias = Literal[
    "because_of_items",
    "similar_to_item",
    "taste",
    "followed",
    "trending",
    "popular",
    "fresh",
    "newest",
    "unfinished",
    "explore",
    "editorial",
    "sponsored",
]


class Reason(Struct, frozen=True):
    """Why an item is in the slate; the edge turns it into a sentence."""

    kind: ReasonKind
    rows: tuple[int, ...] = ()
    """The items it is because of, most important first."""
    weights: tuple[float, ...] = ()
    """How much each of them gave (same order); of covisit its share of the score, to the digit."""
    trait: str = ""
    """A genre, a segment, a creator."""
    generator: str = ""
    rule: str = ""
    """The operator's rule that put it there."""

    def over(self, other: "Reason | None") -> "Reason":
        """The same above another rule's: where somebody paid for that one, it still says so."""
        if other is None or other.kind != "sponsored" or self.kind == "sponsored":
            return self
        return Reason("sponsored", trait=other.trait, rule=self.rule)

    def by(self, generator: str) -> "Reason":
        """The same, with the name of the generator that gave it, where it names none itself."""
        if self.generator:
            return self
        return replace(self, generator=generator)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the funnel gives back."""

    slate: Slate
    reasons: tuple[Reason, ...]
    """One per entry of the slate."""
    step: Step
    trace: "Trace"
    seed_item: int = -1
    """The anchor that the surface worked with; -1 for none."""


@dataclass(slots=True)
class Trace:
    """What every stage did for one request. Filled by the engine, read by people."""

    stages: list["StageTrace"] = field(default_factory=list)
    proposals: tuple[Candidates, ...] = ()
    """What each generator said, in their order, before it was merged."""
    pool: Pool | None = None
    """What of it there was room for, and what operators pin, before filters."""
    ranked: Slate | None = None
    """Everything that was ranked, by score, before the rules."""
    features: Floats | None = None
    """(len(slate), features) of what was shown, in slate order; None where no ranker reads any."""
    removed: dict[str, Rows] = field(default_factory=dict)
    """Rows that each filter or rule took out."""
    orders: dict[str, tuple[Rows, Rows]] = field(default_factory=dict)
    """Per rule: the rows before and after it, in order."""
    shown: Rows = field(default_factory=lambda: NOTHING)
    """The final slate."""
    skipped: dict[str, str] = field(default_factory=dict)
    """Parts that failed or were late, and why."""
    notes: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    """By row: what operators' rules did to it."""
    relaxed: Mapping[str, int] = field(default_factory=dict)
    """Rules that could not be kept, and at how many places."""

    @property
    def moved(self) -> dict[str, dict[int, tuple[int, int]]]:
        """Per rule: row -> (rank before, rank after), from 1, for shown rows that it moved."""
        found = {}
        for name, (before, after) in self.orders.items():
            old = {row: at for at, row in enumerate(before.tolist(), 1)}
            new = {row: at for at, row in enumerate(after.tolist(), 1)}
            ranks = {row: (old[row], new[row]) for row in self.shown.tolist() if row in new}
            found[name] = {row: pair for row, pair in ranks.items() if pair[0] != pair[1]}
        return found


class StageTrace(NamedTuple):
    """One stage of one request."""

    name: str
    """`generate.covisit`, `merge`, `filter.hide_seen`, `features`, `rank`, `rule.diversify`, …"""
    entered: int
    left: int
    milliseconds: float
