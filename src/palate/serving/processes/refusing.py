"""A worker that cannot start says why in a sentence, and its server tells it.

Without the application, which the server does not load.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from palate.errors import PalateError
from palate.serving.environment import READY


def refusal(folder: Path, pid: int) -> Path:
    """The file in which this worker says what keeps it from starting."""
    return folder / f"refused-{pid}"


@contextmanager
def refusing() -> Iterator[None]:
    """In a worker process: what is wrong on purpose is left to the server, and the worker ends."""
    try:
        yield
    except PalateError as error:
        folder = os.environ.get(READY)
        if not folder:
            raise
        refusal(Path(folder), os.getpid()).write_text(error.detail, "utf-8")
        os._exit(error.exit_code)  # nothing serves yet, and whoever awaits us would tell a trace
