"""What a worker does at the edges of its life: says that it is warm, and sends its clients on.

Who is replaced answers for a while with ``Connection: close``, so that clients come back on a new
connection, which the next worker takes. The server tells it with a signal before the one to end.
"""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from litestar import Litestar
from litestar.datastructures import MutableScopeHeaders
from litestar.types import Message, Scope

from palate.serving.environment import READY
from palate.serving.processes.agreed import LEAVE, mark


@contextmanager
def on_duty(app: Litestar) -> Iterator[None]:
    """In a worker process: warm from here on, and ready to be told to leave."""
    folder = os.environ.get(READY)
    if not folder:
        yield
        return
    loop, own = asyncio.get_running_loop(), mark(Path(folder), os.getpid())
    loop.add_signal_handler(LEAVE, leave, app)
    own.touch()
    try:
        yield
    finally:
        own.unlink(missing_ok=True)  # the handler stays: a late signal must not end anybody


def leave(app: Litestar) -> None:
    """Let every answer from now on be the last one of its connection."""
    app.before_send.append(_last)


async def _last(message: Message, scope: Scope) -> None:
    if message["type"] == "http.response.start" and scope.get("http_version", "").startswith("1"):
        MutableScopeHeaders.from_message(message)["connection"] = "close"
