"""What a visitor did, in words: "liked", "Rated 4 of 5", day by day."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from typing import NamedTuple

from palate.console.api import Json
from palate.events.kinds import Kind, Signal, signals_of
from palate.serving.reasons import deed_word, strength

SAID = {
    Kind.CLICK: "Opened",
    Kind.PICK: "Picked",
    Kind.LIKE: "Liked",
    Kind.DISLIKE: "Not for you",
    Kind.SAVE: "Saved",
    Kind.SHARE: "Shared",
    Kind.PURCHASE: "Bought",
    Kind.SKIP: "Skipped",
    Kind.HIDE: "Hidden",
    Kind.FOLLOW: "Followed",
    Kind.UNFOLLOW: "Unfollowed",
}
"""A line's first word; kinds that are not here go by their name."""


WORDS = ("like", "dislike")
"""Either takes the other back."""


class Deed(NamedTuple):
    """A line of the page "What you did"."""

    says: str
    tone: str
    """good, bad or "": whether it speaks for the item."""
    item_id: str
    title: str
    time: str
    clock: str


def strongest(deeds: Sequence[Json], item_id: str, viewed: str) -> str:
    """The strongest thing done with an item, as the reasons say it; "" where there is none.

    >>> strongest([{"item_id": "1", "kind": "rating", "value": 5.0}], "1", "watched")
    'liked'
    """
    found = [
        strength(_kind(deed), signals_of(_kind(deed), deed["value"]))
        for deed in deeds
        if deed["item_id"] == item_id
    ]
    best = max(found, default=-1)
    return deed_word(best, viewed) if best >= 0 else ""


def kinds_done(deeds: Sequence[Json], item_id: str) -> frozenset[str]:
    """The kinds of events that a visitor has sent of an item; of two words the newest stands.

    >>> deeds = [{"item_id": "1", "kind": "like"}, {"item_id": "1", "kind": "dislike"}]
    >>> sorted(kinds_done(deeds, "1"))
    ['like']
    """
    kinds = [deed["kind"] for deed in deeds if deed["item_id"] == item_id]
    words = [kind for kind in kinds if kind in WORDS]
    return frozenset(kinds) - frozenset(WORDS) | frozenset(words[:1])


def by_day(deeds: Sequence[Json], now: float, viewed: str) -> list[tuple[str, list[Deed]]]:
    """The deeds under the names of their days, in their order."""
    today = datetime.fromtimestamp(now, UTC).date()
    days = groupby(deeds, lambda deed: datetime.fromisoformat(deed["time"]).date())
    return [(_day(day, today), [_told(deed, viewed) for deed in those]) for day, those in days]


def _told(deed: Json, viewed: str) -> Deed:
    signal = signals_of(_kind(deed), deed["value"])
    good, bad = signal & Signal.POSITIVE, signal & Signal.NEGATIVE
    return Deed(
        says=_says(_kind(deed), deed["value"], viewed),
        tone="good" if good else "bad" if bad else "",
        item_id=deed["item_id"],
        title=deed["title"],
        time=deed["time"],
        clock=datetime.fromisoformat(deed["time"]).strftime("%H:%M"),
    )


def _says(kind: Kind, value: float | None, viewed: str) -> str:
    if kind is Kind.RATING and value is not None:
        return f"Rated {value:g} of 5"
    if kind is Kind.VIEW:
        part = f" {value:.0%}" if value is not None and value < 1 else ""
        return f"{viewed.capitalize()}{part}"
    return SAID.get(kind, kind.name.capitalize())


def _day(day: date, today: date) -> str:
    if day == today:
        return "Today"
    if day == today - timedelta(days=1):
        return "Yesterday"
    return f"{day.day} {day:%B %Y}"


def _kind(deed: Json) -> Kind:
    return Kind[deed["kind"].upper()]
