"""From text to tree. Python's own parser reads the form, and all but a few forms are refused."""

import ast
import warnings
from datetime import UTC, datetime
from typing import NoReturn, TypeGuard

from palate.errors import BadInput, Problem
from palate.expressions.tree import (
    All,
    Among,
    Compare,
    Condition,
    Constant,
    Field,
    Has,
    Listed,
    Not,
    Now,
    Operator,
    Shift,
    Some,
    Truth,
    Value,
)

LONGEST = 4_000
"""Characters."""
DEEPEST = 40
"""Parts within parts."""
MOST = 1_000
"""Constants in one list."""
LARGEST = 1e300
SPANS = {"minutes": 60.0, "hours": 3_600.0, "days": 86_400.0}
WORDS = {"true": True, "false": False, "True": True, "False": False}
OPERATORS: dict[type[ast.cmpop], Operator] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
}
FORMS = (
    'write conditions like year >= 2000 and "drama" in categories, joined by and, or, not;'
    ' texts in quotes, lists in [ ], has(year), date("2026-01-31"), now - days(7)'
)


# Python warns of "1if": who wrote a filter is told by its answer, and the log is not theirs.
warnings.filterwarnings("ignore", category=SyntaxWarning, module="<unknown>")


def parse(text: str, pointer: str = "/filter") -> Condition:
    """The condition that `text` says. Raises BadInput that points at the character."""
    if len(text) > LONGEST:
        _refuse(f"{len(text):,} characters are more than {LONGEST:,}", LONGEST, pointer)
    flat = "".join(" " if c in "\n\r\t\f\v" else c for c in text)
    try:
        tree = ast.parse(flat.lstrip(), mode="eval").body
    except SyntaxError as error:
        column = error.offset - 1 if error.offset else len(flat.strip())  # 0: it ended too soon
        at = min(column + len(flat) - len(flat.lstrip()), len(text))
        _refuse(_hint(flat, at), at, pointer, error)
    except (ValueError, RecursionError, MemoryError) as error:
        _refuse(f"this cannot be read; {FORMS}", 0, pointer, error)
    return _Reader(flat, pointer).condition(tree, 0)


def _hint(text: str, at: int) -> str:
    if not text.strip():
        return f"it is empty; {FORMS}"
    rest = text[max(at - 1, 0) :].lstrip()
    if rest.startswith("=") and not rest.startswith("=="):
        return "equality is written =="
    if rest[:3].upper() in {"AND", "OR ", "NOT", "IN "} and not rest[:2].islower():
        return "and, or, not, in are written in small letters"
    return f"this is not understood; {FORMS}"


def refused(what: str, at: int, pointer: str) -> BadInput:
    """The error that points at a character."""
    return BadInput(f"filter, character {at + 1}: {what}", [Problem(f"{pointer}:{at + 1}", what)])


def _refuse(what: str, at: int, pointer: str, cause: BaseException | None = None) -> NoReturn:
    raise refused(what, at, pointer) from cause


class _Reader:
    """Turns Python's tree into ours, or refuses."""

    def __init__(self, text: str, pointer: str) -> None:
        self._pointer = pointer
        self._indent = len(text) - len(text.lstrip())
        self._bytes = text.lstrip().encode()

    def condition(self, node: ast.expr, depth: int) -> Condition:
        at = self._at(node)
        if depth > DEEPEST:
            self.refuse(f"more than {DEEPEST} parts within parts", node)
        match node:
            case ast.BoolOp(op=op, values=values):
                parts = tuple(self.condition(each, depth + 1) for each in values)
                return All(parts, at) if isinstance(op, ast.And) else Some(parts, at)
            case ast.UnaryOp(op=ast.Not(), operand=inner):
                return Not(self.condition(inner, depth + 1), at)
            case ast.Compare():
                return self._compared(node, depth)
            case ast.Call(func=ast.Name(id="has"), args=[inner], keywords=[]):
                return Has(self._field(inner), at)
            case ast.Name() | ast.Attribute() | ast.Constant(value=bool()):
                value = self.value(node, depth)
                if isinstance(value, Field | Constant):
                    return Truth(value, at)
            case _:
                pass
        return self.refuse(f"this is no condition; {FORMS}", node)

    def value(self, node: ast.expr, depth: int) -> Value:
        if depth > DEEPEST:
            self.refuse(f"more than {DEEPEST} parts within parts", node)
        match node:
            case ast.Constant() | ast.UnaryOp():
                return self._constant(node)
            case ast.Name() | ast.Attribute():
                return self._named(node)
            case ast.Call(func=ast.Name(id=name), args=[ast.Constant() as only], keywords=[]):
                return self._made(name, only, node)
            case ast.BinOp(left=left, op=ast.Add() | ast.Sub() as op, right=right):
                sides = self.value(left, depth + 1), self.value(right, depth + 1)
                return Shift(*sides, 1 if isinstance(op, ast.Add) else -1, self._at(node))
        return self.refuse(f"this is no value; {FORMS}", node)

    def refuse(self, what: str, node: ast.expr) -> NoReturn:
        _refuse(what, self._at(node), self._pointer)

    def _at(self, node: ast.expr) -> int:
        """The character at which a part begins; Python counts bytes."""
        return self._indent + len(self._bytes[: node.col_offset].decode(errors="ignore"))

    def _compared(self, node: ast.Compare, depth: int) -> Condition:
        sides = [node.left, *node.comparators]
        parts = tuple(
            self._pair(left, op, right, depth + 1)
            for left, op, right in zip(sides, node.ops, sides[1:], strict=False)
        )
        return parts[0] if len(parts) == 1 else All(parts, self._at(node))

    def _pair(self, left: ast.expr, op: ast.cmpop, right: ast.expr, depth: int) -> Condition:
        at, first = self._at(left), self.value(left, depth)
        if isinstance(op, ast.In | ast.NotIn):
            among = Among(first, self._many(right), at)
            return Not(among, at) if isinstance(op, ast.NotIn) else among
        if type(op) not in OPERATORS:
            self.refuse("compare with ==, !=, <, <=, >, >=, in", right)
        return Compare(OPERATORS[type(op)], first, self.value(right, depth), at)

    def _many(self, node: ast.expr) -> Listed | Field:
        if not isinstance(node, ast.List | ast.Tuple):
            return self._field(node)
        if len(node.elts) > MOST:
            self.refuse(f"{len(node.elts):,} values are more than {MOST:,}", node)
        values = []
        for each in node.elts:
            value = self.value(each, 0)
            if not isinstance(value, Constant):
                self.refuse("a list holds constants only", each)
            values.append(value)
        return Listed(tuple(values), self._at(node))

    def _field(self, node: ast.expr) -> Field:
        match node:
            case ast.Name(id=name):
                return Field(name, self._at(node))
            case ast.Attribute(value=ast.Name(id=owner), attr=name):
                return Field(f"{owner}.{name}", self._at(node))
        return self.refuse("a field's name is wanted here, like year or user.country", node)

    def _named(self, node: ast.expr) -> Value:
        match node:
            case ast.Name(id="now"):
                return Now(self._at(node))
            case ast.Name(id=word) if word in WORDS:
                return Constant(WORDS[word], "flag", self._at(node))
        return self._field(node)

    def _constant(self, node: ast.expr) -> Constant:
        at = self._at(node)
        match node:
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=value)) if _is_number(value):
                return Constant(-float(value), "number", at)
            case ast.Constant(value=bool() as value):
                return Constant(value, "flag", at)
            case ast.Constant(value=str() as value):
                return Constant(value, "text", at)
            case ast.Constant(value=value) if _is_number(value):
                return Constant(float(value), "number", at)
        return self.refuse("a number, a text in quotes, true or false is wanted here", node)

    def _made(self, name: str, given: ast.Constant, node: ast.expr) -> Constant:
        """``date("2026-01-31")`` and spans of time."""
        if name == "date" and isinstance(given.value, str):
            try:
                return Constant(seconds(given.value), "time", self._at(node))
            except (ValueError, OverflowError):
                self.refuse('a date is written date("2026-01-31") or with a time', given)
        if name in SPANS and _is_number(given.value):
            return Constant(float(given.value) * SPANS[name], "number", self._at(node))
        known = ", ".join(["has(field)", 'date("2026-01-31")', *(f"{s}(7)" for s in SPANS)])
        return self.refuse(f"there are {known} and no other calls", node)


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST


def seconds(text: str) -> float:
    """A date or time in seconds since the epoch; UTC where it names no zone.

    Raises ValueError or OverflowError.
    """
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
