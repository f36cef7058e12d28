"""Whose record answers for a visitor: a session that a user claimed is that user."""

from palate.features.online.protocol import OnlineStore
from palate.features.record import UserState, owner_of


def whose(online: OnlineStore, key: int) -> tuple[int, bytes | None]:
    """The key that a visitor's acts count under, and its record; None where there is none."""
    raw = online.user(key) if key else None
    owner = 0 if raw is None else owner_of(raw)
    return (owner, online.user(owner)) if owner else (key, raw)


def state_of(online: OnlineStore, key: int, segment: int = 0) -> UserState:
    """What is known of a visitor; nobody, of that segment, where nothing is.

    Raises CorruptState where a record does not read back.
    """
    key, raw = whose(online, key)
    return UserState.nobody(segment, key) if raw is None else UserState.unpack(key, raw)
