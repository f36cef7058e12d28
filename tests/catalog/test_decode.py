import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palate.catalog import decode
from palate.catalog.fields import EARLIEST, LATEST, moment, rfc3339
from palate.catalog.item import Item
from palate.catalog.user import User
from palate.errors import BadInput, Problem

DOCUMENT = {
    "item_id": "i", "kind": "film", "title": "T", "text": "x", "categories": ["a", "b", "a"],
    "tags": [], "creator_id": "c", "published_at": "1999-03-31T00:00:00Z",
    "expires_at": 1_795_435_200_000, "hidden": True, "regions": ["DE"], "min_age": 12,
    "attributes": {"year": 1999, "cast": ["k", 1, None, True]}, "embedding": [1, 0.5],
}  # fmt: skip
ITEM = Item(
    item_id="i", kind="film", title="T", text="x", categories=("a", "b"), creator_id="c",
    published_at=922_838_400.0, expires_at=1_795_435_200.0, hidden=True, regions=("DE",),
    min_age=12, attributes={"year": 1999, "cast": ["k", 1, None, True]}, embedding=(1.0, 0.5),
)  # fmt: skip


def problems(call: Any, *arguments: Any) -> dict[str, str]:
    with pytest.raises(BadInput) as refused:
        call(*arguments)
    assert refused.value.problems
    return {each.pointer: each.problem for each in refused.value.problems}


@pytest.mark.parametrize("wrap", [lambda d: d, lambda d: {"items": d}])
def test_items_are_read_from_a_list_or_from_an_object_around_it(wrap: Any) -> None:
    raw = json.dumps(wrap([DOCUMENT, {"item_id": "bare"}])).encode()
    assert decode.items(raw) == [ITEM, Item(item_id="bare")]


def test_null_is_as_good_as_absent() -> None:
    document = dict.fromkeys(DOCUMENT) | {"item_id": "i"}
    assert decode.items([document]) == [Item(item_id="i")]


def test_an_item_writes_as_it_reads() -> None:
    public = decode.encode(ITEM)
    assert public["published_at"] == "1999-03-31T00:00:00Z"
    assert decode.items(json.dumps([public]).encode()) == [ITEM]


def test_users_read_and_write() -> None:
    document = {
        "user_id": "u", "country": "DE", "language": "de", "birth_year": 1980,
        "follows": ["c"], "likes": [], "attributes": {"gender": "F"},
    }  # fmt: skip
    (user,) = decode.users({"users": [document]})  # type: ignore[arg-type]
    assert user == User(
        user_id="u", country="DE", language="de", birth_year=1980, follows=("c",),
        attributes={"gender": "F"},
    )  # fmt: skip
    assert decode.users([decode.encode_user(user)]) == [user]


@pytest.mark.parametrize(
    ("change", "pointer", "problem"),
    [
        ({"item_id": ""}, "/item_id", "must not be empty"),
        ({"item_id": None}, "/item_id", "an id is a string, not null"),
        ({"titel": "x"}, "/titel", "unknown field 'titel' of an item; did you mean 'title'?"),
        ({"title": 3}, "/title", "a string is wanted, not a number"),
        ({"categories": "Drama"}, "/categories", "a list of strings is wanted, not a string"),
        ({"categories": ["a", 1]}, "/categories", "must be a non-empty string"),
        ({"tags": [""]}, "/tags", "must be a non-empty string"),
        ({"hidden": "yes"}, "/hidden", "true or false is wanted, not a string"),
        ({"hidden": 1}, "/hidden", "true or false is wanted, not a number"),
        ({"min_age": 256}, "/min_age", "from 0 to 255 is wanted, not 256"),
        ({"min_age": float("inf")}, "/min_age", "whole number"),
        ({"published_at": "31.03.1999"}, "/published_at", "is not a time"),
        ({"attributes": [1]}, "/attributes", "an object is wanted, not a list"),
        ({"attributes": {"x": float("nan")}}, "/attributes", "must be finite"),
        ({"attributes": {"\ud800": 1}}, "/attributes", "not Unicode"),
        ({"embedding": [1, "2"]}, "/embedding", "a number is wanted, not a string"),
        ({"embedding": [float("inf")]}, "/embedding", "a finite number is wanted"),
        ({"embedding": [0.5, float("nan")]}, "/embedding", "a finite number is wanted"),
        ({"embedding": [0] * 16_385}, "/embedding", "a vector has at most 16384"),
    ],
)
def test_what_is_wrong_is_named_with_its_cure(
    change: dict[str, Any], pointer: str, problem: str
) -> None:
    found = problems(decode.items, [{"item_id": "a"}, {"item_id": "b"} | change])
    assert list(found) == [f"/items/1{pointer}"]
    assert problem in found[f"/items/1{pointer}"]


def test_too_deep_attributes_are_refused() -> None:
    deep: Any = 1
    for _ in range(9):
        deep = [deep]
    assert (
        "nested too deep" in problems(decode.item, {"attributes": {"x": deep}}, "i")["/attributes"]
    )
    assert decode.item({"attributes": {"x": deep[0][0]}}, "i")


def test_all_problems_are_told_and_the_first_three_in_words() -> None:
    with pytest.raises(BadInput, match=r"item refused at /items/0/title: .*; and 2 more$") as bad:
        decode.items([{"title": 1, "tags": 2}, {"title": 3}])
    assert [p.pointer for p in bad.value.problems] == [
        "/items/0/title",
        "/items/0/tags",
        "/items/0/item_id",
        "/items/1/title",
        "/items/1/item_id",
    ]


def test_the_good_ones_can_be_had_beside_the_problems() -> None:
    found, wrong = decode.read_items([{"item_id": "a"}, 5, {"item_id": "b"}])
    assert [item and item.item_id for item in found] == ["a", None, "b"]
    assert wrong == [Problem("/items/1", "an item is an object, not a number")]


@pytest.mark.parametrize("raw", [b"{", b"3", b'{"things": []}', b'{"items": {}}', b"\xc3"])
def test_a_body_that_is_no_list_is_refused(raw: bytes) -> None:
    problems(decode.items, raw)


def test_the_address_names_the_item() -> None:
    assert decode.item(b'{"title": "x"}', "a/b") == Item(item_id="a/b", title="x")
    assert decode.item(b'{"item_id": "i"}', "i") == Item(item_id="i")
    assert "the address says 'i'" in problems(decode.item, b'{"item_id": "j"}', "i")["/item_id"]
    assert list(problems(decode.item, b"{}", "a\nb")) == ["/item_id"]
    assert list(problems(decode.user, b"[]", "u")) == [""]


def test_a_patch_replaces_what_it_names_and_merges_attributes() -> None:
    held = Item(item_id="i", title="a", tags=("t",), expires_at=1.0, attributes={"x": 1, "y": 2})
    patch = b'{"title": "b", "expires_at": null, "attributes": {"y": null, "z": 3}}'
    assert decode.patched(held, patch) == Item(
        item_id="i", title="b", tags=("t",), attributes={"x": 1, "z": 3}
    )
    assert decode.patched(held, {}) == held
    assert list(problems(decode.patched, held, {"item_id": "other"})) == ["/item_id"]
    assert list(problems(decode.patched, held, {"title": 1})) == ["/title"]


def test_a_user_is_patched_alike() -> None:
    held = User(user_id="u", birth_year=1980, attributes={"a": 1})
    patched = decode.patched_user(held, {"birth_year": None, "attributes": {"b": 2}})
    assert patched == User(user_id="u", attributes={"a": 1, "b": 2})


@given(st.integers(int(EARLIEST * 1000), int(LATEST * 1000)))
def test_a_time_written_reads_back_to_the_millisecond(milliseconds: int) -> None:
    seconds = milliseconds / 1000
    assert moment(rfc3339(seconds)) == pytest.approx(seconds, abs=1e-4)
