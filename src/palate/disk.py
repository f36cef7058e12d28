"""What was written is to stay written, whatever happens to the machine."""

import os
from pathlib import Path


def sync(path: Path) -> None:
    """Ask the disk to keep a file, or the names in a folder; returns when it does."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
