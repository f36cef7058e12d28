"""The things that can happen, and what each one tells us.

To add a kind: one name in `Kind`, one line in `SIGNALS`, and where its meaning hangs on the
value, one line in `signals_of`.
"""

from enum import IntEnum, IntFlag
from typing import Any

import msgspec


class Kind(IntEnum):
    """What happened. The number is stored: never change one, only add."""

    IMPRESSION = 0
    CLICK = 1
    VIEW = 2
    LIKE = 3
    DISLIKE = 4
    SAVE = 5
    SHARE = 6
    PURCHASE = 7
    RATING = 8
    SKIP = 9
    HIDE = 10
    FOLLOW = 11
    UNFOLLOW = 12
    SEARCH = 13
    PROFILE = 14
    """Internal: the profile of a user changed; `value` is the segment's code."""
    FORGET = 15
    """Internal: a user was deleted; their state goes, the item counts stay."""
    PICK = 16
    """Named by a newcomer as something they like (onboarding): it makes their taste, but nobody
    took anything in, so items are not counted by it."""
    UNREADABLE = 17
    """Internal: what the log holds here does not read back; `properties` say why."""


INTERNAL = frozenset({Kind.PROFILE, Kind.FORGET, Kind.UNREADABLE})
PUBLIC = tuple(k.name.lower() for k in Kind if k not in INTERNAL)
"""The kinds that a client may send."""


class Signal(IntFlag):
    """What an event says about the pair of user and item."""

    NONE = 0
    SHOWN = 1
    CLICKED = 2
    ENGAGED = 4
    """Took the item in: it belongs into the user's history and into co-visitation."""
    POSITIVE = 8
    NEGATIVE = 16
    TAKEN = 32
    """More than a click: the item was consumed or judged, a page that hides the seen hides it."""
    TOLD = 64
    """Only said, not done here: it counts for who said it, and for no item."""


SIGNALS: dict[Kind, Signal] = {
    Kind.IMPRESSION: Signal.SHOWN,
    Kind.CLICK: Signal.CLICKED | Signal.ENGAGED,
    Kind.VIEW: Signal.ENGAGED | Signal.TAKEN,
    Kind.LIKE: Signal.ENGAGED | Signal.POSITIVE | Signal.TAKEN,
    Kind.DISLIKE: Signal.NEGATIVE | Signal.TAKEN,
    Kind.SAVE: Signal.ENGAGED | Signal.POSITIVE | Signal.TAKEN,
    Kind.SHARE: Signal.ENGAGED | Signal.POSITIVE | Signal.TAKEN,
    Kind.PURCHASE: Signal.ENGAGED | Signal.POSITIVE | Signal.TAKEN,
    Kind.RATING: Signal.ENGAGED | Signal.TAKEN,
    Kind.SKIP: Signal.NEGATIVE | Signal.TAKEN,
    Kind.HIDE: Signal.NEGATIVE | Signal.TAKEN,
    Kind.PICK: Signal.ENGAGED | Signal.POSITIVE | Signal.TAKEN | Signal.TOLD,
}

LONG_VIEW, LIKED_RATING, DISLIKED_RATING = 0.7, 4.0, 2.0


def signals_of(kind: Kind, value: float | None) -> Signal:
    """The signals of one event.

    A rating of at least 4 is positive, of at most 2 negative; a view is positive once 70 % were
    watched (`value` is the fraction, 0 to 1).
    """
    signal = SIGNALS.get(kind, Signal.NONE)
    if value is None:
        return signal
    if kind is Kind.RATING and value >= LIKED_RATING:
        return signal | Signal.POSITIVE
    if kind is Kind.RATING and value <= DISLIKED_RATING:
        return signal | Signal.NEGATIVE
    if kind is Kind.VIEW and value >= LONG_VIEW:
        return signal | Signal.POSITIVE
    return signal


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of an impression: an item, where it stood, and how likely it was to stand there."""

    item_id: str
    position: int
    propensity: float = 1.0
    """Given the visitor, the hour and the state then, so given the pool (docs/guide/explore.md)."""
    score: float = 0.0
    explore: bool = False
    viewable: bool | None = None
    """Whether the visitor could see it, by the client's word; None where it does not tell."""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One fact. `time` is when it happened, by the client's word; the log knows when it came in.

    At least one of `user_id` and `session_id` is set. Both together say that the session is that
    user's: what the session did before becomes the user's own.
    """

    event_id: str
    kind: Kind
    time: float
    """Seconds since the epoch, UTC."""
    user_id: str = ""
    session_id: str = ""
    item_id: str = ""
    items: tuple[Shown, ...] = ()
    """Of an impression: what was shown, in order."""
    value: float | None = None
    """Rating 1 to 5, watched fraction of a view, price of a purchase; None where not given."""
    surface: str = ""
    position: int = 0
    """From 1; 0 where unknown."""
    recommendation_id: str = ""
    context: dict[str, Any] = {}
    properties: dict[str, Any] = {}

    @property
    def reports(self) -> bool:
        """Whether this tells what became visible of a page that is in the log already.

        So does an impression that names its recommendation and says of each item whether it was
        viewable: it is no further showing.
        """
        told = self.items and all(each.viewable is not None for each in self.items)
        return self.kind is Kind.IMPRESSION and bool(self.recommendation_id and told)
