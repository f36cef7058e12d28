"""How often one caller may ask and write: requests a second, counted by all workers together.

A caller is an API key, or the client's address where the site has no keys. Each has a place in a
table of fixed size that the workers share; the number in it is the moment at which the caller will
have their whole allowance back (the generic cell rate algorithm), so one float is all there is to
keep, and forgetting one that lies in the past loses nothing.
"""

import hashlib
import os
from collections.abc import Callable
from math import ceil
from pathlib import Path
from time import monotonic
from typing import Any, Literal, TypeAlias

import numpy as np
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler
from numpy.typing import NDArray

from palate.serving.auth import key_of
from palate.serving.environment import READY
from palate.serving.problems import too_many
from palate.settings import ServingSettings

Doing: TypeAlias = Literal["reads", "writes"]
FILE = "rates.bin"
NEARBY = 8
"""Places in which a caller may be; one that is needed is taken from whoever waits least."""
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
ASKS = frozenset(
    {"recommend_with_context", "recommend_on_surface", "compose_page_with_context", "preview_rules"}
)
"""Operations that only read, though they bring a body."""
ENTRY = np.dtype([("who", np.uint64), ("full", np.float64)])


class Rates:
    """Allowances by caller. Workers may share the file; without one they are this process's own.

    Two workers that count the same caller at the same instant may let one request more through.
    """

    def __init__(
        self, callers: int, file: Path | None = None, timer: Callable[[], float] = monotonic
    ) -> None:
        self._sets, self._timer = max(1, ceil(callers / NEARBY)), timer
        size = self._sets * NEARBY
        if file is None:
            table: NDArray[Any] = np.zeros(size, ENTRY)
        else:
            with file.open("ab") as held:
                held.truncate(size * ENTRY.itemsize)
            table = np.memmap(file, ENTRY, "r+", shape=(size,))
        self._who, self._full = table["who"], table["full"]

    def wait(self, caller: str, rate: float, burst: float) -> float:
        """Take one; 0 where it is allowed, else the seconds until it will be.

        `rate` is a second, `burst` how many may come at once after a silence.
        """
        who = int.from_bytes(hashlib.blake2b(caller.encode(), digest_size=8).digest(), "little")
        now, at = self._timer(), self._place(who | 1)
        full = max(float(self._full[at]), now) + 1.0 / rate
        late = full - now - max(burst, 1.0) / rate
        if late > 1e-9:  # noqa: PLR2004  what rounding does
            return late
        self._full[at] = full
        return 0.0

    def _place(self, who: int) -> int:
        first = (who >> 1) % self._sets * NEARBY
        near = slice(first, first + NEARBY)
        held = np.flatnonzero(self._who[near] == np.uint64(who))
        if len(held):
            return first + int(held[0])
        at = first + int(self._full[near].argmin())
        self._who[at], self._full[at] = who, 0.0
        return at


class LimitRates:
    """A guard of every route under /v1, where the settings limit reads or writes."""

    def __init__(self, settings: ServingSettings) -> None:
        folder = os.environ.get(READY)
        file = Path(folder) / FILE if folder else None
        self._rates = Rates(settings.rate_callers, file)
        self._seconds, self._keys = settings.rate_burst_seconds, bool(settings.api_keys)
        self._limits: dict[Doing, float] = {
            "reads": settings.reads_per_second,
            "writes": settings.writes_per_second,
        }

    @staticmethod
    def wanted(settings: ServingSettings) -> bool:
        """Whether anything is limited."""
        return bool(settings.reads_per_second or settings.writes_per_second)

    async def __call__(
        self, connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler
    ) -> None:
        does = _does(str(connection.scope.get("method", "GET")), handler)
        rate = self._limits[does]
        if not rate:
            return
        waits = self._rates.wait(self._caller(connection, does), rate, rate * self._seconds)
        if waits:
            whose = "API key" if self._keys else "address"
            raise too_many(
                f"more than {rate:g} {does} a second from one {whose}; come again in"
                f" {ceil(waits)} s, or do more with each request ([serving] {does}_per_second)",
                ceil(waits),
            )

    def _caller(self, connection: ASGIConnection[Any, Any, Any, Any], does: Doing) -> str:
        client = connection.client
        who = key_of(connection) if self._keys else client.host if client else ""
        return f"{does} {who}"


def _does(method: str, handler: BaseRouteHandler) -> Doing:
    reads = method in SAFE or (
        isinstance(handler, HTTPRouteHandler) and handler.operation_id in ASKS
    )
    return "reads" if reads else "writes"
