"""Which segment a user belongs to: people of a kind, told apart by a few fields of the profile."""

from hashlib import blake2b

from palate.catalog.user import User
from palate.settings import FeatureSettings

AGE_BANDS = (18, 25, 35, 45, 50, 56)
"""Lower edges, as in MovieLens."""
THIS_YEAR = 2026
"""Ages are told in bands against one fixed year: a segment must not change with the calendar."""


REGION_AT = 256
"""A profile's code is its segment plus so many times the column of its region."""


def segment_of(user: User, settings: FeatureSettings) -> int:
    """A code from 1 to ``settings.segments - 1``; 0 where none of the fields is known."""
    traits = [_trait(user, name) for name in settings.segment_by]
    if not any(traits):
        return 0
    told = "\x1f".join(traits).encode()
    number = int.from_bytes(blake2b(told, digest_size=8).digest(), "little")
    return 1 + number % max(settings.segments - 1, 1)


def profile_code(user: User, settings: FeatureSettings) -> int:
    """What a PROFILE event tells the fold: segment and region in one number."""
    return segment_of(user, settings) + REGION_AT * region_of(user.country, settings)


def region_of(name: str, settings: FeatureSettings) -> int:
    """The column of a region's counts, behind those of the segments; 0 for none."""
    if not name or not settings.regions:
        return 0
    told = blake2b(name.upper().encode(), digest_size=8).digest()
    return settings.segments + int.from_bytes(told, "little") % settings.regions


def _trait(user: User, name: str) -> str:
    if name == "age_band":
        return _age_band(user)
    value = getattr(user, name, None) or user.attributes.get(name)
    return "" if value is None else str(value)


def _age_band(user: User) -> str:
    age = user.attributes.get("age")
    if user.birth_year is not None:
        age = THIS_YEAR - user.birth_year
    if not isinstance(age, int | float):
        return ""
    return str(sum(age >= edge for edge in AGE_BANDS))
