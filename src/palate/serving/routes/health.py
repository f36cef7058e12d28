"""``/livez``, ``/readyz`` and ``/metrics``: for the machines that watch the machine."""

import asyncio
import os
from typing import Any

import msgspec
import numpy as np
from litestar import Request, Response, get

from palate.errors import PalateError
from palate.serving.meters import CONTENT_TYPE
from palate.serving.runtime import Runtime, runtime_of
from palate.streaming.aside import FILE
from palate.surfaces import plugins

LAGGING = 10.0
"""Seconds behind the log from which readiness says so."""
READY, NOT_READY = 200, 503


class Alive(msgspec.Struct, frozen=True):
    """The process answers."""

    status: str = "alive"


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """Whether requests should come here, and what is wrong where not."""

    ready: bool
    release: str
    lag_seconds: float
    items: int
    """Items that the columns know and that are not hidden."""
    remarks: tuple[str, ...] = ()


@get("/livez", operation_id="livez", tags=["Operations"])
async def livez() -> Alive:
    """The process answers; nothing else is looked at."""
    return Alive()


@get("/readyz", operation_id="readyz", tags=["Operations"])
async def readyz(request: Request[Any, Any, Any]) -> Response[Readiness]:
    """Stores and rules read, the log can be written; a lagging stream is only remarked upon."""
    body = await asyncio.to_thread(_readiness, runtime_of(request))
    return Response(body, status_code=READY if body.ready else NOT_READY)


@get("/metrics", operation_id="metrics", media_type=CONTENT_TYPE, tags=["Operations"])
async def metrics(request: Request[Any, Any, Any]) -> bytes:
    """Prometheus metrics of all workers."""
    return await asyncio.to_thread(runtime_of(request).meters.render)


def _readiness(runtime: Runtime) -> Readiness:
    remarks: list[str] = []
    items, lag = 0, 0.0
    try:
        columns = runtime.stores.columns
        items = int(np.count_nonzero(columns.servable[: columns.size]))
        runtime.stores.items.changes(columns.version, 1)  # whether it can be read
        lag = runtime.lag_now()
    except PalateError as error:
        remarks.append(error.detail)
    if not os.access(runtime.settings.home, os.W_OK):
        remarks.append(f"{runtime.settings.home} cannot be written: events would not be durable")
    ready = not remarks and runtime.rules.ready
    if lag > LAGGING:
        remarks.append(f"the stream worker is {lag:.0f} s behind: is `palate stream` running?")
    if refused := runtime.refused():
        where = f"{runtime.settings.stores.columns}/{FILE}"
        remarks.append(f"{refused:,} events were set aside: {where} says why")
    if runtime.watch.remark:
        remarks.append(runtime.watch.remark)
    remarks += plugins.left_out(runtime.settings.plugins)
    remarks += runtime.rules.remarks()
    return Readiness(
        ready=ready,
        release=runtime.live.name,
        lag_seconds=round(lag, 3),
        items=items,
        remarks=tuple(remarks),
    )
