"""A disk and a clock that misbehave for the processes of one site, and for nobody else."""

import subprocess
from errno import ENOSPC, EROFS
from pathlib import Path

import numpy as np

SOURCE = Path(__file__).with_name("disturbed.c")
FULL, READ_ONLY = ENOSPC, EROFS


class Disturbed:
    """What the calls of every process started with `environment` come to, as of now.

    A small library (`disturbed.c`, compiled here with gcc, loaded by LD_PRELOAD) stands between the
    processes and libc; it needs no privilege. Memory that is mapped it does not see.
    """

    def __init__(self, folder: Path, under: Path) -> None:
        told, library = folder / "disturbed", folder / "disturbed.so"
        np.zeros(3, np.int64).tofile(told)
        self._told = np.memmap(told, np.int64, "r+")
        build = ["gcc", "-O2", "-shared", "-fPIC", "-o", str(library), str(SOURCE), "-ldl"]
        subprocess.run(build, check=True)  # noqa: S603  our own command
        self.environment = {
            "LD_PRELOAD": str(library),
            "DISTURBED": str(told),
            "DISTURBED_UNDER": str(under.resolve()),
        }
        """For processes that are to be disturbed when they write below `under`."""

    def disk(self, error: int = 0, delay: float = 0.0) -> None:
        """Writes and syncs fail with this errno, after so many seconds."""
        self._told[:2] = int(delay * 1e6), error

    def clock(self, seconds: int = 0) -> None:
        """The wall clock is wrong by so much."""
        self._told[2] = seconds
