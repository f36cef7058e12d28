"""Changing the rules of a site: checked before they apply, in force when the answer is out."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from palate.errors import Conflict, NotFound
from palate.rules.documents import Rule
from palate.rules.protocol import Book, By, Change
from palate.serving.steering.watch import RuleWatch
from palate.stores import Stores
from palate.surfaces.steered.compile import Made
from palate.surfaces.steered.program import Program
from palate.surfaces.steered.unmatched import unmatched


@dataclass(frozen=True)
class Changes:
    """Changes of the book by one person, each one whole or not at all.

    All of them raise BadInput for rules that make no sense here, Conflict for an id that
    `palate.toml` has or a book that is not at the `expected` version.
    """

    watch: RuleWatch
    stores: Stores
    by: By
    expected: int | None = None
    _new: list[Made] = field(default_factory=list, repr=False)

    def doubts(self) -> list[str]:
        """What of the rules that came in finds nothing in the catalogue, a sentence each. Slow."""
        return [line for each in self._new for line in unmatched(each, self.stores)]

    async def replace_all(self, rules: Sequence[Rule]) -> Book:
        """These are the rules now."""

        def change(old: tuple[Rule, ...]) -> tuple[Rule, ...]:
            new = {f"/rules/{n}": each for n, each in enumerate(rules) if each not in old}
            self._check(new)
            return tuple(rules)

        return await self._edit(change)

    async def add(self, rule: Rule) -> Book:
        """Add the rule, as the weakest. Raises Conflict where there is one of that id."""

        def change(old: tuple[Rule, ...]) -> tuple[Rule, ...]:
            if any(each.id == rule.id for each in old):
                raise Conflict(f"there is a rule {rule.id!r} already; PUT replaces it")
            self._check({"": rule})
            return (*old, rule)

        return await self._edit(change)

    async def put(self, rule: Rule) -> Book:
        """Replace the rule where it stands, or add it."""

        def change(old: tuple[Rule, ...]) -> tuple[Rule, ...]:
            self._check({"": rule})
            if all(each.id != rule.id for each in old):
                return (*old, rule)
            return tuple(rule if each.id == rule.id else each for each in old)

        return await self._edit(change)

    async def remove(self, rule_id: str) -> Book:
        """Drop the rule. Raises NotFound."""

        def change(old: tuple[Rule, ...]) -> tuple[Rule, ...]:
            if rule_id in {each.id for each in self.watch.from_file}:
                raise Conflict(f"the rule {rule_id!r} is palate.toml's: remove it there")
            if all(each.id != rule_id for each in old):
                raise NotFound(f"there is no rule {rule_id!r}")
            return tuple(each for each in old if each.id != rule_id)

        return await self._edit(change)

    async def _edit(self, change: Change) -> Book:
        book = await asyncio.to_thread(self.watch.book.edit, change, self.by, self.expected)
        await self.watch.look(self.stores)
        return book

    def _check(self, rules: Mapping[str, Rule]) -> None:
        own = {each.id for each in self.watch.from_file}
        for each in rules.values():
            if each.id in own:
                raise Conflict(f"the rule {each.id!r} is palate.toml's: change it there")
        self._new[:] = Program.checked(rules, self.stores).made
