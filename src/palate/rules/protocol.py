"""The book of rules, whoever keeps it: one versioned document a site, and who changed it."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias

import msgspec

from palate.rules.documents import Rule

Change: TypeAlias = Callable[[tuple[Rule, ...]], tuple[Rule, ...]]
"""From the rules there are to those there shall be; raises what keeps it from being done."""


class Book(NamedTuple):
    """All rules as of one version, the strongest first."""

    version: int
    rules: tuple[Rule, ...]


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the audit log: what became of one rule."""

    version: int
    """Of the book that the change made; of the book beside it, where the file changed."""
    time: float
    """Seconds since the epoch."""
    who: str
    action: Literal["added", "changed", "removed", "moved"]
    """`moved`: among the others, the strongest of which stands first."""
    rule_id: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    line: int = 0
    """Its number in the log, from 1."""


class By(NamedTuple):
    """Who changes the book, and when."""

    who: str
    time: float


class RuleBook(Protocol):
    """Keeps the rules of a site. Every method blocks."""

    def version(self) -> int:
        """Of the book as it stands; 0 before the first change. Cheap: workers ask all the time."""
        ...

    def read(self) -> Book:
        """The rules as they stand."""
        ...

    def edit(self, change: Change, by: By, expected: int | None = None) -> Book:
        """Apply `change` in one transaction, with its lines in the audit log; all or nothing.

        Raises Conflict where the book is not at the `expected` version, and what `change` raises.
        A change that changes nothing makes no version.
        """
        ...

    def follow_file(self, rules: tuple[Rule, ...], by: By) -> None:
        """Write into the audit log what became of the rules of `palate.toml` since the last time.

        They are not the book's: it and its version stay as they are. Whoever comes second with the
        same rules writes nothing.
        """
        ...

    def audit(self, limit: int, before: int | None = None) -> list[Entry]:
        """Lines of the log, newest first; those below the number `before`."""
        ...

    def placed(self, more: Mapping[str, int]) -> dict[str, int]:
        """Add to how often each rule's items were shown; returns all counts, by the rule's id.

        What is removed from the book forgets its count.
        """
        ...

    def close(self) -> None:
        """Let go of what is open."""
        ...


def differences(old: tuple[Rule, ...], new: tuple[Rule, ...]) -> list[tuple[str, str]]:
    """(action, id) of every rule that `new` adds, changes, removes, or moves among the rest."""
    was, now = {each.id: each for each in old}, {each.id: each for each in new}
    found = [("removed", each) for each in was if each not in now]
    found += [("added", each) for each in now if each not in was]
    found += [("changed", each) for each in now if each in was and now[each] != was[each]]
    order = [each for each in was if each in now]
    after = [each for each in now if each in was]
    told = {each for _, each in found}
    moved = [("moved", b) for a, b in zip(order, after, strict=True) if a != b and b not in told]
    return found + moved
