"""Evaluates a condition over whole columns: one answer per item row."""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Doubles, Mask
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
    Operator,
    Shift,
    Truth,
    Value,
    kind_of,
)

MINUTE = 60.0
"""`now` is the last full minute, so that an answer can be kept for a while."""
Codes: TypeAlias = NDArray[np.integer[Any]]
Answer: TypeAlias = Mask | np.bool_ | bool
"""One per row, or one for all of them."""
COMPARED: Mapping[Operator, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
NUMERIC = frozenset({"number", "time", "flag"})


class Columns(Protocol):
    """Item fields as arrays over item rows."""

    def kind(self, name: str) -> Kind: ...

    def numbers(self, name: str) -> Doubles:
        """(n,): numbers, times, and flags as 0 and 1; NaN where missing."""
        ...

    def codes(self, name: str) -> Codes:
        """(n,) for a text, (n, w) for a list; below 0 where missing."""
        ...

    def longer(self, name: str, texts: Sequence[str]) -> Mask:
        """(n,): whether a list holds one of the texts beyond what `codes` gives of it."""
        ...

    def code(self, name: str, text: str) -> int:
        """The code of a text in a field; -1 where no item has it."""
        ...


@dataclass(frozen=True, slots=True)
class Scope:
    """What a request brings: its time, and ``user.*`` and ``context.*`` by name."""

    now: float
    values: Mapping[str, Any]


def mask(condition: Condition, columns: Columns, scope: Scope, size: int) -> Mask:
    """(size,): True where the condition holds. A comparison with a missing value is false."""
    found = _Evaluator(columns, scope, size).condition(condition)
    return np.array(np.broadcast_to(np.asarray(found, np.bool_), (size,)))


@dataclass(frozen=True, slots=True)
class _Side:
    """A value: a column, or what is the same for every row."""

    kind: Kind
    data: Any
    column: str = ""


_MISSING = _Side("any", None)


class _Evaluator:
    def __init__(self, columns: Columns, scope: Scope, size: int) -> None:
        self._columns, self._scope, self._size = columns, scope, size

    def condition(self, part: Condition) -> Answer:
        match part:
            case Not(inner):
                return np.logical_not(self.condition(inner))
            case Has(field):
                return self._has(self._side(field))
            case Truth(value):
                return self._true(self._side(value))
            case Compare(name, left, right):
                return self._compared(name, self._side(left), self._side(right))
            case Among(left, right):
                return self._among(self._side(left), right)
        join = np.logical_and if isinstance(part, All) else np.logical_or
        found = self.condition(part.parts[0])
        for each in part.parts[1:]:
            found = join(found, self.condition(each))
        return found

    def _side(self, value: Value) -> _Side:
        match value:
            case Constant(given, kind):
                return _Side(kind, float(given) if kind in NUMERIC else given)
            case Now():
                return _Side("time", self._scope.now // MINUTE * MINUTE)
            case Shift(left, right, sign):
                return self._shifted(self._side(left), self._side(right), sign)
            case Field(name):
                return self._field(name)

    def _field(self, name: str) -> _Side:
        if name.startswith(VISITOR):
            return _given(self._scope.values.get(name))
        name = name.removeprefix("item.")
        kind = self._columns.kind(name)
        if kind in NUMERIC:
            return _Side(kind, self._columns.numbers(name)[: self._size])
        return _Side(kind, self._columns.codes(name)[: self._size], name)

    def _shifted(self, left: _Side, right: _Side, sign: int) -> _Side:
        if left.kind not in NUMERIC or right.kind not in NUMERIC:
            return _MISSING
        kind: Kind = "time" if (left.kind == "time") != (right.kind == "time") else "number"
        return _Side(kind, left.data + sign * right.data)

    def _has(self, side: _Side) -> Answer:
        if side.data is None:
            return False
        if side.kind in NUMERIC:
            return ~np.isnan(np.asarray(side.data, np.float64))
        if not side.column:
            return len(side.data) > 0
        return _any(side.data >= 0)

    def _true(self, side: _Side) -> Answer:
        return np.asarray(side.data == 1.0) if side.kind == "flag" else False

    def _compared(self, name: Operator, left: _Side, right: _Side) -> Answer:
        if left.kind != right.kind or left.data is None:
            return False
        if left.kind in NUMERIC:
            found = np.asarray(COMPARED[name](left.data, right.data), np.bool_)
            if name == "!=":
                found &= ~(np.isnan(left.data) | np.isnan(right.data))
            return found
        if left.kind != "text" or name not in {"==", "!="}:
            return False
        return self._same_text(left, right) if name == "==" else self._other_text(left, right)

    def _same_text(self, left: _Side, right: _Side) -> Answer:
        column, text = (left, right) if left.column else (right, left)
        if not column.column:
            return bool(left.data == right.data)
        code = self._columns.code(column.column, text.data)
        return np.asarray(column.data == code) if code >= 0 else False

    def _other_text(self, left: _Side, right: _Side) -> Answer:
        both = np.logical_and(self._has(left), self._has(right))
        return np.logical_and(both, np.logical_not(self._same_text(left, right)))

    def _among(self, left: _Side, right: Listed | Field) -> Answer:
        if isinstance(right, Field):
            side = self._field(right.name)
            if left.kind != "text" or left.column or side.kind != "texts":
                return False
            return self._holds(side, [left.data])
        values = [v.value for v in right.values if v.kind == _element(left.kind)]
        if left.kind in NUMERIC:
            return np.isin(left.data, np.array(values, np.float64))
        if left.kind in {"text", "texts"} and left.data is not None:
            return self._holds(left, values)
        return False

    def _holds(self, side: _Side, texts: Sequence[Any]) -> Answer:
        """At least one of the texts is there."""
        if not side.column:
            held = {side.data} if side.kind == "text" else set(side.data)
            return not held.isdisjoint(texts)
        codes = [code for text in texts if (code := self._columns.code(side.column, text)) >= 0]
        found = _any(np.isin(side.data, codes)) if codes else False
        if side.kind != "texts":
            return found
        return np.logical_or(found, self._columns.longer(side.column, texts)[: self._size])


def _given(value: Any) -> _Side:
    """A value that came with the request."""
    kind = kind_of(value)
    if kind is None:
        return _MISSING
    if kind in NUMERIC:
        return _Side(kind, float(value))
    return _Side(kind, value if kind == "text" else tuple(value))


def _element(kind: Kind) -> Kind:
    return "text" if kind == "texts" else kind


def _any(found: Mask) -> Mask:
    """A list's answer where it has several places."""
    return np.asarray(found.any(axis=1) if found.ndim > 1 else found)
