"""Names of a visitor's values that nobody has, and that look like a slip for one there is.

A profile may have any attribute, so such a rule can be obeyed: for what hides it is unknown.
"""

from collections.abc import Iterable
from difflib import get_close_matches

from palate.errors import PalateError
from palate.expressions.tree import Condition, fields
from palate.stores import Stores

OWN = ("age", "country", "language", "birth_year", "follows", "likes")
"""What profiles have beside their attributes."""
USER = "user."
LIKE = 0.75
LOOKED_AT = 1_000
"""Profiles that are looked through for an attribute of the name."""


def strangers(conditions: Iterable[Condition | None], stores: Stores) -> tuple[str, ...]:
    """Each such name, with what was probably meant."""
    asked = {each.name for found in conditions if found for each in fields(found)}
    names = sorted(each.removeprefix(USER) for each in asked if each.startswith(USER))
    near = {name: get_close_matches(name, OWN, 1, LIKE) for name in names if name not in OWN}
    if not any(near.values()):
        return ()
    try:
        had = {name for user in stores.users.page("", LOOKED_AT) for name in user.attributes}
    except PalateError:  # a rule acts whether or not there is something to say of it
        return ()
    return tuple(
        f"{USER}{name}, which no profile has; did you mean {USER}{meant[0]}?"
        for name, meant in near.items()
        if meant and name not in had
    )
