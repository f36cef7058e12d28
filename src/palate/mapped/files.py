"""A few arrays that every process of a site shares: one writes, the others see it at once.

The arrays lie in one memory-mapped file. To grow, the writer makes the next *generation* of the
file and marks the old one superseded; a reader notices the mark (one byte of memory) in `refresh`
and maps the new file. What is held here is always a projection of an authoritative store.
"""

import mmap
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from palate.errors import Unavailable
from palate.mapped.layouts import ALIGN, SUPERSEDED, Layout, room_of

SUFFIX = ".map"
CAPACITY = 1_024
"""Rows that there is room for where counting begins."""
BLANK = 64
"""Rows of what a reader sees where there is nothing to map."""
ROOM = 64
"""Places that a pool begins with."""


class MappedArrays:
    """The columns as a mapping of name to array, and the header as one record."""

    def __init__(self, layout: Layout, directory: Path | None, *, write: bool) -> None:
        self.layout = layout
        self._directory = directory
        self._write = write
        self.generation = 0
        self._capacity = 0
        self._rooms = dict.fromkeys(layout.pools, ROOM)
        self._arrays: dict[str, NDArray[Any]] = {}
        self._staged: Path | None = None
        """The file that `anew` fills."""
        self.header: NDArray[Any] = np.zeros(1, layout.head)

    @classmethod
    def in_memory(cls, layout: Layout, capacity: int) -> Self:
        """Arrays of this process alone."""
        held = cls(layout, None, write=True)
        held._blank(capacity)
        return held

    @classmethod
    def open(cls, directory: Path, layout: Layout, *, write: bool, capacity: int) -> Self:
        """Map the newest generation in `directory`.

        A writer makes the first one where there is none, or none of this layout; a reader then
        sees blank arrays until `refresh` finds one.
        """
        held = cls(layout, directory, write=write)
        if write:
            directory.mkdir(parents=True, exist_ok=True)
        if not held._remap() and not write:
            held._blank(capacity)
        elif write and not held.generation:
            staged = held._stage(capacity)
            held._fill({})
            held._publish(staged)
        if write:
            held._sweep()
        return held

    @property
    def capacity(self) -> int:
        return self._capacity

    @property
    def rooms(self) -> Mapping[str, int]:
        """How many places each pool has, the blank one included."""
        return self._rooms

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self._arrays[name]

    @property
    def bound(self) -> Mapping[str, NDArray[Any]]:
        """All of them; another mapping when they are other arrays."""
        return self._arrays

    def scalar(self, name: str) -> Any:
        """Read a number of the header."""
        return self.header[name][0]

    def stamp(self, **scalars: float) -> None:
        """Set numbers of the header."""
        for name, value in scalars.items():
            self.header[name][0] = value

    @staticmethod
    def brand(directory: Path, layout: Layout, **scalars: float) -> bool:
        """Set numbers of the newest generation's header, as its writer would.

        False where there is none of this layout.
        """
        found = MappedArrays(layout, directory, write=True)
        if not found._remap():
            return False
        found.stamp(**scalars)
        return found.generation == found._newest()

    @property
    def whole(self) -> bool:
        """Whether the header still says what it said: somebody else wrote into the file if not."""
        return bool(self.header["capacity"][0] == self._capacity)

    def refresh(self) -> bool:
        """Map the newest generation if this one is superseded; True where the arrays changed.

        One whose header is damaged is let go of: what stands behind it may not be believed.
        """
        if self._directory is None or self._write:
            return False
        if self.generation and not self.header[SUPERSEDED][0]:
            return False
        if self._remap():
            return True
        if self.generation and not self.whole:
            self._blank(BLANK)
            self.generation = 0
            return True
        return False

    def renew(self) -> None:
        """Begin a blank generation of the same size in the place of one that is damaged."""
        with self.anew(self._capacity):
            pass

    def grow(self, capacity: int, **rooms: int) -> None:
        """Make room for `capacity` rows, and for so many in each pool that is named.

        The next generation holds what this one held.
        """
        wider = {pool: max(room, rooms.get(pool, 0)) for pool, room in self._rooms.items()}
        if capacity <= self._capacity and wider == self._rooms:
            return
        before, header, old = self._arrays, self.header, self._sizes
        capacity = max(capacity, self._capacity)
        if self._directory is None:
            self._bind(bytearray(self.layout.places(capacity, wider)[1]), capacity, wider)
            self._carry(before, header, old)
            return
        staged = self._stage(capacity, wider)
        self._carry(before, header, old)
        if self._staged is not None:
            self._staged = staged
            return
        self._publish(staged)
        header[SUPERSEDED][0] = 1
        self._sweep()

    def clear(self) -> None:
        """Give every place its first value again; the header's scalars become 0."""
        for name in self.layout.header:
            self.header[name] = 0
        for name, column in self.layout.columns.items():
            self._arrays[name][:] = column.fill

    @contextmanager
    def anew(self, capacity: int) -> Iterator[None]:
        """Fill the next generation from nothing; readers keep this one until that is whole.

        Where the filling fails, this one stays what they see.
        """
        if self._directory is None:
            self._blank(capacity)
            yield
            return
        before = self._arrays, self.header, self._capacity, self._rooms
        self._staged = self._stage(capacity)
        self._fill({})
        try:
            yield
        except BaseException:
            self._staged.unlink(missing_ok=True)
            self._arrays, self.header, self._capacity, self._rooms = before
            raise
        finally:
            staged, self._staged = self._staged, None
        self._publish(staged)
        before[1][SUPERSEDED][0] = 1
        self._sweep()

    @property
    def _sizes(self) -> dict[str, int]:
        """Rows, and places of each pool."""
        return {"": self._capacity, **self._rooms}

    def _blank(self, capacity: int) -> None:
        rooms = dict.fromkeys(self.layout.pools, ROOM)
        self._bind(bytearray(self.layout.places(capacity, rooms)[1]), capacity, rooms)
        self._fill({})

    def _carry(
        self, before: Mapping[str, NDArray[Any]], header: NDArray[Any], old: Mapping[str, int]
    ) -> None:
        self._fill(old)
        for name in self.layout.header:
            self.header[name] = header[name]
        for name, array in before.items():
            into = self._arrays[name]
            kept = tuple(slice(min(a, b)) for a, b in zip(array.shape, into.shape, strict=True))
            into[kept] = array[kept]

    def _stage(self, capacity: int, rooms: Mapping[str, int] | None = None) -> Path:
        """Begin a file aside and write into it from now on; `_publish` gives it its name."""
        assert self._directory is not None  # noqa: S101
        rooms = rooms or dict.fromkeys(self.layout.pools, ROOM)
        staged = self._directory / f".{self._newest() + 1:06d}.new"
        staged.unlink(missing_ok=True)  # another one goes on being mapped by whom it was
        view = _reserved(staged, self.layout.places(capacity, rooms)[1])
        self._bind(view, capacity, rooms)
        return staged

    def _publish(self, staged: Path) -> None:
        assert self._directory is not None  # noqa: S101
        number = self._newest() + 1
        staged.rename(self._directory / f"{number:06d}-{self.layout.digest}{SUFFIX}")
        self.generation = number

    def _newest(self) -> int:
        assert self._directory is not None  # noqa: S101
        return max((number for number, _ in _generations(self._directory)), default=0)

    def _remap(self) -> bool:
        assert self._directory is not None  # noqa: S101
        for number, path in sorted(_generations(self._directory), reverse=True):
            if number > self.generation and path.stem.endswith(self.layout.digest):
                return self._map(number, path)
        return False

    def _map(self, number: int, path: Path) -> bool:
        access = mmap.ACCESS_WRITE if self._write else mmap.ACCESS_READ
        try:
            with path.open("r+b" if self._write else "rb") as file:
                view = mmap.mmap(file.fileno(), 0, access=access)
        except (FileNotFoundError, ValueError):  # swept by the writer just now: try again later
            return False
        if len(view) < ALIGN:  # it was cut off
            return False
        [head] = np.frombuffer(view, self.layout.head, 1)
        capacity = int(head["capacity"])
        rooms = {pool: int(head[room_of(pool)]) for pool in self.layout.pools}
        if not all(0 < size <= len(view) for size in (capacity, *rooms.values())):
            return False
        if self.layout.places(capacity, rooms)[1] != len(view):
            return False
        self._bind(view, capacity, rooms)
        self.generation = number
        return True

    def _bind(self, buffer: Any, capacity: int, rooms: Mapping[str, int]) -> None:
        offsets, _ = self.layout.places(capacity, rooms)
        self.header = np.frombuffer(buffer, self.layout.head, 1)
        if self.header.flags.writeable:
            self.header["capacity"] = capacity
            for pool, room in rooms.items():
                self.header[room_of(pool)] = room
        self._arrays = {
            name: np.frombuffer(
                buffer, self.layout.columns[name].dtype, int(np.prod(shape)), offsets[name]
            ).reshape(shape)
            for name, shape in self.layout.shapes(capacity, rooms).items()
        }
        self._capacity, self._rooms = capacity, dict(rooms)

    def _fill(self, old: Mapping[str, int]) -> None:
        """Give places beyond the `old` ones their first value (a new file reads as zeros)."""
        for name, column in self.layout.columns.items():
            fresh = 0 if column.rows and old else column.fill
            if fresh != 0:
                self._arrays[name][0 if column.rows else old.get(column.pool, 0) :] = fresh

    def _sweep(self) -> None:
        """Mark and remove older generations; whoever maps one keeps it until they refresh."""
        assert self._directory is not None  # noqa: S101
        for number, path in _generations(self._directory):
            if number < self.generation:
                _supersede(path, self.layout.head)
                path.unlink(missing_ok=True)


def _reserved(file: Path, size: int) -> mmap.mmap:
    """A new file with all its room taken now: to write into a hole of a full disk is to die.

    Raises Unavailable where there is no room.
    """
    try:
        with file.open("w+b") as staged:
            os.posix_fallocate(staged.fileno(), 0, size)
            return mmap.mmap(staged.fileno(), 0)
    except OSError as error:
        file.unlink(missing_ok=True)
        raise Unavailable(f"{file.parent} has no room for {size:,} bytes: {error}") from error


def _generations(directory: Path) -> list[tuple[int, Path]]:
    if not directory.is_dir():
        return []
    return [(int(p.name.partition("-")[0]), p) for p in directory.glob(f"*-*{SUFFIX}")]


def _supersede(path: Path, head: np.dtype[Any]) -> None:
    """Set the mark in a file; its place is the same in every layout."""
    if path.stat().st_size < ALIGN:  # it was cut off: nobody can be reading it
        return
    with path.open("r+b") as file, mmap.mmap(file.fileno(), ALIGN) as view:
        place = int(head.fields[SUPERSEDED][1]) if head.fields else 0
        view[place : place + 8] = np.int64(1).tobytes()
