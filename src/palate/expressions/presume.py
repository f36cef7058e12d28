"""A condition that hides, asked of somebody of whom too little is known: closed where it fails."""

from collections.abc import Mapping
from typing import Any

from palate.expressions.tree import (
    VISITOR,
    All,
    Condition,
    Constant,
    Has,
    Not,
    Some,
    Truth,
    fields,
    kind_of,
)


def presumed(condition: Condition, values: Mapping[str, Any], *, holds: bool = True) -> Condition:
    """The condition with every part that asks for a value which is missing taken to hold.

    Below `not` such a part is taken not to hold, so that the whole does wherever it might.
    `has(user.age)` asks just that, and is answered as it is.
    """
    match condition:
        case Not(inner, at):
            return Not(presumed(inner, values, holds=not holds), at)
        case All(several, at) | Some(several, at):
            return type(condition)(tuple(presumed(e, values, holds=holds) for e in several), at)
        case Has():
            return condition
    asked = (each.name for each in fields(condition) if each.name.startswith(VISITOR))
    if any(kind_of(values.get(name)) is None for name in asked):
        return Truth(Constant(holds, "flag", condition.at), condition.at)
    return condition
