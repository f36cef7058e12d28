"""Where a visitor is in an endless page: an opaque token that holds what they were already given.

The next page is a fresh run of the funnel without those rows. So nothing repeats, nothing is
skipped, and the page reacts to what happened in between. No state is kept on the server.
"""

import base64
import binascii
import struct
import zlib
from dataclasses import dataclass, field
from itertools import accumulate, pairwise

import numpy as np

from palate.arrays import Rows
from palate.errors import BadInput, Problem
from palate.funnel.types import NOTHING

VERSION = 3
HEAD = struct.Struct("<BIIiB")
"""Version, whom and what it belongs to, how many were given, what the first page was about, how
many of the last entries are told."""
TAIL = 50
"""Last entries that are told in their order: windows of rules reach back over pages so far."""
MOST_GIVEN = 32_767
"""Positions are told apart up to here."""
MEMORY = (10, 2)
"""Window and state of the compression: its usual ones take 50 µs to be laid out, for each page."""
MOST_BYTES = 5
"""A varint of 32 bits."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far one visitor is on one surface."""

    given: int = 0
    """Entries given on the pages before."""
    rows: Rows = field(default_factory=lambda: NOTHING)
    """Sorted distinct rows that must not come back."""
    seed_item: int = -1
    """Row of what the first page was about: a like in between must not change the subject."""
    tail: Rows = field(default_factory=lambda: NOTHING)
    """The last of what was given, in order; at most `TAIL`."""

    def encode(self, owner: str) -> str:
        """The token, url-safe; `owner` names surface and visitor; it is checked, never read."""
        tail = self.tail.tolist()
        head = HEAD.pack(VERSION, _stamp(owner), self.given, self.seed_item, len(tail))
        gaps = [after - before for before, after in pairwise([0, *self.rows.tolist()])]
        small = zlib.compressobj(6, zlib.DEFLATED, *MEMORY)
        packed = small.compress(head + _varints(tail + gaps)) + small.flush()
        return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()

    @classmethod
    def decode(cls, token: str, owner: str, most: int, items: int) -> "Cursor":
        """Read a token back: at most `most` rows, all of them below `items`.

        Raises BadInput where it is malformed or belongs to somebody else.
        """
        try:
            raw = base64.b64decode(token + "=" * (-len(token) % 4), b"-_", validate=True)
            unpack = zlib.decompressobj()
            body = unpack.decompress(raw, HEAD.size + MOST_BYTES * (most + TAIL))
            version, stamp, given, seed_item, told = HEAD.unpack_from(body)
            numbers = _numbers(body[HEAD.size :])
            tail, rows = numbers[:told], list(accumulate(numbers[told:]))
        except (binascii.Error, zlib.error, struct.error, ValueError) as error:
            raise _refused("it is malformed; send back `next` as it came") from error
        if version != VERSION or not unpack.eof:
            raise _refused("it is of another version or damaged; start again without a cursor")
        if stamp != _stamp(owner):
            raise _refused("it belongs to another visitor or surface; start again without a cursor")
        rising = all(before < after for before, after in pairwise(rows))
        last = max([seed_item, *tail, *rows[-1:]])
        long = len(rows) > most or told > TAIL or len(tail) < told
        if not rising or long or last >= items or seed_item < -1 or given > MOST_GIVEN:
            raise _refused("it is damaged; start again without a cursor")
        return cls(given, np.array(rows, np.int32), seed_item, np.array(tail, np.int32))


def _refused(why: str) -> BadInput:
    return BadInput(f"cursor: {why}", [Problem("cursor", why)])


def _stamp(owner: str) -> int:
    return zlib.crc32(owner.encode())


def _varints(numbers: list[int]) -> bytes:
    out = bytearray()
    for number in numbers:
        left = number
        while left >= 0x80:  # noqa: PLR2004  seven bits a byte, the eighth says that more follow
            out.append(left & 0x7F | 0x80)
            left >>= 7
        out.append(left)
    return bytes(out)


def _numbers(raw: bytes) -> list[int]:
    numbers: list[int] = []
    value = shift = 0
    for byte in raw:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:  # noqa: PLR2004
            numbers.append(value)
            value = shift = 0
    if shift:
        message = "a number is cut off"
        raise ValueError(message)
    return numbers
