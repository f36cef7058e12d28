"""All rules of a site, ready to act: which of them a request is under, and the funnel they make."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from palate.arrays import Rows
from palate.catalog.filterable import Filterable
from palate.errors import BadInput, Problem
from palate.expressions.mask import MINUTE, Scope, mask
from palate.expressions.presume import presumed
from palate.funnel.engine import Funnel
from palate.funnel.stages import Filter, Rule
from palate.funnel.types import NOTHING, Query
from palate.reranking.boost_fresh import BoostFresh
from palate.reranking.diversify import Diversify
from palate.reranking.editorial.at_least import AtLeast
from palate.reranking.editorial.block import Block
from palate.reranking.editorial.compose import Compose
from palate.reranking.editorial.hide_seen_for import HideSeenFor
from palate.reranking.editorial.lift import Lift
from palate.reranking.editorial.pin import Pin
from palate.reranking.editorial.restrict import Restrict
from palate.reranking.explore import Explore
from palate.reranking.hide_seen import HideSeen
from palate.rules.documents import BlockRule, PinRule, PromoteRule, RestrictRule
from palate.rules.documents import Rule as Document
from palate.stores import Stores
from palate.surfaces.steered.compile import (
    Constrains,
    Dormant,
    Made,
    Part,
    checked_rule,
    standing_rule,
)
from palate.surfaces.steered.leaving import Leaves

KEPT = 256
"""Funnels that are remembered, one for each set of rules that acts together."""


def unspent(rule: str) -> int:  # noqa: ARG001  the form of every count
    """Nothing was shown yet."""
    return 0


def cap_of(rule: Document) -> int:
    """How often a rule's items may be shown altogether; 0 is no limit."""
    return rule.impressions if isinstance(rule, PinRule | PromoteRule) else 0


@dataclass(frozen=True)
class Program:
    """The rules of one version on one release, the strongest first."""

    made: tuple[Made, ...] = ()
    dormant: tuple[Dormant, ...] = ()
    spent: Callable[[str], int] = unspent
    """How often a rule's items were shown altogether, by its id."""
    _funnels: dict[tuple[str, tuple[int, ...]], Funnel] = field(default_factory=dict, repr=False)

    @classmethod
    def checked(
        cls, rules: Mapping[str, Document], stores: Stores, *, later: bool = False
    ) -> "Program":
        """Of new rules, each by the pointer that leads to it; see `checked_rule`.

        Raises BadInput with everything that is wrong.
        """
        made: list[Made] = []
        problems: list[Problem] = []
        for pointer, rule in rules.items():
            try:
                made.append(checked_rule(rule, stores, pointer, later=later))
            except BadInput as wrong:
                problems += wrong.problems
        if problems:
            raise BadInput.of(problems)
        return cls(tuple(made))

    @classmethod
    def standing(
        cls, rules: Iterable[Document], stores: Stores, spent: Callable[[str], int] = unspent
    ) -> "Program":
        """Of rules that stand, whether they still make sense or not; see `standing_rule`."""
        found = [standing_rule(rule, stores) for rule in rules if rule.enabled]
        made = tuple(each for each in found if isinstance(each, Made))
        return cls(made, tuple(each for each in found if isinstance(each, Dormant)), spent)

    def unfit(self) -> dict[str, str]:
        """By id: rules that do not act as they are written, and why."""
        closed = {each.rule.id: each.closed for each in self.made if each.closed}
        return {each.rule.id: each.why for each in self.dormant} | closed

    def remarks(self) -> list[str]:
        """What operators should know of these rules, a sentence each."""
        told = [f"rule {each.rule.id} cannot act: {each.why}" for each in self.dormant]
        return told + [line for each in self.made for line in each.remarks()]

    def __bool__(self) -> bool:
        return bool(self.made)

    def acting(self, query: Query, stores: Stores) -> tuple[int, ...]:
        """Which of `made` a request is under."""
        known = Filterable(stores.columns.plain)
        return tuple(
            n
            for n, each in enumerate(self.made)
            if _acts(each, query, known) and not self._at_its_cap(each.rule)
        )

    @cached_property
    def capped(self) -> frozenset[str]:
        """Rules whose impressions are counted."""
        return frozenset(each.rule.id for each in self.made if cap_of(each.rule))

    def _at_its_cap(self, rule: Document) -> bool:
        cap = cap_of(rule)
        return cap > 0 and self.spent(rule.id) >= cap

    def steer(self, funnel: Funnel, query: Query) -> Funnel:
        """The funnel as the rules that this request is under make it."""
        acting = self.acting(query, funnel.stores) if self.made else ()
        if not acting:
            return funnel
        key = (query.surface, acting)
        found = self._funnels.get(key)
        if found is None or found.stores is not funnel.stores:
            if len(self._funnels) >= KEPT:
                self._funnels.clear()
            found = self._funnels[key] = steered(funnel, [self.made[n].part for n in acting])
        return found


@dataclass(frozen=True, slots=True)
class Guests:
    """What pins and minimums bring along."""

    rules: tuple[Pin | AtLeast, ...]

    def __call__(self, query: Query) -> Rows:
        found = [each.guests(query) for each in self.rules]
        return np.unique(np.concatenate(found)).astype(np.int32) if found else NOTHING


def steered(funnel: Funnel, parts: Sequence[Part]) -> Funnel:
    """The funnel with these parts, the strongest first."""
    pins = tuple(each for each in parts if isinstance(each, Pin))
    others = tuple(e for e in parts if isinstance(e, Constrains) and not isinstance(e, Pin))
    constraints = (*pins, *others)
    bringing = tuple(each for each in constraints if isinstance(each, Pin | AtLeast))
    hides = tuple(each for each in parts if isinstance(each, Block | Restrict))
    return replace(
        funnel,
        allowed=Leaves(hides, funnel.stores.columns.plain) if hides else funnel.allowed,
        filters=_filters(funnel, parts),
        lifts=(*funnel.lifts, *(each for each in parts if isinstance(each, Lift))),
        rules=_composed(_rules(funnel, parts), constraints),
        guests=Guests(bringing) if bringing else funnel.guests,
        deep=funnel.deep or bool(constraints),
    )


def _filters(funnel: Funnel, parts: Sequence[Part]) -> tuple[Filter, ...]:
    """What is blocked comes last; the first word on what is seen goes for the surface's own."""
    seen = [each for each in parts if isinstance(each, HideSeen | HideSeenFor)]
    kept = [each for each in funnel.filters if not (seen and isinstance(each, HideSeen))]
    return (*seen[:1], *kept, *(each for each in parts if isinstance(each, Block | Restrict)))


def _rules(funnel: Funnel, parts: Sequence[Part]) -> tuple[Rule, ...]:
    """The surface's rules with other numbers, or with a rule that it did not have, in front."""
    rules = list(funnel.rules)
    for kind in (Diversify, BoostFresh):
        said = [each for each in parts if isinstance(each, kind)]
        if said:
            had = [n for n, each in enumerate(rules) if isinstance(each, kind)]
            at = slice(had[0], had[0] + 1) if had else slice(0, 0)
            rules[at] = said[:1]
    return tuple(rules)


def _composed(rules: tuple[Rule, ...], constraints: tuple[Constrains, ...]) -> tuple[Rule, ...]:
    """Constraints have the last word but for exploration, which keeps within them."""
    if not constraints:
        return rules
    before = tuple(each for each in rules if not isinstance(each, Explore))
    explore = [replace(each, within=constraints) for each in rules if isinstance(each, Explore)]
    return (*before, Compose(constraints), *explore)


def _acts(made: Made, query: Query, known: Filterable) -> bool:
    """Whether a request is under the rule: its surface, its dates, its audience."""
    rule = made.rule
    if not rule.enabled or (rule.surfaces and query.surface not in rule.surfaces):
        return False
    if rule.starts and query.now < rule.starts.timestamp():
        return False
    if rule.ends and query.now >= rule.ends.timestamp():
        return False
    if made.audience is None:
        return True
    audience = made.audience
    if isinstance(rule, BlockRule | RestrictRule):  # closed where too little is known
        audience = presumed(audience, query.values)
    return bool(mask(audience, known, Scope(query.now // MINUTE * MINUTE, query.values), 1)[0])


def together(file: Sequence[Document], book: Sequence[Document]) -> tuple[Document, ...]:
    """The rules of `palate.toml`, then those of the book; of one name the file's goes."""
    own = {each.id for each in file}
    return (*file, *(each for each in book if each.id not in own))
