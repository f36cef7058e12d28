"""What the server and its workers agree on: how one says that it is warm, and is told to leave.

Without the application, which the server does not load.
"""

import signal
from pathlib import Path

LEAVE = signal.SIGUSR1
"""From now on answers close their connections."""


def mark(folder: Path, pid: int) -> Path:
    """The file that is there once this worker is warm."""
    return folder / f"ready-{pid}"
