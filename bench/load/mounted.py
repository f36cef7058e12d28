"""A small file system of a bench's own, to be filled: a full disk that only the bench feels."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

MEGABYTE = 1 << 20
LARGEST = 4_096 * MEGABYTE
"""Of what is filled: it is memory."""


@contextmanager
def mounted(folder: Path, megabytes: int) -> Iterator[bool]:
    """Mount a tmpfs of this size on `folder` until the block ends; False where that is not allowed.

    Of no megabytes there is none: to the kernel that would be one without a bound. Nothing below
    may be open any more when the block ends.
    """
    if megabytes <= 0:
        yield False
        return
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "palate-bench", str(folder)]
    try:
        done = subprocess.run(mount, check=False, capture_output=True).returncode == 0  # noqa: S603
    except OSError:
        done = False
    try:
        yield done
    finally:
        if done:
            subprocess.run(["umount", str(folder)], check=True)  # noqa: S603, S607


def fill(folder: Path) -> Path:
    """Take all the room that is left; the file that holds it.

    Raises RuntimeError where it is not a small file system of a bench's own: never the machine's.
    """
    total = shutil.disk_usage(folder).total
    if not folder.is_mount() or not 0 < total <= LARGEST:
        raise RuntimeError(f"{folder} is no small file system of its own: it is not filled")
    ballast = folder / "ballast"
    chunk = bytes(MEGABYTE)
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(chunk)
    # what is smaller than a chunk
    with suppress(OSError), ballast.open("ab", buffering=0) as file:
        while True:
            file.write(chunk[:4096])
    if shutil.disk_usage(folder).free >= MEGABYTE:
        raise RuntimeError(f"{folder} would not be filled")
    return ballast
