"""Arrays that many processes share by mapping the same files: one writes, all others only read.

A *generation* is a folder with one file per column and a header. It never changes its size: when
more room is needed the writer makes a larger generation, lets the file `current` name it (an
atomic rename) and marks the old one as superseded; readers see the mark and map the new one.
"""

import fcntl
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from palate.errors import Conflict, CorruptStore

Layout: TypeAlias = Mapping[str, tuple[str, tuple[int, ...], Any]]
"""Column name -> (dtype, shape of one row, the value of a row that was never written)."""

HEADER = 16
"""int64 numbers in a header: six of ours, ten for the owner."""
MAGIC, FORMAT, CAPACITY, SUPERSEDED, CLEAN, OWN = 0, 1, 2, 3, 4, 6
MAGIC_NUMBER = 0x50414C455445
BOOT = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Generation:
    """One set of files, mapped; without a folder it lives in memory."""

    folder: Path | None
    header: NDArray[np.int64]
    columns: dict[str, NDArray[Any]]

    @property
    def capacity(self) -> int:
        """Rows there is room for."""
        return int(self.header[CAPACITY])

    @property
    def superseded(self) -> bool:
        """True once a larger generation has taken its place."""
        return bool(self.header[SUPERSEDED])

    @classmethod
    def in_memory(cls, layout: Layout, format_: int, capacity: int) -> Self:
        """The same arrays without files."""
        header = np.zeros(HEADER, np.int64)
        columns = {
            name: np.full((capacity, *shape), value, dtype)
            for name, (dtype, shape, value) in layout.items()
        }
        header[:3] = MAGIC_NUMBER, format_, capacity
        return cls(None, header, columns)

    @classmethod
    def create(cls, folder: Path, layout: Layout, format_: int, capacity: int) -> Self:
        """New files with nothing in them."""
        folder.mkdir(parents=True)
        columns = {}
        for name, (dtype, shape, value) in layout.items():
            column = np.memmap(folder / name, dtype, "w+", shape=(capacity, *shape))
            if value != 0:
                column[:] = value
            columns[name] = column.view(np.ndarray)
        header = np.memmap(folder / "header", np.int64, "w+", shape=(HEADER,)).view(np.ndarray)
        header[:3] = MAGIC_NUMBER, format_, capacity
        (folder / "boot").write_text(_boot())
        return cls(folder, header, columns)

    @classmethod
    def open(cls, folder: Path, layout: Layout, format_: int, *, write: bool) -> Self:
        """Map what is there. CorruptStore where a file is missing, cut, or of another layout."""
        mode: Any = "r+" if write else "r"
        try:
            header = np.memmap(folder / "header", np.int64, mode, shape=(HEADER,)).view(np.ndarray)
            if header[MAGIC] != MAGIC_NUMBER or header[FORMAT] != format_:
                raise CorruptStore(f"{folder} is of another version")
            capacity = int(header[CAPACITY])
            columns = {
                name: _mapped(folder / name, np.dtype(dtype), (capacity, *shape), mode)
                for name, (dtype, shape, _) in layout.items()
            }
        except (OSError, ValueError) as error:
            raise CorruptStore(f"{folder} does not read back: {error}") from error
        return cls(folder, header, columns)

    def trusted(self) -> bool:
        """False where the machine went down while it was written: pages may be lost."""
        if self.folder is None or self.header[CLEAN]:
            return True
        boot = self.folder / "boot"
        return boot.is_file() and boot.read_text() == _boot()

    def dirty(self) -> None:
        """Say that writing goes on, before the first write of a process."""
        if self.folder is not None:
            self.header[CLEAN] = 0
            (self.folder / "boot").write_text(_boot())
            self.sync(["header"])

    def close(self) -> None:
        """Sync all files, then say that they are whole."""
        if self.folder is not None:
            self.sync(self.columns)
            self.header[CLEAN] = 1
            self.sync(["header"])

    def sync(self, names: Iterable[str]) -> None:
        """Wait until these files are on the disk."""
        if self.folder is None:
            return
        for name in names:
            descriptor = os.open(self.folder / name, os.O_RDONLY)
            os.fsync(descriptor)
            os.close(descriptor)


def _mapped(file: Path, dtype: np.dtype[Any], shape: tuple[int, ...], mode: Any) -> NDArray[Any]:
    wanted = int(np.prod(shape)) * dtype.itemsize
    if file.stat().st_size != wanted:
        raise CorruptStore(f"{file} has {file.stat().st_size} bytes instead of {wanted}")
    return np.memmap(file, dtype, mode, shape=shape).view(np.ndarray)


def _boot() -> str:
    """The machine's current boot: what was written to a mapping since then is not lost."""
    return BOOT.read_text().strip() if BOOT.exists() else ""


class GenerationFolder:
    """A folder of generations, with the name of the current one in the file `current`."""

    def __init__(self, directory: Path, layout: Layout, format_: int) -> None:
        self.directory, self.layout, self.format = directory, layout, format_
        self._lock: int | None = None

    def lock(self) -> None:
        """Become the one writer; Conflict where another process is."""
        self.directory.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.directory / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise Conflict(
                f"{self.directory} is being written by another process; stop that one first"
            ) from error
        self._lock = descriptor

    def unlock(self) -> None:
        """Let another process write."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def current(self, *, write: bool) -> Generation | None:
        """The generation that `current` names; None where there is none.

        A reader may meet the moment in which the writer removes an old one: it looks again.
        """
        for attempt in range(5):
            pointer = self.directory / "current"
            if not pointer.is_file():
                return None
            folder = self.directory / pointer.read_text().strip()
            try:
                return Generation.open(folder, self.layout, self.format, write=write)
            except CorruptStore:
                if write or attempt == 4:  # noqa: PLR2004  the last of five tries
                    raise
        return None

    def begin(self, capacity: int) -> Generation:
        """Files for the next generation, not yet current."""
        taken = [int(p.name[1:]) for p in self.directory.glob("g*") if p.name[1:].isdigit()]
        folder = self.directory / f"g{max(taken, default=0) + 1:06d}"
        return Generation.create(folder, self.layout, self.format, capacity)

    def publish(self, generation: Generation, old: Generation | None) -> None:
        """Make it the current one, then send readers over and remove what came before."""
        if generation.folder is None:
            return
        draft = self.directory / "current.new"
        draft.write_text(generation.folder.name)
        draft.replace(self.directory / "current")
        if old is not None:
            old.header[SUPERSEDED] = 1
        for folder in self.directory.glob("g*"):
            if folder != generation.folder:
                shutil.rmtree(folder, ignore_errors=True)
