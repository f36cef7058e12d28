"""What keeps a worker's event loop from coming round: everything on it that took long, by name.

Each callback is timed (a quarter of a microsecond); only those that take longer than `LONG` are
told. A request's own stretch counts as the funnel's where its answer was made in it.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any, TypeAlias

LONG = 0.001
"""Seconds from which a stretch is told."""
FUNNEL, REQUEST, OTHER = "funnel", "request", "other"
OURS = ("/palate/funnel/", "/palate/retrieval/", "/palate/serving/composing.py")
"""Where the code of the funnel's own tasks lies."""
SERVERS = ("future_watcher", "_runner", "_http_logger")
"""Coroutines in which Granian runs a request."""
Told: TypeAlias = Callable[[str, float], None]


@contextmanager
def blocks_told(told: Told, answers: Callable[[], int]) -> Iterator[None]:
    """Tell every long stretch on the loops of this process, by what took it and seconds.

    `answers` counts the answers that were made so far.
    """
    run = asyncio.Handle._run  # noqa: SLF001  asyncio has no other door

    def timed(handle: asyncio.Handle) -> None:
        began, before = perf_counter(), answers()
        run(handle)
        took = perf_counter() - began
        if took > LONG:
            told(FUNNEL if answers() > before else name_of(handle), took)

    held: Any = asyncio.Handle
    held._run = timed  # noqa: SLF001
    try:
        yield
    finally:
        held._run = run  # noqa: SLF001


def name_of(handle: asyncio.Handle) -> str:
    """What a callback belongs to: a bounded set, for it is names in code."""
    callback: Any = handle._callback  # type: ignore[attr-defined]  # noqa: SLF001
    task = getattr(callback, "__self__", None)
    if not isinstance(task, asyncio.Task):
        return str(getattr(callback, "__qualname__", OTHER))
    coroutine: Any = task.get_coro()
    name = str(getattr(coroutine, "__qualname__", OTHER))
    if name.rpartition(".")[2] in SERVERS:
        return REQUEST
    code = getattr(coroutine, "cr_code", None)
    ours = code is not None and any(each in code.co_filename for each in OURS)
    return FUNNEL if ours else name
