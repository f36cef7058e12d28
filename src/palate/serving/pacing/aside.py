"""Long questions (why, previews) beside answers: in threads of their own, few at once."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import ParamSpec, TypeVar

from palate.errors import Unavailable

P = ParamSpec("P")
R = TypeVar("R")
MOST = 2


class Aside:
    """Places for long questions; who finds none is told to come again. One per worker."""

    def __init__(self, most: int = MOST) -> None:
        self._left = most
        self._threads = ThreadPoolExecutor(most, thread_name_prefix="aside")

    @contextmanager
    def place(self) -> Iterator[None]:
        """Take one while it lasts. Raises Unavailable where there is none."""
        if not self._left:
            raise Unavailable("other questions of this kind are being followed; try again soon")
        self._left -= 1
        try:
            yield
        finally:
            self._left += 1

    async def run(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """What it returns, from a thread that no answer needs."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, partial(function, *args, **kwargs))
