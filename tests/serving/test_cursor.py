import base64
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from palate.errors import BadInput
from palate.serving.cursor import HEAD, TAIL, VERSION, Cursor, _varints

MANY = 2**31
"""More rows than any token names: a catalogue that has them all."""

rows = st.sets(st.integers(0, 2**31 - 1), max_size=300).map(
    lambda found: np.array(sorted(found), np.int32)
)


tails = st.lists(st.integers(0, 2**31 - 1), max_size=TAIL).map(lambda f: np.array(f, np.int32))


@given(rows, st.integers(0, 10_000), st.integers(-1, 2**31 - 1), tails)
def test_a_cursor_comes_back_as_it_was(
    found: np.ndarray, given_: int, seed_item: int, tail: np.ndarray
) -> None:
    token = Cursor(given_, found, seed_item, tail).encode("home|user:u1|")
    back = Cursor.decode(token, "home|user:u1|", 300, MANY)
    assert (back.given, back.seed_item) == (given_, seed_item)
    assert back.rows.tolist() == found.tolist()
    assert back.tail.tolist() == tail.tolist()
    assert back.rows.dtype == np.int32


def test_a_token_is_url_safe_and_short() -> None:
    token = Cursor(200, np.arange(0, 2000, 10, dtype=np.int32)).encode("home||")
    assert token.replace("-", "").replace("_", "").isalnum()
    assert len(token) < 60


@pytest.mark.parametrize("owner", ["home|user:u2|", "trending|user:u1|", "home|session:u1|"])
def test_another_visitors_or_surfaces_cursor_is_refused(owner: str) -> None:
    token = Cursor(1, np.array([5], np.int32)).encode("home|user:u1|")
    with pytest.raises(BadInput, match="another visitor or surface") as caught:
        Cursor.decode(token, owner, 10, MANY)
    assert caught.value.problems[0].pointer == "cursor"


@given(st.binary(max_size=60))
def test_whatever_is_sent_is_refused_not_a_fault(raw: bytes) -> None:
    with pytest.raises(BadInput):
        Cursor.decode(raw.hex(), "home||", 10, MANY)


@pytest.mark.parametrize("token", ["", "a", "äö", "AAAA", "eJz", "!!", "eJxjZGBgYAAAAAcAAg"])
def test_malformed_tokens_are_refused(token: str) -> None:
    with pytest.raises(BadInput, match="cursor"):
        Cursor.decode(token, "home||", 10, MANY)


def test_a_damaged_token_is_refused() -> None:
    token = Cursor(3, np.array([1, 7, 9], np.int32)).encode("home||")
    with pytest.raises(BadInput):
        Cursor.decode(token[:-4], "home||", 10, MANY)


def test_a_token_with_more_rows_than_are_allowed_is_refused() -> None:
    token = Cursor(20, np.arange(20, dtype=np.int32)).encode("home||")
    with pytest.raises(BadInput):
        Cursor.decode(token, "home||", 10, MANY)


@pytest.mark.parametrize("cursor", [Cursor(1, np.array([9], np.int32)), Cursor(1, seed_item=9)])
def test_a_forged_token_cannot_name_rows_that_there_are_not(cursor: Cursor) -> None:
    with pytest.raises(BadInput):
        Cursor.decode(cursor.encode("home||"), "home||", 10, 9)
    assert Cursor.decode(cursor.encode("home||"), "home||", 10, 10).given == 1


def forged(gaps: list[int], given: int = 1, seed_item: int = -1, tail: int = 0) -> str:
    """A token that `encode` would never make; its stamp is no secret."""
    head = HEAD.pack(VERSION, zlib.crc32(b"home||"), given, seed_item, tail)
    packed = zlib.compress(head + _varints(gaps))
    return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


@pytest.mark.parametrize(
    "token",
    [
        forged([1 << 70]),
        forged([1 << 63]),
        forged([5, (1 << 64) - 3]),
        forged([1 << 62] * 4),
        forged([5, 0]),
        forged([5], given=2**32 - 1),
        forged([5], seed_item=-7),
        forged([5], tail=2),
        forged([1] * 200, tail=51),
        forged([1 << 40, 5], tail=1),
    ],
)
def test_a_forged_token_is_refused_not_a_fault(token: str) -> None:
    with pytest.raises(BadInput, match="cursor"):
        Cursor.decode(token, "home||", 10, MANY)
