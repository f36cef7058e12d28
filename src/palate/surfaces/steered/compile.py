"""From a rule as data to the part of a funnel that does it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

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
from palate.stores import Stores
from palate.surfaces import names
from palate.surfaces.steered.best import Best

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
    """Items that it names and that are not there (any more, or yet)."""


class Dormant(NamedTuple):
    """A rule that cannot act as things are, and why."""

    rule: Rule
    why: str


def checked_rule(rule: Rule, stores: Stores, pointer: str = "") -> Made:
    """Make the rule's part. Raises BadInput with all that is wrong, the pointer before each."""
    problems = [*_surfaces(rule, stores), *_unknown_items(rule, stores)]
    audience, part = None, None
    try:
        audience = _audience(rule, stores)
    except BadInput as wrong:
        problems += wrong.problems
    try:
        part = _part(rule, stores)
    except BadInput as wrong:
        problems += wrong.problems
    if problems or part is None:
        told = [Problem(f"{pointer}{each.pointer}", each.problem) for each in problems]
        raise BadInput.of(told)
    return Made(rule, audience, part)


def standing_rule(rule: Rule, stores: Stores) -> Made | Dormant:
    """The same for a rule that was right when it was written; items that are gone are passed over.

    Where its conditions make no sense any more it lies dormant, but for what hides items: that is
    then for all of them, so that nothing is shown by mistake.
    """
    missing = tuple(_missing(rule, stores).values())
    if isinstance(rule, PinRule) and len(missing) == len(rule.items):
        return Dormant(rule, f"none of its items is there: {', '.join(map(repr, missing))}")
    try:
        return Made(rule, _audience(rule, stores), _part(rule, stores), missing)
    except BadInput as wrong:
        if isinstance(rule, BlockRule | RestrictRule):
            return Made(rule, None, _closed(rule, stores))
        return Dormant(rule, wrong.detail)


def _surfaces(rule: Rule, stores: Stores) -> list[Problem]:
    there = names(stores.settings.home)
    told = f"there are {', '.join(there)}"
    return [
        Problem(f"/surfaces/{n}", f"there is no surface {each!r}; {told}")
        for n, each in enumerate(rule.surfaces)
        if each not in there
    ]


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


def _part(rule: Rule, stores: Stores) -> Part:
    return MAKERS[type(rule)](rule, stores)


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


def _closed(rule: BlockRule | RestrictRule, stores: Stores) -> Hides:
    return _hides(rule, Where(None, stores.columns.plain), stores)


def _where(text: str, stores: Stores) -> Where:
    return Where.of(text, stores.columns.plain)


def _rows(items: Sequence[str], stores: Stores) -> Rows:
    return stores.items.rows(items, create=False)
