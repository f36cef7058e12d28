"""Does every name exist, and does every comparison make sense? Told before anything runs."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import NoReturn

from palate.expressions.parse import parse, refused, seconds
from palate.expressions.tree import (
    VISITOR,
    All,
    Among,
    Compare,
    Condition,
    Constant,
    Field,
    Has,
    Kind,
    Listed,
    Not,
    Now,
    Shift,
    Some,
    Truth,
    Value,
    tests,
)

MOST = 100
"""Comparisons in one condition: each is a look at every item."""
COUNTRY = "user.country"
"""Its values are codes in capitals, however they were written."""
ORDERED = frozenset({"number", "time", "any"})


def checked(text: str, schema: Mapping[str, Kind], pointer: str = "/filter") -> Condition:
    """The condition that `text` says on fields of these kinds; texts beside times become times.

    Raises BadInput that points at the character.
    """
    found = parse(text, pointer)
    asked = tests(found)
    if len(asked) > MOST:
        what = f"{len(asked)} comparisons are more than {MOST}; ask with in [ ] for one of several"
        raise refused(what, asked[MOST].at, pointer)
    return _Checker(schema, pointer).condition(found)


class _Checker:
    def __init__(self, schema: Mapping[str, Kind], pointer: str) -> None:
        self._schema, self._pointer = schema, pointer

    def condition(self, part: Condition) -> Condition:
        match part:
            case All(parts, at) | Some(parts, at):
                return type(part)(tuple(map(self.condition, parts)), at)
            case Not(inner, at):
                return Not(self.condition(inner), at)
            case Compare():
                return self._compared(part)
            case Among():
                return self._among(part)
            case Has(field):
                self.kind(field)
            case Truth(value, at):
                self._flag(value, at)
        return part

    def kind(self, value: Value) -> Kind:
        match value:
            case Constant(_, kind):
                return kind
            case Now():
                return "time"
            case Shift():
                return self._shifted(value)
            case Field(name, at):
                return self._field(name, at)

    def refuse(self, what: str, at: int) -> NoReturn:
        raise refused(what, at, self._pointer)

    def _flag(self, value: Value, at: int) -> None:
        if self.kind(value) not in {"flag", "any"}:
            self.refuse(f"{_told(value)} is {self._said(value)}, no condition", at)

    def _field(self, name: str, at: int) -> Kind:
        if name.startswith(VISITOR):
            return "any"
        kind = self._schema.get(name) or self._schema.get(name.removeprefix("item."))
        if kind is not None:
            return kind
        near = get_close_matches(name, self._schema, 3, 0.6) or sorted(self._schema)[:12]
        return self.refuse(f"there is no field {name}; there are {', '.join(near)} …", at)

    def _shifted(self, value: Shift) -> Kind:
        kinds = self.kind(value.left), self.kind(value.right)
        match kinds:
            case ("time", "time") if value.sign < 0:
                return "number"
            case ("time", "number" | "any"):
                return "time"
            case ("number", "number"):
                return "number"
            case ("any", _) | (_, "any"):
                return "any"
        what = "adds to" if value.sign > 0 else "subtracts from"
        return self.refuse(f"nothing {what} {self._said(value.left)} this way", value.at)

    def _compared(self, part: Compare) -> Compare:
        left, right = self._fitted(part.left, part.right), self._fitted(part.right, part.left)
        one, other = self.kind(left), self.kind(right)
        if "texts" in (one, other):
            field = left if one == "texts" else right
            self.refuse(f'{_told(field)} is a list: write "x" in {_told(field)}', part.at)
        if one != other and "any" not in (one, other):
            told = f"{_told(left)} is {self._said(left)} and {_told(right)} {self._said(right)}"
            self.refuse(f"{told}: these do not compare", part.at)
        if part.operator not in {"==", "!="} and not {one, other} <= ORDERED:
            self.refuse(f"{part.operator} compares numbers and times only", part.at)
        if one == other == "text" and isinstance(left, Field) and isinstance(right, Field):
            self.refuse("compare a text field with a text in quotes or a visitor's value", part.at)
        return Compare(part.operator, left, right, part.at)

    def _fitted(self, value: Value, beside: Value) -> Value:
        return self._meant(value, beside) if isinstance(value, Constant) else value

    def _meant(self, value: Constant, beside: Value) -> Constant:
        """Take a text beside a time for a date, and one beside a country for its code."""
        if value.kind != "text":
            return value
        if self.kind(beside) == "time":
            return self._date(value)
        return _country(value) if _is_country(beside) else value

    def _date(self, value: Constant) -> Constant:
        try:
            return Constant(seconds(str(value.value)), "time", value.at)
        except (ValueError, OverflowError):
            return self.refuse("a time is wanted here, like 2026-01-31", value.at)

    def _among(self, part: Among) -> Among:
        left = self.kind(part.left)
        if isinstance(part.right, Field):
            right = self.kind(part.right)
            if right not in {"texts", "any"}:
                self.refuse(f"{part.right.name} is {_NAMES[right]}, not a list", part.right.at)
            if left not in {"text", "any"}:
                self.refuse(f"{_told(part.left)} is {_NAMES[left]}, and lists hold texts", part.at)
            if isinstance(part.left, Field) and left == "text":
                self.refuse("a text in quotes or a visitor's value stands before `in`", part.at)
            return part
        wanted: Kind = "text" if left == "texts" else left
        values = tuple(self._meant(each, part.left) for each in part.right.values)
        for each in values:
            if wanted not in {"any", each.kind}:
                self.refuse(
                    f"{_told(part.left)} is {_NAMES[left]}, this is {_NAMES[each.kind]}", each.at
                )
        return Among(part.left, Listed(values, part.right.at), part.at)

    def _said(self, value: Value) -> str:
        return _NAMES[self.kind(value)]


_NAMES: dict[Kind, str] = {
    "number": "a number",
    "time": "a time",
    "flag": "true or false",
    "text": "a text",
    "texts": "a list of texts",
    "any": "a visitor's value",
}


def _is_country(value: Value) -> bool:
    return isinstance(value, Field) and value.name == COUNTRY


def _country(value: Constant) -> Constant:
    return Constant(str(value.value).upper(), value.kind, value.at)


def _told(value: Value) -> str:
    match value:
        case Field(name):
            return name
        case Constant(given):
            return repr(given)
        case Now():
            return "now"
        case _:
            return "the sum"
