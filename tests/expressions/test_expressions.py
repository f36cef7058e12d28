"""The filter language: what it understands, what it refuses, and that columns agree with rows."""

import operator
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palate.arrays import Doubles, Mask
from palate.errors import BadInput
from palate.expressions.check import MOST, checked
from palate.expressions.mask import Codes, Scope, mask
from palate.expressions.parse import DEEPEST, LONGEST, parse
from palate.expressions.tree import Kind, fields

NOW = 1_700_000_000.0
SCHEMA: dict[str, Kind] = {
    "year": "number", "score": "number", "published_at": "time", "hot": "flag", "kind": "text",
    "categories": "texts",
}  # fmt: skip
ITEMS: list[dict[str, Any]] = [
    {"year": 1999, "score": 4.5, "published_at": NOW - 86_400, "hot": True, "kind": "film",
     "categories": ["drama", "war"]},
    {"year": 2001, "hot": False, "kind": "series", "categories": ["drama"]},
    {"score": 1.0, "published_at": NOW - 30 * 86_400, "categories": []},
    {"year": 2001, "score": -1.0, "kind": "film", "categories": ["comedy"], "hot": True},
]  # fmt: skip
VISITOR = {"user.country": "DE", "user.age": 30, "context.kinds": ["film"], "context.dark": True}


class Table:
    """Items as columns."""

    def __init__(self, items: Sequence[Mapping[str, Any]]) -> None:
        self._items = items
        told = sorted({t for i in items for n in ("kind", "categories") for t in _texts(i.get(n))})
        self._codes = {text: code for code, text in enumerate(told)}

    def kind(self, name: str) -> Kind:
        return SCHEMA[name]

    def numbers(self, name: str) -> Doubles:
        return np.array([float(each.get(name, np.nan)) for each in self._items])

    def codes(self, name: str) -> Codes:
        if name == "kind":
            return np.array([self._codes.get(each.get(name, ""), -1) for each in self._items])
        found = np.full((len(self._items), 2), -1)
        for at, each in enumerate(self._items):
            for place, text in enumerate(each.get(name, [])):
                found[at, place] = self._codes[text]
        return found

    def code(self, name: str, text: str) -> int:
        return self._codes.get(text, -1)

    def longer(self, name: str, texts: Sequence[str]) -> Mask:
        return np.zeros(len(self._items), np.bool_)


def _texts(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or [])


def chosen(text: str) -> list[int]:
    condition = checked(text, SCHEMA)
    return np.flatnonzero(mask(condition, Table(ITEMS), Scope(NOW, VISITOR), len(ITEMS))).tolist()


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("year >= 2000", [1, 3]),
        ("1999 <= year < 2001", [0]),
        ("not year >= 2000", [0, 2]),
        ("has(year) and not year >= 2000", [0]),
        ("year != 2001", [0]),
        ("score < -0.5 or score > 4", [0, 3]),
        ("hot", [0, 3]),
        ("hot == false", [1]),
        ('kind == "film"', [0, 3]),
        ('"film" == kind', [0, 3]),
        ('kind != "film"', [1]),
        ('kind == "nothing such"', []),
        ('"drama" in categories', [0, 1]),
        ('"drama" not in categories', [2, 3]),
        ('categories in ["war", "comedy"]', [0, 3]),
        ("has(categories)", [0, 1, 3]),
        ('kind in ["film", "series"] and year in [2001, 2002]', [1, 3]),
        ("published_at > now - days(7)", [0]),
        ("now - published_at > hours(48)", [2]),
        (f'published_at >= "{"2023-11-13T00:00:00Z"}"', [0]),
        ('published_at < date("2023-11-01")', [2]),
        ("year + 1 == 2002", [1, 3]),
        ('user.country == "DE" and hot', [0, 3]),
        ('user.country == "FR"', []),
        ("user.nothing == 3", []),
        ("not has(user.nothing)", [0, 1, 2, 3]),
        ("kind in context.kinds", "refused"),
        ('"film" in context.kinds', [0, 1, 2, 3]),
        ('user.country in ["DE", "AT"]', [0, 1, 2, 3]),
        ("context.dark and user.age >= 18", [0, 1, 2, 3]),
        ('user.age == "thirty"', []),
        ("true", [0, 1, 2, 3]),
        ("(\n year > 2000 )", [1, 3]),
        ("item.year > 2000", [1, 3]),
    ],
)
def test_a_condition_chooses_items(text: str, rows: list[int] | str) -> None:
    if rows == "refused":
        with pytest.raises(BadInput):
            chosen(text)
    else:
        assert chosen(text) == rows


@pytest.mark.parametrize(
    ("text", "character", "says"),
    [
        ("", 1, "it is empty"),
        ("year = 3", 6, "written =="),
        ("hot AND hot", 5, "small letters"),
        ("yaer > 2000", 1, "there is no field yaer; there are year"),
        ("hot and yaer > 2000", 9, "there is no field yaer"),
        ('year == "x"', 1, "do not compare"),
        ('kind > "a"', 1, "compares numbers and times only"),
        ('categories == "a"', 1, 'write "x" in categories'),
        ("3 in categories", 1, "lists hold texts"),
        ('"a" in kind', 8, "kind is a text, not a list"),
        ('year in [1, "b"]', 13, "this is a text"),
        ("year", 1, "no condition"),
        ("published_at > 3", 1, "do not compare"),
        ('published_at > "soon"', 16, "a time is wanted"),
        ('  "ü" == kind and __import__("os")', 19, "no condition"),
        ("exec('x') == 3", 1, "no other calls"),
        ("date('x') < now", 6, "a date is written"),
        ("x if y else z", 1, "no condition"),
        ("x == 1e999", 6, "a number"),
        ("x == null.a.b", 6, "a field's name"),
        ("has(3)", 5, "a field's name"),
        ("now + now > 3", 1, "nothing adds to a time"),
        ("(" * 300, 201, "not understood"),
        ("not " * (DEEPEST + 2) + "hot", 4 * DEEPEST + 5, "parts within parts"),
        ("x" * (LONGEST + 1), LONGEST + 1, "more than"),
        (" or ".join(["hot"] * (MOST + 1)), 7 * MOST + 1, "more than 100"),
        ("year in [" + "1," * 1_001 + "]", 9, "more than"),
    ],
)
def test_what_is_wrong_is_told_at_its_character(text: str, character: int, says: str) -> None:
    with pytest.raises(BadInput) as told:
        checked(text, SCHEMA)
    assert says in told.value.detail
    assert told.value.problems[0].pointer == f"/filter:{character}"


NUMBERS = st.sampled_from(
    ["year", "score", "1999", "2001", "0", "year + 1", "user.age", "3 - score"]
)
TEXTS = st.sampled_from(['"film"', '"series"', '"drama"', '"none"', "user.country"])
SIMPLE = st.one_of(
    st.tuples(NUMBERS, st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), NUMBERS).map(" ".join),
    st.tuples(st.sampled_from(["kind == ", "kind != "]), TEXTS).map("".join),
    st.tuples(TEXTS, st.sampled_from([" in ", " not in "]), st.just("categories")).map("".join),
    st.sampled_from(
        ["hot", "has(year)", "has(kind)", "true", 'kind in ["film", "x"]', "context.dark"]
    ),
)
CONDITIONS = st.recursive(
    SIMPLE,
    lambda inner: st.one_of(
        inner.map("not ({})".format),
        st.tuples(inner, inner).map(lambda two: f"({two[0]}) and ({two[1]})"),
        st.tuples(inner, inner).map(lambda two: f"({two[0]}) or ({two[1]})"),
    ),
    max_leaves=8,
)


ANYTHING = st.text() | st.text("()[]<>=!'\"., andorinthas0123456789+-*kindyear\n")


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """A condition with a piece of it taken out, doubled, or replaced."""
    text, piece = draw(CONDITIONS), draw(ANYTHING)
    at = draw(st.integers(0, len(text)))
    until = draw(st.integers(at, min(len(text), at + 8)))
    return text[:at] + draw(st.sampled_from(["", piece, 2 * text[at:until]])) + text[until:]


@settings(max_examples=300)
@given(ANYTHING | damaged())
def test_no_text_does_more_than_be_refused_at_one_of_its_characters(text: str) -> None:
    try:
        condition = checked(text, SCHEMA)
    except BadInput as refused:
        [problem] = refused.problems
        at = int(problem.pointer.removeprefix("/filter:"))
        assert 1 <= at <= len(text) + 1
    else:
        assert mask(condition, Table(ITEMS), Scope(NOW, VISITOR), len(ITEMS)).shape == (len(ITEMS),)


@given(CONDITIONS, st.lists(st.sampled_from(ITEMS), min_size=1, max_size=6))
def test_columns_agree_with_python_row_by_row(text: str, items: list[dict[str, Any]]) -> None:
    """Each row's own values, in Python's own words; a missing value makes a comparison false."""
    condition = checked(text, SCHEMA)
    found = mask(condition, Table(items), Scope(NOW, VISITOR), len(items))
    assert found.tolist() == [row_by_row(condition, each) for each in items]


COMPARED = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt,
    "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


def row_by_row(part: Any, item: Mapping[str, Any]) -> bool:
    match type(part).__name__:
        case "All":
            found = all(row_by_row(each, item) for each in part.parts)
        case "Some":
            found = any(row_by_row(each, item) for each in part.parts)
        case "Not":
            found = not row_by_row(part.part, item)
        case "Has":
            found = value_of(part.field, item) is not None
        case "Truth":
            found = value_of(part.value, item) is True
        case "Among":
            found = among(value_of(part.left, item), part.right, item)
        case _:
            left, right = value_of(part.left, item), value_of(part.right, item)
            there = left is not None and right is not None
            found = there and bool(COMPARED[part.operator](left, right))
    return found


def among(value: Any, right: Any, item: Mapping[str, Any]) -> bool:
    if type(right).__name__ == "Field":
        return value in (item.get(right.name) or [])
    return value is not None and value in [each.value for each in right.values]


def value_of(value: Any, item: Mapping[str, Any]) -> Any:
    if type(value).__name__ == "Constant":
        return value.value
    if type(value).__name__ == "Shift":
        left, right = value_of(value.left, item), value_of(value.right, item)
        there = left is not None and right is not None
        return float(left) + value.sign * float(right) if there else None
    found = VISITOR.get(value.name, item.get(value.name))
    return float(found) if isinstance(found, int) and not isinstance(found, bool) else found


def test_the_fields_of_a_condition_are_told_in_order() -> None:
    condition = parse('a > b + 1 and not ("x" in c or has(d)) and e')
    assert [each.name for each in fields(condition)] == ["a", "b", "c", "d", "e"]


def test_a_strange_filter_is_refused_without_a_word_to_the_log() -> None:
    told = """
from palate.errors import BadInput
from palate.expressions.parse import parse
try:
    parse("year > 1if hd")
except BadInput:
    print("refused")
"""
    command = [sys.executable, "-W", "default", "-c", told]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("refused\n", "")
