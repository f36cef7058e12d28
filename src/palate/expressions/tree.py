"""What an expression is made of; every part knows at which character it begins."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["number", "time", "flag", "text", "texts", "any"]
"""What a value is. ``any``: known only once there is a request (its context, a profile)."""
VISITOR = ("user.", "context.")
"""Names that begin so are looked up when there is a request; what it lacks is missing."""
Scalar: TypeAlias = float | bool | str
Operator: TypeAlias = Literal["==", "!=", "<", "<=", ">", ">="]


@dataclass(frozen=True, slots=True)
class Constant:
    """A number, a text, true or false, or a time (seconds since the epoch)."""

    value: Scalar
    kind: Kind
    at: int


@dataclass(frozen=True, slots=True)
class Listed:
    """Constants in brackets."""

    values: tuple[Constant, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Field:
    """A named value: an item's by its bare name, a visitor's as ``user.country``, ``context.x``."""

    name: str
    at: int


@dataclass(frozen=True, slots=True)
class Now:
    """The time of the request."""

    at: int


@dataclass(frozen=True, slots=True)
class Shift:
    """A number or time, and what is added to it."""

    left: "Value"
    right: "Value"
    sign: int
    at: int


Value: TypeAlias = Constant | Field | Now | Shift


@dataclass(frozen=True, slots=True)
class Compare:
    """Two values side by side. With a missing value it is false."""

    operator: Operator
    left: Value
    right: Value
    at: int


@dataclass(frozen=True, slots=True)
class Among:
    """``"drama" in categories``, ``kind in ["film", "series"]``, ``user.country in regions``."""

    left: Value
    right: Listed | Field
    at: int


@dataclass(frozen=True, slots=True)
class Has:
    """``has(year)``: the value is there."""

    field: Field
    at: int


@dataclass(frozen=True, slots=True)
class Truth:
    """A flag by itself, or true and false."""

    value: Field | Constant
    at: int


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite."""

    part: "Condition"
    at: int


@dataclass(frozen=True, slots=True)
class All:
    """Every part holds."""

    parts: "tuple[Condition, ...]"
    at: int


@dataclass(frozen=True, slots=True)
class Some:
    """At least one part holds."""

    parts: "tuple[Condition, ...]"
    at: int


Condition: TypeAlias = Compare | Among | Has | Truth | Not | All | Some


Part: TypeAlias = Condition | Value | Listed


def parts(part: Part) -> Iterator[Part]:
    """The part and all parts within it, in the order of the text."""
    yield part
    match part:
        case Has(inner) | Truth(inner) | Not(inner):
            yield from parts(inner)
        case Compare(_, left, right) | Among(left, right) | Shift(left, right):
            yield from parts(left)
            yield from parts(right)
        case All(several) | Some(several):
            for each in several:
                yield from parts(each)
        case _:
            return


def tests(part: Part) -> list[Compare | Among | Has | Truth]:
    """What is asked of every item, in the order of the text: so much does the condition cost."""
    return [each for each in parts(part) if isinstance(each, Compare | Among | Has | Truth)]


def fields(part: Part) -> Iterator[Field]:
    """Every field that is read, in the order of the text."""
    return (each for each in parts(part) if isinstance(each, Field))


def kind_of(value: object) -> Kind | None:
    """What a value of a document is; None where a condition has no use for it."""
    match value:
        case bool():
            return "flag"
        case int() | float():
            return "number"
        case str():
            return "text"
        case list() | tuple() if all(isinstance(each, str) for each in value):
            return "texts"
    return None
