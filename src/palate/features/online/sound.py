"""Whether an online store can be read to its end: asked in a process of its own, which may die.

A damaged page can end whoever looks at it (LMDB asserts, and maps its file), so the stream worker
that was ended by such a signal has this looked at before it opens the store again.
"""

import subprocess
import sys
from pathlib import Path

from palate.errors import PalateError
from palate.features.online.lmdb import TABLES, LmdbStore

NATIVE = frozenset({"SIGABRT", "SIGBUS", "SIGSEGV"})
"""Signals that end a process for what it read."""


def is_sound(path: Path, gigabytes: float) -> bool:
    """Read all of it in a child process; blocks, a second for some gigabytes in memory."""
    command = [sys.executable, "-m", __name__, str(path), str(gigabytes)]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0  # noqa: S603


def main(path: str, gigabytes: str) -> None:
    """Read every record; exit code 1 where one cannot be."""
    store = LmdbStore(Path(path), write=False, gigabytes=float(gigabytes))
    try:
        for table in TABLES:
            for _ in store.scan(table):
                pass
    except PalateError:
        sys.exit(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
