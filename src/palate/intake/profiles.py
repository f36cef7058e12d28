"""Storing users: a changed profile is also an event, so that state can be rebuilt from the log."""

from collections.abc import Sequence
from hashlib import blake2b

import msgspec

from palate.catalog.protocol import UserCatalog
from palate.catalog.user import User
from palate.events.kinds import Event, Kind
from palate.events.protocol import EventLog
from palate.features.segments import profile_code
from palate.settings import FeatureSettings


def store_users(
    users: Sequence[User],
    catalog: UserCatalog,
    log: EventLog,
    settings: FeatureSettings,
    *,
    received: float,
    time: float | None = None,
) -> int:
    """Put users, and append a PROFILE event (value: segment and region) for each changed one.

    `time` is when the profiles are said to have changed, by default when they were `received`.
    The events go first: where a crash comes between the two, the next put repeats them, and
    folding a profile twice changes nothing. Returns how many users differed from what was held.
    """
    latest = list({user.user_id: user for user in users}.values())
    held = catalog.find([user.user_id for user in latest])
    changed = [user for user, before in zip(latest, held, strict=True) if user != before]
    at = received if time is None else time
    log.append(
        [profile_event(user, settings, received=received, time=at) for user in changed], received
    )
    return catalog.put(latest)


def profile_event(user: User, settings: FeatureSettings, *, received: float, time: float) -> Event:
    """The event that tells the folds which segment and region a user belongs to."""
    told = msgspec.msgpack.encode((user, received, time), order="deterministic")
    return Event(
        event_id=f"profile/{blake2b(told, digest_size=16).hexdigest()}",
        kind=Kind.PROFILE,
        time=time,
        user_id=user.user_id,
        value=float(profile_code(user, settings)),
    )
