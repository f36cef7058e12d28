"""Who is asking: the state that events made of them, and their profile's region and age."""

import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple, ParamSpec, TypeVar

from palate.arrays import Rows
from palate.catalog.columns import ItemColumns
from palate.catalog.protocol import UserCatalog
from palate.catalog.user import User, session_key, user_key
from palate.clock import Clock
from palate.errors import PalateError
from palate.features.follows import followed, muted
from palate.features.online.claimed import state_of
from palate.features.online.protocol import OnlineStore
from palate.features.record import UserState
from palate.features.segments import profile_code
from palate.funnel.types import Query
from palate.serving.bodies import Ask
from palate.serving.observing.allowance import Allowance
from palate.settings import FeatureSettings

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger("palate.serving")

OLDEST = 150
"""Years. An attribute that says more, or less than none, is no age."""
SECONDS = 1.0
"""How long a profile is taken from memory: a new one counts within a second, on every worker."""


class Traits(NamedTuple):
    """What the profile gives to a request."""

    region: str = ""
    age: int | None = None
    profile: int = 0
    """Segment and region in one number, as PROFILE events tell it."""
    values: Mapping[str, Any] = {}
    """What filters may ask, by name: ``user.country``, an attribute as ``user.plan``."""
    follows: tuple[str, ...] = ()


NOBODY = Traits()


@dataclass(frozen=True, slots=True)
class Visitor:
    """One visitor, as of now."""

    name: str
    """`user:…`, `session:…` or "" for somebody who gave neither."""
    state: UserState
    region: str
    age: int | None
    values: Mapping[str, Any] = field(default_factory=dict)
    """What conditions may ask of the profile; age and country as the request has them, where it
    names them, the country in capitals."""
    follows: tuple[str, ...] = ()
    """Creators that the profile names, by id."""

    def creators(self, columns: ItemColumns) -> Rows:
        """Codes of the creators that the visitor follows, by profile and by what they did."""
        return followed(self.state, columns, self.follows)

    def muted(self, columns: ItemColumns) -> Rows:
        """Codes of the creators that the visitor hid."""
        return muted(self.state, columns)


class Visitors:
    """Finds visitors: one read of the online store, now and then one of the users' catalogue."""

    def __init__(
        self,
        users: UserCatalog,
        online: OnlineStore,
        settings: FeatureSettings,
        clock: Clock,
        most: int = 10_000,
    ) -> None:
        self._most = most
        self._users, self._online, self._settings, self._clock = users, online, settings, clock
        self._traits: OrderedDict[str, tuple[float, Traits]] = OrderedDict()
        self._hits = self._misses = 0
        self._complaints = Allowance(1 / 60, 1)

    def find(self, ask: Ask) -> Visitor:
        """The visitor of a request; `user_id` wins over `session_id`."""
        traits = self._known(ask, self._of, ask.user_id) if ask.user_id else NOBODY
        traits = traits or NOBODY
        age = traits.age if ask.age is None else ask.age
        region = (ask.region or traits.region).upper()
        known = {"user.age": age, "user.country": region or None}
        values = {**traits.values, **{name: it for name, it in known.items() if it is not None}}
        state = self._known(ask, self._state, ask, traits)
        state = state or UserState.nobody(traits.profile, key_of(ask))
        return Visitor(who(ask), state, region, age, values, traits.follows)

    def _known(self, ask: Ask, read: Callable[P, T], *of: P.args, **more: P.kwargs) -> T | None:
        """What a store says of a visitor; None, said once a minute, where it cannot be read.

        Somebody unknown is answered then: of no age and no region but those that the request
        names, so that nobody sees what they must not.
        """
        try:
            return read(*of, **more)
        except PalateError as error:
            if self._complaints.take(self._clock.now()):
                log.error("visitors are answered as strangers: %s", error.detail)  # noqa: TRY400
            return None

    def asked(self) -> tuple[int, int]:
        """How many profiles were at hand and how many were read, since this was asked last."""
        told = self._hits, self._misses
        self._hits = self._misses = 0
        return told

    def forget(self, user_id: str) -> None:
        """Read this profile anew the next time."""
        self._traits.pop(user_id, None)

    def _state(self, ask: Ask, traits: Traits) -> UserState:
        return state_of(self._online, key_of(ask), traits.profile)

    def _of(self, user_id: str) -> Traits:
        now = self._clock.now()
        held = self._traits.get(user_id)
        if held is not None and 0 <= now - held[0] < SECONDS:
            self._hits += 1
            return held[1]
        self._misses += 1
        # One indexed row of a file in the page cache: a thread would cost ten times the read.
        user = self._users.find([user_id])[0]
        traits = self._traits_of(user, now) if user else NOBODY
        self._traits[user_id] = (now, traits)
        self._traits.move_to_end(user_id)
        while len(self._traits) > self._most:
            self._traits.popitem(last=False)
        return traits

    def _traits_of(self, user: User, now: float) -> Traits:
        age, profile = age_of(user, now), profile_code(user, self._settings)
        return Traits(user.country, age, profile, _values(user, age), user.follows)


def who(ask: Ask) -> str:
    """The visitor's name in cursors and traces."""
    if ask.user_id:
        return f"user:{ask.user_id}"
    return f"session:{ask.session_id}" if ask.session_id else ""


def languages(ask: Ask, query: Query) -> tuple[str, str]:
    """What the request names, and what the profile does; "" where one does not."""
    return ask.language, str(query.values.get("user.language", ""))


def key_of(ask: Ask) -> int:
    """The key of the visitor's record; 0 where they are not named."""
    if ask.user_id:
        return user_key(ask.user_id)
    return session_key(ask.session_id) if ask.session_id else 0


def _values(user: User, age: int | None) -> dict[str, Any]:
    """The profile's own fields win over attributes of the same name."""
    told = {
        "country": user.country,
        "language": user.language,
        "birth_year": user.birth_year,
        "follows": user.follows,
        "likes": user.likes,
        "age": age,
    }
    told = user.attributes | {name: each for name, each in told.items() if each}
    return {f"user.{name}": each for name, each in told.items()}


def age_of(user: User, now: float) -> int | None:
    """Whole years a user has surely lived, up to OLDEST; None where unknown.

    Of a birth year only the year is known, so the birthday counts as not yet reached: an age limit
    has to hold.
    """
    if user.birth_year is not None:
        return max(0, datetime.fromtimestamp(now, UTC).year - user.birth_year - 1)
    age = user.attributes.get("age")
    if not isinstance(age, int | float) or isinstance(age, bool):
        return None
    return int(age) if 0 <= age <= OLDEST else None
