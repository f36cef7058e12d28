"""What goes over the wire about rules."""

from typing import Any

import msgspec

from palate.rules.documents import Rule
from palate.serving.bodies import ReasonBody

LIMIT = 20
SAMPLE = 5


class RulesDocument(msgspec.Struct, frozen=True, kw_only=True):
    """All rules of the book, the strongest first."""

    rules: tuple[Rule, ...]


class RulesBody(msgspec.Struct, frozen=True, kw_only=True):
    """The rules of a site."""

    version: int
    """Of the book; the `ETag` in quotes."""
    rules: tuple[Rule, ...]
    """The book's, the strongest first: what a PUT replaces."""
    file: tuple[Rule, ...] = ()
    """Those of `palate.toml`, which are stronger and change there."""
    dormant: dict[str, str] = {}
    """By id: rules that do not act as they are written, and why. Those that hide items act for
    all that could be meant."""
    remarks: tuple[str, ...] = ()
    """What operators should know, as in `/readyz`; of a change, what of it finds nothing in the
    catalogue as well."""
    placed: dict[str, int] = {}
    """By id, of rules with a cap on `impressions`: how often their items were shown so far."""


class AuditLine(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one rule."""

    version: int
    """Of the book that the change made; of the book beside it, where `palate.toml` changed."""
    time: str
    who: str
    """A name and a key; `palate.toml` where the file changed."""
    action: str
    """`added`, `changed`, `removed`; `moved`: among the others."""
    rule_id: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    line: int
    """Its number in the log, from 1."""


class AuditBody(msgspec.Struct, frozen=True, kw_only=True):
    """Changes of the rules, newest first."""

    changes: tuple[AuditLine, ...]
    next: int | None = None
    """Give it as `before` for older ones; null at the end."""


class Sample(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request to try the rules on."""

    surface: str = "home"
    user_id: str = ""
    session_id: str = ""
    item_id: str = ""
    limit: int = LIMIT
    region: str = ""
    age: int | None = None
    context: dict[str, Any] = {}


class PreviewDocument(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rules to try; nothing is stored."""

    rules: tuple[dict[str, Any], ...] = ()
    """Drafts: in the place of the rule of the same id, or behind all others."""
    remove: tuple[str, ...] = ()
    """Ids of rules to try without."""
    requests: tuple[Sample, ...] = ()
    """Whom to show what; none takes the newest requests that were answered."""
    sample: int = SAMPLE
    """How many of these, at most 20."""


class Previewed(msgspec.Struct, frozen=True, kw_only=True):
    """One entry after the change."""

    item_id: str
    title: str
    position: int
    was: int | None
    """Its position before; null where it was not there."""
    reason: ReasonBody
    rules: tuple[str, ...] = ()
    """What the rules did to it."""


class Left(msgspec.Struct, frozen=True, kw_only=True):
    """One entry that the change took away."""

    item_id: str
    title: str
    was: int
    rules: tuple[str, ...] = ()


class PreviewedSlate(msgspec.Struct, frozen=True, kw_only=True):
    """One request, before and after."""

    surface: str
    visitor: str
    acting: tuple[str, ...]
    """Rules that the request is under after the change, the strongest first."""
    before: tuple[str, ...]
    """Ids, in order."""
    after: tuple[Previewed, ...]
    gone: tuple[Left, ...]
    relaxed: dict[str, int]
    """Rules that could not be kept, and at how many places."""
    removed: dict[str, int]
    """How many candidates each blocking rule took out."""


class PreviewBody(msgspec.Struct, frozen=True, kw_only=True):
    """What would change. Exploration is left out on both sides."""

    slates: tuple[PreviewedSlate, ...]
    remarks: tuple[str, ...] = ()
    """What looks like a mistake in the drafts, and what of them finds nothing in the catalogue."""
