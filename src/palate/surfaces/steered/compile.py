"""From a rule as data to the part of a funnel that does it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, TypeAlias

import msgspec
import numpy as np

from palate.arrays import Rows
from palate.catalog.filterable import Filterable
from palate.errors import BadInput, Problem
from palate.events.kinds import Signal
from palate.expressions.check import checked
from palate.expressions.tree import VISITOR, Condition, fields
from palate.funnel.types import Reason, ReasonKind
from palate.reranking.boost_fresh import BoostFresh
from palate.reranking.diversify import Diversify
from palate.reranking.editorial.at_least import AtLeast
from palate.reranking.editorial.block import Block
from palate.reranking.editorial.hide_seen_for import HideSeenFor
from palate.reranking.editorial.in_window import InWindow
from palate.reranking.editorial.lift import Lift
from palate.reranking.editorial.pin import Pin
from palate.reranking.editorial.restrict import Restrict
from palate.reranking.editorial.where import Where
from palate.reranking.hide_seen import HideSeen
from palate.rules.documents import (
    AtLeastRule,
    AtMostRule,
    BlockRule,
    BoostRule,
    BuryRule,
    DiversityRule,
    FreshnessRule,
    PinRule,
    PromoteRule,
    RestrictRule,
    Rule,
    SeenRule,
)
from palate.rules.regions import no_region
from palate.stores import Stores
from palate.surfaces import names
from palate.surfaces.steered.best import Best
from palate.surfaces.steered.strangers import strangers

GUESTS = 50
"""The most popular items of a promotion are candidates whoever proposes them."""
AT_HAND = 300
"""Of a minimum's items; of these as many are candidates as it could want."""

SEEN_AS: Mapping[str, Signal] = {
    "taken": Signal.TAKEN,
    "clicked": Signal.TAKEN | Signal.CLICKED,
    "shown": Signal.TAKEN | Signal.CLICKED,
}
"""What of a visitor's acts counts as having had an item."""

Constrains: TypeAlias = Pin | InWindow | AtLeast
Hides: TypeAlias = Block | Restrict
Part: TypeAlias = Constrains | Hides | Lift | Diversify | BoostFresh | HideSeen | HideSeenFor


class Made(NamedTuple):
    """One rule, ready to act."""

    rule: Rule
    audience: Condition | None
    """Whom it is for; None is everybody."""
    part: Part
    missing: tuple[str, ...] = ()
    """Items and surfaces that it names and that are not there (any more, or yet)."""
    closed: str = ""
    """Of a rule that hides: what of it makes no sense, and what it hides instead."""
    strange: tuple[str, ...] = ()
    """What it asks of visitors that none has, and what was probably meant."""

    def remarks(self) -> list[str]:
        """What operators should know of it, a sentence each."""
        rule = f"rule {self.rule.id}"
        told = [f"{rule} cannot act as it is written: {self.closed}"] if self.closed else []
        named = ", ".join(map(repr, self.missing))
        told += [f"{rule} names what is not there: {named}"] if named else []
        return told + [f"{rule} asks for {each}" for each in self.strange]


class Dormant(NamedTuple):
    """A rule that cannot act as things are, and why."""

    rule: Rule
    why: str


class _Found(NamedTuple):
    """What of a rule makes sense here, and what does not."""

    audience: Condition | None
    part: Part | None
    problems: tuple[Problem, ...]
    strange: tuple[str, ...]


def checked_rule(rule: Rule, stores: Stores, pointer: str = "", *, later: bool = False) -> Made:
    """Make the rule's part, for rules that come in, whoever brings them.

    With `later` the items that it names may come one day. Raises BadInput with all that is wrong,
    the pointer before each.
    """
    found = _found(rule, stores)
    problems = [*found.problems, *([] if later else _unknown_items(rule, stores))]
    if problems or found.part is None:
        told = [Problem(f"{pointer}{each.pointer}", each.problem) for each in problems]
        raise BadInput.of(told)
    return Made(rule, found.audience, found.part, strange=found.strange)


def standing_rule(rule: Rule, stores: Stores) -> Made | Dormant:
    """The same for a rule that stands: what it names and is not there is passed over.

    Where it makes no sense (any more) it lies dormant, but for what hides items: that acts for
    everybody, everywhere, or on all items, so that nothing is shown by mistake.
    """
    found = _found(rule, stores)
    items, places = tuple(_missing(rule, stores).values()), _no_surfaces(rule, stores)
    if isinstance(rule, PinRule) and len(items) == len(rule.items):
        return Dormant(rule, f"none of its items is there: {', '.join(map(repr, items))}")
    if isinstance(rule, BlockRule | RestrictRule) and (found.problems or found.part is None):
        return _closed(rule, found, items, stores)
    grave = [each for each in found.problems if not each.pointer.startswith("/surfaces/")]
    if grave or found.part is None or (places and len(places) == len(rule.surfaces)):
        return Dormant(rule, BadInput.of(found.problems).detail)
    missing = (*items, *places.values())
    return Made(rule, found.audience, found.part, missing, strange=found.strange)


def _found(rule: Rule, stores: Stores) -> _Found:
    """Read the rule, once and for all that ask; items that are not there are another matter."""
    problems = [
        Problem(f"/surfaces/{n}", f"there is no surface {each!r}; {_surfaces(stores)}")
        for n, each in _no_surfaces(rule, stores).items()
    ]
    audience, part = None, None
    try:
        audience = _audience(rule, stores)
    except BadInput as wrong:
        problems += wrong.problems
    try:
        part = MAKERS[type(rule)](rule, stores)
    except BadInput as wrong:
        problems += wrong.problems
    where = getattr(part, "where", None)
    asked = (audience, where.condition if isinstance(where, Where) else None)
    strange = (*strangers(asked, stores), *_old_regions(rule))
    return _Found(audience, part, tuple(problems), strange)


def _old_regions(rule: Rule) -> list[str]:
    """Regions that would be refused today; books have them from before."""
    named = rule.regions if isinstance(rule, RestrictRule) else ()
    return [f"a region that is none: {why}" for each in named if (why := no_region(each))]


def _closed(
    rule: BlockRule | RestrictRule, found: _Found, items: tuple[str, ...], stores: Stores
) -> Made:
    """What makes no sense is taken for everything: all items, everybody, every surface."""
    wrong = {each.pointer.split("/")[1].partition(":")[0] for each in found.problems}
    instead = [
        what
        for name, what in (
            ("where", "hides every item"),
            ("audience", "acts for everybody"),
            ("surfaces", "acts on every surface"),
        )
        if name in wrong
    ]
    said = BadInput.of(found.problems).detail
    closed = f"{said}; until that is mended it {' and '.join(instead)}"
    everything = Where(None, stores.columns.plain)
    part = found.part
    part = part if isinstance(part, Block | Restrict) else _hides(rule, everything, stores)
    surfaces = () if "surfaces" in wrong else rule.surfaces
    acting = msgspec.structs.replace(rule, surfaces=surfaces)
    part = replace(part, closed=closed)
    return Made(acting, found.audience, part, items, closed, found.strange)


def _no_surfaces(rule: Rule, stores: Stores) -> dict[int, str]:
    """Of the surfaces that a rule names, by their number: those that are not there."""
    if not rule.surfaces:
        return {}
    there = names(stores.settings.home)
    return {n: each for n, each in enumerate(rule.surfaces) if each not in there}


def _surfaces(stores: Stores) -> str:
    return f"there are {', '.join(names(stores.settings.home))}"


def _unknown_items(rule: Rule, stores: Stores) -> list[Problem]:
    return [
        Problem(f"/items/{n}", f"there is no item {each!r}: send it first")
        for n, each in _missing(rule, stores).items()
    ]


def _missing(rule: Rule, stores: Stores) -> dict[int, str]:
    """Of the items that a rule names, by their number: those that are not there."""
    if not isinstance(rule, PinRule | BlockRule):
        return {}
    rows = _rows(rule.items, stores).tolist()
    named = enumerate(zip(rule.items, rows, strict=True))
    return {n: each for n, (each, row) in named if row < 0}


def _audience(rule: Rule, stores: Stores) -> Condition | None:
    if not rule.audience:
        return None
    found = checked(rule.audience, Filterable(stores.columns.plain).schema(), "/audience")
    for each in fields(found):
        if not each.name.startswith(VISITOR):
            what = f"{each.name} is an item's; an audience asks for user.… and context.… only"
            raise BadInput(what, [Problem(f"/audience:{each.at + 1}", what)])
    return found


def _pinned(rule: PinRule, stores: Stores) -> Pin:
    rows = _rows(rule.items, stores)
    return _placed(rule, Pin(rule.id, rows[rows >= 0], rule.slots, None, _said(rule)))


def _promoted(rule: PromoteRule, stores: Stores) -> Pin:
    where = _where(rule.where, stores)
    best = Best.of(where, stores, GUESTS)
    return _placed(rule, Pin(rule.id, best.rows, rule.slots, where, _said(rule), best=best))


def _placed(rule: PinRule | PromoteRule, pin: Pin) -> Pin:
    return pin.capped(rule.per_visitor, rule.per_days)


def _boosted(rule: BoostRule, stores: Stores) -> Lift:
    said = _said(rule) if rule.sponsored or rule.label else None
    return Lift(rule.id, _where(rule.where, stores), rule.by, said)


def _buried(rule: BuryRule, stores: Stores) -> Lift:
    return Lift(rule.id, _where(rule.where, stores), -rule.by)


def _at_most(rule: AtMostRule, stores: Stores) -> InWindow:
    where = _where(rule.where, stores) if rule.where else None
    return InWindow(rule.id, rule.cap, rule.window, rule.of or "", where, stores.columns)


def _at_least(rule: AtLeastRule, stores: Stores) -> AtLeast:
    where = _where(rule.where, stores)
    best = Best.of(where, stores, AT_HAND)
    return AtLeast(rule.id, where, rule.share or 0.0, rule.count or 0, best)


def _diverse(rule: DiversityRule, _: Stores) -> Diversify:
    return Diversify(rule.strength, rule.window, id=rule.id)


def _fresh(rule: FreshnessRule, _: Stores) -> BoostFresh:
    return BoostFresh(rule.lift, rule.half_life_days, rule.id)


def _seen(rule: SeenRule, _: Stores) -> HideSeen | HideSeenFor:
    if rule.policy == "show":
        return HideSeen(int(Signal.NEGATIVE), id=rule.id)
    signals, shown = int(SEEN_AS[rule.of]), rule.of == "shown"
    if rule.policy == "hide_days":
        return HideSeenFor(rule.days or 0.0, signals, shown, rule.id)
    return HideSeen(signals, shown, rule.id)


def _barred(rule: BlockRule | RestrictRule, stores: Stores) -> Hides:
    return _hides(rule, _where(rule.where, stores) if rule.where else None, stores)


MAKERS: Mapping[type, Callable[[Any, Stores], Part]] = {
    PinRule: _pinned,
    PromoteRule: _promoted,
    BoostRule: _boosted,
    BuryRule: _buried,
    AtMostRule: _at_most,
    AtLeastRule: _at_least,
    DiversityRule: _diverse,
    FreshnessRule: _fresh,
    SeenRule: _seen,
    BlockRule: _barred,
    RestrictRule: _barred,
}
"""A maker per kind of rule."""


def _said(rule: PinRule | PromoteRule | BoostRule) -> Reason:
    kind: ReasonKind = "sponsored" if rule.sponsored else "editorial"
    return Reason(kind, trait=rule.label, rule=rule.id)


def _hides(rule: BlockRule | RestrictRule, where: Where | None, stores: Stores) -> Hides:
    if isinstance(rule, RestrictRule):
        everything = Where(None, stores.columns.plain)
        regions = frozenset(each.upper() for each in rule.regions)
        return Restrict(rule.id, where or everything, regions, rule.min_age)
    rows = _rows(rule.items, stores)
    return Block(rule.id, np.unique(rows[rows >= 0]).astype(np.int32), where)


def _where(text: str, stores: Stores) -> Where:
    return Where.of(text, stores.columns.plain)


def _rows(items: Sequence[str], stores: Stores) -> Rows:
    return stores.items.rows(items, create=False)
