"""What goes over the wire for recommendations: the body that asks and the body that answers."""

from typing import Any

import msgspec

from palate.funnel.types import ReasonKind, Step

DEFAULT_LIMIT = 20


class PageAsk(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request for a page; every row is asked for so."""

    user_id: str = ""
    session_id: str = ""
    """A visitor without an account."""
    limit: int = DEFAULT_LIMIT
    """How many entries; on a page, of each row."""
    region: str = ""
    """ISO country code; else the user's country."""
    age: int | None = None
    """Whole years; else reckoned from the user's birth year."""
    context: dict[str, Any] = {}
    exclude: tuple[str, ...] = ()
    """Item ids that must not come back."""
    filter: str = ""
    """A condition on items, like ``year >= 2000 and "drama" in categories``."""
    language: str = ""
    """In which reasons are told, as ``de``; else the profile's, else that of `Accept-Language`."""


class Ask(PageAsk, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request for a slate. `user_id` wins where `session_id` is given too."""

    surface: str = ""
    """`home`, `trending`, `more_like_this`, `because_you_watched`, `continue_watching`,
    `new_for_you`, or a surface of your own."""
    item_id: str = ""
    """The item on screen; more_like_this needs it."""
    cursor: str = ""
    """`next` of the page before."""
    budget_ms: int | None = None
    """Milliseconds that the answer may take; absent: `serving.budget_ms` of the settings."""


class Wonder(Ask, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request for a slate, as it was or would be made, and the item that is asked about."""

    item_id: str = ""
    """The item that is asked about."""
    seed_item_id: str = ""
    """The item on screen; more_like_this needs it."""

    @property
    def ask(self) -> Ask:
        """The request for the slate alone."""
        said = {name: getattr(self, name) for name in Ask.__struct_fields__}
        return Ask(**said | {"item_id": self.seed_item_id})


class Picks(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a newcomer said they like. Both names together say that the session is that user's."""

    user_id: str = ""
    session_id: str = ""
    picks: tuple[str, ...] = ()
    """Ids of items."""
    recommendation_id: str = ""
    """Of the page on which they were picked."""


class ReasonBody(msgspec.Struct, frozen=True, kw_only=True):
    """Why an item is there."""

    kind: ReasonKind
    text: str
    item_ids: tuple[str, ...] = ()
    """The items it is because of, most important first."""
    weights: tuple[float, ...] = ()
    """How much each of them gave; where `generator` is covisit, its exact share of the score."""
    trait: str = ""
    generator: str = ""
    rule: str = ""
    """Of `editorial` and `sponsored`: the operator's rule that put it there."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One item of the slate."""

    item_id: str
    position: int
    """From 1, counted over all pages."""
    score: float
    reason: ReasonBody
    explore: bool = False


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """Where the time went, in milliseconds."""

    total_ms: float
    stages: dict[str, float] = {}


class Recommendation(msgspec.Struct, frozen=True, kw_only=True):
    """The answer."""

    recommendation_id: str
    """Send it back with the events that follow from it."""
    surface: str
    release: str
    """The trained release that answered; "none" before the first."""
    step: Step
    """Which rung of the ladder answered: `full` is the whole funnel."""
    items: tuple[Entry, ...]
    anchor: str | None
    """The item that the whole slate is about, where it is about one."""
    next: str | None
    """The cursor of the next page; null at the end."""
    timing: Timing


class PageBody(msgspec.Struct, frozen=True, kw_only=True):
    """A whole page: rows in the order in which they are to stand, no item twice."""

    page: str
    rows: tuple[Recommendation, ...]
    """Each with its own `recommendation_id`, `surface` and `anchor`."""
