"""The rules there are, as documents: what the API takes, `palate.toml` holds, the book keeps.

A rule has an id and a kind. It acts on its surfaces, between its dates, for its audience; in the
book the first rule is the strongest.
"""

from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias, get_args

import msgspec

Id: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9_\-]{0,63}$")]
Text: TypeAlias = Annotated[str, msgspec.Meta(max_length=200)]
Condition: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=4_000)]
Slot: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=10_000)]
Slots: TypeAlias = Annotated[tuple[Slot, ...], msgspec.Meta(min_length=1, max_length=100)]
Items: TypeAlias = Annotated[tuple[str, ...], msgspec.Meta(min_length=1, max_length=10_000)]
Strength: TypeAlias = Annotated[float, msgspec.Meta(gt=0, le=10)]
Days: TypeAlias = Annotated[float, msgspec.Meta(gt=0, le=3_650)]
Grouping: TypeAlias = Literal["categories", "creator", "code"]


class Ruling(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """What all rules say."""

    id: Id
    """Small letters, digits, - and _."""
    surfaces: tuple[str, ...] = ()
    """Where it acts; empty is everywhere."""
    starts: datetime | None = None
    """RFC 3339, with its zone; absent: at once."""
    ends: datetime | None = None
    """RFC 3339, with its zone; absent: for good."""
    audience: str = ""
    """A condition on who asks: ``user.country == "DE" and context.device == "phone"``."""
    enabled: bool = True
    note: Text = ""
    """For those who read the rules."""


class Placing(Ruling, frozen=True, kw_only=True):
    """What rules say that give places away."""

    slots: Slots
    """Positions from 1, counted over all pages; filled in this order."""
    sponsored: bool = False
    """Somebody pays for it: the reason says so."""
    label: Text = ""
    """What the reason says besides: "Editors' choice"."""
    per_visitor: Annotated[int, msgspec.Meta(ge=0, le=96)] = 0
    """An item is placed so many times before one visitor within `per_days`; 0 is no limit. The
    last 96 items that a visitor was shown are remembered."""
    per_days: Days = 1.0
    impressions: Annotated[int, msgspec.Meta(ge=0)] = 0
    """Its items are shown here so many times altogether, whoever sees them; then it rests. 0 is no
    limit. Workers hear of one another twice a second, so it may be passed by what is shown
    meanwhile."""


class PinRule(Placing, frozen=True, kw_only=True, tag_field="kind", tag="pin"):
    """These items stand in these places, whether a generator finds them or not."""

    items: Items
    """In order; one that may not be shown makes room for the next."""


class PromoteRule(Placing, frozen=True, kw_only=True, tag_field="kind", tag="promote"):
    """The best of what matches stands in these places."""

    where: Condition
    """A condition on items."""


class BoostRule(Ruling, frozen=True, kw_only=True, tag_field="kind", tag="boost"):
    """What matches ranks higher."""

    where: Condition
    by: Strength
    """In units of the distance between the page's best and worst score."""
    sponsored: bool = False
    """Somebody pays for it: the reason of what it lifts says so."""
    label: Text = ""


class BuryRule(Ruling, frozen=True, kw_only=True, tag_field="kind", tag="bury"):
    """What matches ranks lower."""

    where: Condition
    by: Strength
    """In units of the distance between the page's best and worst score."""


class AtMostRule(Ruling, frozen=True, kw_only=True, tag_field="kind", tag="at_most"):
    """No more than `cap` items of a group in any `window` places in a row."""

    cap: Annotated[int, msgspec.Meta(ge=0, le=1_000)]
    window: Annotated[int, msgspec.Meta(ge=0, le=1_000)] = 0
    """0 is the page."""
    of: Grouping | None = None
    """Of each category, creator, or content code; or of what matches `where`."""
    where: str = ""


class AtLeastRule(Ruling, frozen=True, kw_only=True, tag_field="kind", tag="at_least"):
    """A minimum of the page is for what matches: a creator, a category, anything."""

    where: Condition
    share: Annotated[float, msgspec.Meta(gt=0, le=1)] | None = None
    """Of the page, rounded up; or a number of places: `count`."""
    count: Annotated[int, msgspec.Meta(ge=1, le=1_000)] | None = None


class DiversityRule(Ruling, frozen=True, kw_only=True, tag_field="kind", tag="diversity"):
    """How much neighbours should differ."""

    strength: Annotated[float, msgspec.Meta(ge=0, le=10)]
    """0 is not at all; 0.1 is Home's own."""
    window: Annotated[int, msgspec.Meta(ge=1, le=100)] = 10


class FreshnessRule(Ruling, frozen=True, kw_only=True, tag_field="kind", tag="freshness"):
    """How much new items gain."""

    lift: Annotated[float, msgspec.Meta(ge=0, le=10)]
    """In units of the distance between the page's best and worst score; 0.2 is Home's own."""
    half_life_days: Days = 7.0


class SeenRule(Ruling, frozen=True, kw_only=True, tag_field="kind", tag="seen"):
    """What becomes of items that the visitor had already."""

    policy: Literal["hide", "hide_days", "show"]
    """`show` lets them watch again; what they turned down stays hidden."""
    of: Literal["taken", "clicked", "shown"] = "taken"
    """What counts as had: taken in or judged; clicked too; of the last 96 shown too."""
    days: Days | None = None
    """With `hide_days`: they may come back after so many days."""


class BlockRule(Ruling, frozen=True, kw_only=True, tag_field="kind", tag="block"):
    """Not to be shown: these items, or what matches."""

    items: Annotated[tuple[str, ...], msgspec.Meta(max_length=10_000)] = ()
    where: str = ""


class RestrictRule(Ruling, frozen=True, kw_only=True, tag_field="kind", tag="restrict"):
    """What matches is for some regions or ages; who gives neither does not see it."""

    where: Condition
    regions: tuple[str, ...] = ()
    """ISO 3166 codes of two letters, in either case; empty is everywhere."""
    min_age: Annotated[int, msgspec.Meta(ge=0, le=150)] = 0


Rule: TypeAlias = (
    PinRule
    | PromoteRule
    | BoostRule
    | BuryRule
    | AtMostRule
    | AtLeastRule
    | DiversityRule
    | FreshnessRule
    | SeenRule
    | BlockRule
    | RestrictRule
)
KINDS: dict[str, type[Ruling]] = {str(kind.__struct_config__.tag): kind for kind in get_args(Rule)}
"""By the word that `kind` says."""


def encoded(rule: Rule) -> dict[str, Any]:
    """The rule as a JSON document: what it says, without what it leaves at its default."""
    told: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(rule))
    return told
