"""How much may be sent at once: batches are counted before they are decoded."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

import msgspec

from palate.errors import BadInput, Problem

SMALL = 4_096
"""Bytes that are decoded on the event loop; more would hold up everybody else."""
T = TypeVar("T")


async def decoded(body: bytes, decode: Callable[[bytes], T], field: str, most: int) -> T:
    """Decode a batch with `decode`, in a thread where it is large. Raises BadInput."""
    if len(body) <= SMALL:
        return _decoded(body, decode, field, most)
    return await asyncio.to_thread(_decoded, body, decode, field, most)


def _decoded(body: bytes, decode: Callable[[bytes], T], field: str, most: int) -> T:
    count = _count(body, field)
    if count > most:
        what = f"{count} {field} in one batch; at most {most} are taken at once"
        raise BadInput(what, [Problem(f"/{field}", what)])
    return decode(body)


def _count(body: bytes, field: str) -> int:
    """How long the batch is, without looking into it; what is wrong is told by the decoder."""
    try:
        whole = msgspec.json.decode(body, type=dict[str, msgspec.Raw] | list[msgspec.Raw])
        if isinstance(whole, list):
            return len(whole)
        return len(msgspec.json.decode(whole[field], type=list[msgspec.Raw]))
    except (msgspec.DecodeError, KeyError, UnicodeDecodeError, RecursionError):
        return 0
