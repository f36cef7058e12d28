"""What a request for a slate may say, in a body or a query string, checked field by field."""

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from palate.catalog.converted import converted_problem
from palate.catalog.decode import parsed
from palate.catalog.fields import Reader, WrongValueError, brief, either, identifier, word
from palate.errors import BadInput, Problem
from palate.serving.bodies import Ask
from palate.serving.observing.spans import PARENT
from palate.serving.visitors import OLDEST
from palate.serving.wording.spoken import SPOKEN, spoken

T = TypeVar("T", bound=msgspec.Struct)
LONGEST = 60_000
"""Milliseconds."""
SEEDED = frozenset({"more_like_this"})
"""Surfaces that are about an item the caller has to name."""
READERS: dict[str, Reader] = {
    "user_id": either(identifier, ""),
    "session_id": either(identifier, ""),
    "item_id": either(identifier, ""),
    "region": word,
    "language": word,
    "context": brief,
}


def asked(raw: bytes, kind: type[T]) -> T:
    """The body of a POST. Raises BadInput that names the field."""
    try:
        return msgspec.convert(parsed(raw), kind)
    except msgspec.ValidationError as error:
        found = converted_problem(error)
        raise BadInput.of([found], "the body is wrong: ") from error


def heard(headers: Mapping[str, str]) -> None:
    """Keep what the headers say of this request: whose trace it belongs to, which languages."""
    PARENT.set(headers.get("traceparent", ""))
    SPOKEN.set(spoken(headers.get("accept-language", "")))


def check(ask: Ask, most: int, at: str = "", seed: str = "item_id") -> None:
    """Raise BadInput with all that is wrong; `at` comes before each field's name.

    The item on screen is called `seed`.
    """
    wrong = [*_ranges(ask, most), *_fields(ask)]
    if wrong:
        called = {"item_id": seed}
        wrong = [
            Problem(f"{at}{called.get(each.pointer, each.pointer)}", each.problem) for each in wrong
        ]
        raise BadInput.of(wrong)


def _ranges(ask: Ask, most: int) -> list[Problem]:
    wrong = []
    if not 1 <= ask.limit <= most:
        wrong.append(Problem("limit", f"{ask.limit} is not between 1 and {most}"))
    if ask.surface in SEEDED and not ask.item_id:
        wrong.append(Problem("item_id", f"{ask.surface} needs the item it is about"))
    if ask.budget_ms is not None and not 1 <= ask.budget_ms <= LONGEST:
        wrong.append(Problem("budget_ms", f"{ask.budget_ms} is not between 1 and {LONGEST}"))
    if ask.age is not None and not 0 <= ask.age <= OLDEST:
        wrong.append(Problem("age", f"{ask.age} is not an age in whole years, 0 to {OLDEST}"))
    return wrong


def _fields(ask: Ask) -> list[Problem]:
    values: list[tuple[str, Reader, Any]] = [
        (name, reader, getattr(ask, name)) for name, reader in READERS.items()
    ]
    values += [(f"exclude/{n}", identifier, each) for n, each in enumerate(ask.exclude)]
    wrong = []
    for name, reader, value in values:
        try:
            reader(value)
        except WrongValueError as error:
            wrong.append(Problem(name, str(error)))
    return wrong
