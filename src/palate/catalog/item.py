"""An item: a video, an article, a product. Everything but its id is optional."""

from hashlib import blake2b
from typing import Any, TypeAlias

import msgspec

Attributes: TypeAlias = dict[str, Any]
"""Free attributes: strings, numbers, booleans and lists of these."""


CREATOR_BITS = 52
"""As many as a float64 holds exactly, so that creators travel in columns of numbers."""


class Item(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the site says of an item. Times are seconds since the epoch (UTC) once inside."""

    item_id: str
    kind: str = ""
    title: str = ""
    text: str = ""
    categories: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    creator_id: str = ""
    published_at: float | None = None
    expires_at: float | None = None
    hidden: bool = False
    regions: tuple[str, ...] = ()
    """Where it may be shown; empty is everywhere."""
    min_age: int = 0
    attributes: Attributes = {}
    embedding: tuple[float, ...] = ()
    """A vector of the site's own. The first one's width is the catalogue's, as long as any item has
    one; an item may go without."""


def creator_key(creator_id: str) -> int:
    """From 1: the name of a creator wherever only numbers travel, before any item has them."""
    told = blake2b(creator_id.encode(), digest_size=8, person=b"creator").digest()
    return (int.from_bytes(told, "little") >> (64 - CREATOR_BITS)) or 1
