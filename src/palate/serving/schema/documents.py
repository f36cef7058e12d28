"""The documents of the API, as they look on the wire: for the OpenAPI schema and for answers.

What comes in is decoded by `catalog.decode` and `events.decode`, which say where a field is wrong
and how to mend it; these types describe the same documents. Times are RFC 3339 here.
"""

from typing import Any, Literal

import msgspec

from palate.funnel.ledger import Account


class ItemDocument(msgspec.Struct, frozen=True, kw_only=True):
    """An item. Everything but the id is optional."""

    item_id: str
    kind: str = ""
    """Film, article, product: a word of your own."""
    title: str = ""
    text: str = ""
    """What it says or is about; likeness of content is read from it."""
    categories: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    creator_id: str = ""
    """Who made it; what a user may follow."""
    published_at: str | None = None
    """RFC 3339; before that it is not recommended."""
    expires_at: str | None = None
    """RFC 3339; from then on it is not recommended."""
    hidden: bool = False
    """Never recommended while it is so."""
    regions: tuple[str, ...] = ()
    """Where it may be shown; empty is everywhere."""
    min_age: int = 0
    """In whole years."""
    attributes: dict[str, Any] = {}
    """Anything else; filters can ask for it."""
    embedding: tuple[float, ...] = ()
    """A vector of your own; likeness of content counts it in."""


class UserDocument(msgspec.Struct, frozen=True, kw_only=True):
    """A user's profile. Everything but the id is optional."""

    user_id: str
    country: str = ""
    """ISO code."""
    language: str = ""
    birth_year: int | None = None
    follows: tuple[str, ...] = ()
    """Creators whose new items they want to see."""
    likes: tuple[str, ...] = ()
    """What they said they like; filters can ask for it."""
    attributes: dict[str, Any] = {}


class ShownDocument(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of an impression."""

    item_id: str
    position: int
    """From 1."""
    propensity: float = 1.0
    """With what probability it got its place."""
    score: float = 0.0
    explore: bool = False
    viewable: bool | None = None
    """Whether the visitor could see it. With the `recommendation_id` of a page that we gave the
    impression is a report on that page and no further showing; null is true there."""


class EventDocument(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened.

    At least one of `user_id` and `session_id` is needed; both together say that the session is that
    user's.
    """

    kind: Literal[
        "impression",
        "click",
        "view",
        "like",
        "dislike",
        "save",
        "share",
        "purchase",
        "rating",
        "skip",
        "hide",
        "follow",
        "unfollow",
        "search",
        "pick",
    ]
    event_id: str = ""
    """Idempotency key: a repeated id changes nothing. Absent: a new one is made."""
    user_id: str = ""
    session_id: str = ""
    """A visitor without an account; `anonymous_id` is the same."""
    item_id: str = ""
    items: tuple[ShownDocument, ...] = ()
    """Of an impression: what was shown, in order."""
    time: str | int = ""
    """RFC 3339 or epoch milliseconds; absent: the server's time."""
    value: float | None = None
    """Rating 1 to 5, watched fraction of a view, price of a purchase."""
    surface: str = ""
    """Where the item stood."""
    position: int = 0
    """At which place, from 1."""
    recommendation_id: str = ""
    """Of the slate that it stood in; training learns from it."""
    context: dict[str, Any] = {}
    """Device, place, anything about the moment."""
    properties: dict[str, Any] = {}
    """Anything else; of a follow, `creator_id` is read."""


class EventsDocument(msgspec.Struct, frozen=True, kw_only=True):
    """A batch of events."""

    events: tuple[EventDocument, ...]
    sent_at: str | int = ""
    """By the clock that dated them, when they were sent: RFC 3339 or epoch milliseconds. All their
    times are moved by as much as that differs from ours."""


class ItemsDocument(msgspec.Struct, frozen=True, kw_only=True):
    """A batch of items."""

    items: tuple[ItemDocument, ...]


class UsersDocument(msgspec.Struct, frozen=True, kw_only=True):
    """A batch of users; in a list, `next` continues it."""

    users: tuple[UserDocument, ...]
    next: str | None = None


class Rejected(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a batch that was not stored."""

    pointer: str
    problem: str


class EventsAccepted(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The events are durable."""

    accepted: int
    duplicates: int
    rejected: tuple[Rejected, ...] | None = None
    """With `partial=true`: what was not stored, and why."""


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """Documents were stored."""

    accepted: int
    changed: int
    """How many differed from what was held."""


class DeedDocument(msgspec.Struct, frozen=True, kw_only=True):
    """Something a visitor did with an item."""

    item_id: str
    title: str
    """The id where the catalogue has no title."""
    kind: str
    value: float | None
    """Rating or watched fraction; null where none was given."""
    time: str


class HistoryDocument(msgspec.Struct, frozen=True, kw_only=True):
    """What a visitor did, newest first."""

    events: tuple[DeedDocument, ...]


class LedgerDocument(Account, frozen=True, kw_only=True):
    """The funnel's books of live requests."""

    surface: str
    days: int
    """These calendar days (UTC), today's with them."""
    share: float
    """Of first pages, that is sampled now."""
    wait_minutes: float
    """What was taken within so long counts."""
