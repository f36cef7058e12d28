"""Parquet files with a little harm done to them, where chance alone seldom hits.

A file ends with what describes it, in Thrift's compact form, and the length of that. Bytes changed
at random break the length, or the Snappy page, and the reader stops at once; so half of the harm is
done to the description, and the length put right behind it.
"""

from random import Random

TAIL = 8
"""The description's length and the magic word."""
TELLING = (0x00, 0x01, 0x15, 0x16, 0x18, 0x19, 0x1C, 0x7F, 0x80, 0xFF)
"""Thrift's types of fields, ends and beginnings, and the ends of a byte."""
LARGE = (
    b"\xff\xff\xff\xff\x0f",
    b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    b"\x80\x80\x80\x80\x10",
)
"""Numbers that no small file has a use for: -1 and more than 2^31, as varints."""


def mangled(raw: bytes, chance: Random) -> bytes:
    """The same file, cut, with bits turned over, or with numbers of its description exchanged."""
    told = int.from_bytes(raw[-TAIL:-4], "little")
    if not 0 < told <= len(raw) - TAIL:
        told = max(len(raw) - TAIL, 0)
    pages, description = bytearray(raw[: -told - TAIL]), bytearray(raw[-told - TAIL : -TAIL])
    if chance.random() < 0.1:  # noqa: PLR2004  now and then
        return bytes(raw[: chance.randrange(len(raw) + 1)])
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        _harm(description if chance.random() < 0.6 or not pages else pages, chance)  # noqa: PLR2004
    return bytes(pages + description + len(description).to_bytes(4, "little") + b"PAR1")


def _harm(part: bytearray, chance: Random) -> None:
    if not part:
        return
    at, how = chance.randrange(len(part)), chance.randrange(4)
    if how == 0:
        part[at] ^= 1 << chance.randrange(8)
    elif how == 1:
        part[at] = chance.choice(TELLING)
    elif how == 2:  # noqa: PLR2004  of four ways
        part[at : at + 1] = chance.choice(LARGE)
    else:
        del part[at : at + chance.randrange(1, 32)]
