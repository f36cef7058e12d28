"""Items and users as the outside writes them: strict, and every problem told at once."""

from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec

from palate.catalog.fields import (
    Fields,
    either,
    flag,
    free,
    identifier,
    moment,
    rfc3339,
    text,
    texts,
    vector,
    whole,
)
from palate.catalog.item import Item
from palate.catalog.user import User
from palate.errors import BadInput, Problem

T = TypeVar("T")
_UNBOUNDED = msgspec.json.Decoder(float_hook=float)

ITEM = Fields(
    "an item",
    {
        "item_id": identifier,
        "kind": text,
        "title": text,
        "text": text,
        "categories": texts,
        "tags": texts,
        "creator_id": either(identifier, ""),
        "published_at": either(moment, None),
        "expires_at": either(moment, None),
        "hidden": either(flag, empty=False),
        "regions": texts,
        "min_age": either(whole(0, 255), 0),
        "attributes": free,
        "embedding": vector,
    },
    ("item_id",),
)
USER = Fields(
    "a user",
    {
        "user_id": identifier,
        "country": text,
        "language": text,
        "birth_year": either(whole(1850, 2200), None),
        "follows": texts,
        "likes": texts,
        "attributes": free,
    },
    ("user_id",),
)


def items(raw: bytes | Sequence[object], pointer: str = "/items") -> list[Item]:
    """Decode ``{"items": […]}``, ``[…]`` or parsed documents; BadInput lists all problems."""
    found, problems = read_items(raw, pointer)
    return _all_good(found, problems, "item")


def users(raw: bytes | Sequence[object], pointer: str = "/users") -> list[User]:
    """As `items`, for users."""
    found, problems = read_users(raw, pointer)
    return _all_good(found, problems, "user")


def read_items(
    raw: bytes | Sequence[object], pointer: str = "/items"
) -> tuple[list[Item | None], list[Problem]]:
    """One answer per document, None where it is wrong, and everything that is wrong."""
    problems: list[Problem] = []
    documents = listed(raw, "items")
    return [_item(d, f"{pointer}/{n}", problems) for n, d in enumerate(documents)], problems


def read_users(
    raw: bytes | Sequence[object], pointer: str = "/users"
) -> tuple[list[User | None], list[Problem]]:
    """As `read_items`, for users."""
    problems: list[Problem] = []
    documents = listed(raw, "users")
    return [_user(d, f"{pointer}/{n}", problems) for n, d in enumerate(documents)], problems


def item(raw: bytes | dict[str, Any], item_id: str) -> Item:
    """The document of ``PUT /v1/items/{item_id}``; the id in it may be left out."""
    problems: list[Problem] = []
    found = _item(_addressed(raw, "item_id", item_id), "", problems)
    return _all_good([found], problems, "item")[0]


def user(raw: bytes | dict[str, Any], user_id: str) -> User:
    """The document of ``PUT /v1/users/{user_id}``; the id in it may be left out."""
    problems: list[Problem] = []
    found = _user(_addressed(raw, "user_id", user_id), "", problems)
    return _all_good([found], problems, "user")[0]


def patched(held: Item, raw: bytes | dict[str, Any]) -> Item:
    """`held` with the fields given replaced; attributes are merged, a null one is dropped."""
    problems: list[Problem] = []
    fields = ITEM.read(_addressed(raw, "item_id", held.item_id), "", problems)
    _all_good([], problems, "item")
    return msgspec.structs.replace(held, **_merged(held.attributes, fields))


def patched_user(held: User, raw: bytes | dict[str, Any]) -> User:
    """As `patched`, for a user."""
    problems: list[Problem] = []
    fields = USER.read(_addressed(raw, "user_id", held.user_id), "", problems)
    _all_good([], problems, "user")
    return msgspec.structs.replace(held, **_merged(held.attributes, fields))


def encode(each: Item) -> dict[str, Any]:
    """An item's public form: times as RFC 3339, lists as lists, nothing left out."""
    document: dict[str, Any] = msgspec.to_builtins(each)
    for name in ("published_at", "expires_at"):
        if document[name] is not None:
            document[name] = rfc3339(document[name])
    return document


def encode_user(each: User) -> dict[str, Any]:
    """A user's public form."""
    document: dict[str, Any] = msgspec.to_builtins(each)
    return document


def listed(raw: bytes | Sequence[object], name: str) -> Sequence[object]:
    """The documents of a body: a list, or an object that holds the list under `name`."""
    body = parsed(raw) if isinstance(raw, bytes | bytearray) else raw
    if isinstance(body, dict):
        strange = [key for key in body if key != name]
        if strange or name not in body:
            raise _refused("", f'the body is {{"{name}": […]}}, with no other field')
        body = body[name]
    if not isinstance(body, list | tuple):
        raise _refused(f"/{name}", f'a list is wanted; write {{"{name}": […]}}')
    return body


def parsed(raw: bytes | bytearray) -> Any:
    """JSON, or BadInput that says at which byte it goes wrong.

    A number beyond all bounds (1e999) is infinite: the field that takes it says what is wrong.
    """
    try:
        return _read(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _refused("", f"the body is not JSON: {error}") from error


def _read(raw: bytes | bytearray) -> Any:
    try:
        return msgspec.json.decode(raw)
    except msgspec.ValidationError:  # what comes behind such a number may be no JSON at all
        return _UNBOUNDED.decode(raw)


def _refused(pointer: str, problem: str) -> BadInput:
    return BadInput(problem, [Problem(pointer, problem)])


def _item(document: object, pointer: str, problems: list[Problem]) -> Item | None:
    before = len(problems)
    fields = ITEM.read(document, pointer, problems)
    return Item(**fields) if len(problems) == before else None


def _user(document: object, pointer: str, problems: list[Problem]) -> User | None:
    before = len(problems)
    fields = USER.read(document, pointer, problems)
    return User(**fields) if len(problems) == before else None


def _addressed(raw: bytes | dict[str, Any], name: str, given: str) -> dict[str, Any]:
    document = parsed(raw) if isinstance(raw, bytes | bytearray) else raw
    if not isinstance(document, dict):
        raise _refused("", "the body is one JSON object")
    if document.get(name, given) != given:
        raise _refused(f"/{name}", f"the address says {given!r}; leave {name} out or make it equal")
    return document | {name: given}


def _merged(held: dict[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    if "attributes" in fields:
        both = held | fields["attributes"]
        fields["attributes"] = {name: value for name, value in both.items() if value is not None}
    return fields


def _all_good(found: Sequence[T | None], problems: Sequence[Problem], what: str) -> list[T]:
    if problems:
        raise BadInput.of(problems, f"{what} refused at ")
    return [each for each in found if each is not None]
