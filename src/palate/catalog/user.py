"""A user: the few things a site may tell us of a person. Everything but the id is optional."""

from hashlib import blake2b

import msgspec

from palate.catalog.item import Attributes


class User(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A user's profile. What they did is in the event log, not here."""

    user_id: str
    country: str = ""
    language: str = ""
    birth_year: int | None = None
    follows: tuple[str, ...] = ()
    likes: tuple[str, ...] = ()
    attributes: Attributes = {}


def user_key(user_id: str) -> int:
    """64 bits of BLAKE2b over the id: the name of a user wherever only numbers travel."""
    return _key(b"user", user_id)


def session_key(session_id: str) -> int:
    """The key of a visitor without an account; never equal to the key of a user so named."""
    return _key(b"session", session_id)


def _key(who: bytes, name: str) -> int:
    return int.from_bytes(blake2b(name.encode(), digest_size=8, person=who).digest(), "little")
