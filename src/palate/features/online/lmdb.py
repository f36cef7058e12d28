"""Online store in LMDB: one file, read without locks by every process, written by one."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import NoReturn
from weakref import WeakValueDictionary

import lmdb

from palate.errors import Conflict, CorruptState, CorruptStore, PalateError, Unavailable
from palate.features.online.protocol import StateChange, StateTable

TABLES: tuple[StateTable, ...] = ("users", "items", "covisit")
POSITION = b"position"
DATA = "data.mdb"
GIGABYTE = 1 << 30
READERS = 512
LOOK = 1.0
"""Seconds between two looks at whether the file is still the one that is open, and whole."""
LOOSE = 1 << 20
"""Bytes: pages that were taken and given back at once may never have reached the file's end."""
DAMAGED = (
    lmdb.BadDbiError,
    lmdb.CorruptedError,
    lmdb.IncompatibleError,
    lmdb.InvalidError,
    lmdb.PageNotFoundError,
)
"""What the library says of a file that somebody else wrote to."""
FULL = (lmdb.MapFullError, lmdb.DiskError)


class _Environment:
    """LMDB allows one opening of a file per process: whoever opens it again shares this one."""

    def __init__(self, path: Path, size: int) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self._file = path / DATA
        self.env = lmdb.open(
            str(path), map_size=size, max_dbs=len(TABLES) + 1, max_readers=READERS, metasync=False
        )
        self._inode = self._file.stat().st_ino
        self._page, self._size = self.env.stat()["psize"], 0
        self.current()
        self.env.reader_check()
        self.tables = {name: self.env.open_db(name.encode()) for name in (*TABLES, "meta")}

    def current(self) -> bool:
        """Whether it is the file that lies there now. Raises CorruptState where that was cut."""
        try:
            stat = self._file.stat()
        except FileNotFoundError:
            return False
        if stat.st_ino != self._inode:
            return False
        # To look at a page beyond the file's end is to die of SIGBUS.
        if stat.st_size < self._size or stat.st_size < self.taken() - LOOSE:
            raise CorruptState(f"{self._file} was cut short; the stream worker folds it anew")
        self._size = stat.st_size
        return True

    def taken(self) -> int:
        """Bytes that the newest commit says there are."""
        return int((self.env.info()["last_pgno"] + 1) * self._page)

    def __del__(self) -> None:
        if hasattr(self, "env"):
            self.env.close()


_open: WeakValueDictionary[Path, _Environment] = WeakValueDictionary()
_opening = Lock()


class LmdbStore:
    """The embedded default. Commits are atomic; after a power cut the newest may be refolded.

    A file that cannot be opened is tried again whenever it is asked for (Unavailable meanwhile, or
    CorruptState where it is damaged); one that was replaced is opened within a second.
    """

    def __init__(self, path: Path, *, write: bool, gigabytes: float) -> None:
        self._path, self._write = path.resolve(), write
        self._bytes = int(gigabytes * GIGABYTE)
        self._held: _Environment | None = None
        self._closed = False
        self._look = 0.0
        with suppress(PalateError):  # whoever asks is told
            self._shared  # noqa: B018

    @property
    def _shared(self) -> _Environment:
        if self._closed:
            raise Unavailable(f"{self._path} is closed")
        now = monotonic()
        held = self._held
        if held is None or now >= self._look:
            with _opening:
                held = self._held = self._opened()
            self._look = now + LOOK
        return held

    def _opened(self) -> _Environment:
        held = _open.get(self._path)
        if held is not None and held.current():
            return held
        try:
            held = _Environment(self._path, self._bytes)
        except DAMAGED as error:
            self._damaged(error)
        except (lmdb.Error, OSError) as error:
            raise Unavailable(f"{self._path} cannot be opened ({error})") from error
        _open[self._path] = held
        return held

    def user(self, key: int) -> bytes | None:
        return self.users([key])[0]

    def users(self, keys: Sequence[int]) -> list[bytes | None]:
        with self._viewed("users") as view:
            return [view.get(_key(key)) for key in keys]

    def scan(self, table: StateTable) -> Iterator[tuple[int, bytes]]:
        with self._viewed(table) as view:
            for key, raw in view.cursor():
                yield int.from_bytes(key, "big"), raw

    def commit(self, change: StateChange) -> None:
        """Apply all of it or nothing of it; raises Unavailable where the map or disk is full."""
        with self._writing() as view:
            self._apply(view, "users", change.users)
            self._apply(view, "items", change.items)
            self._apply(view, "covisit", change.covisit)
            self._stand(view, change.position)

    def replace(self, whole: StateChange) -> None:
        """Hold exactly this; records that are held already are not written again.

        What is damaged is set aside first.
        """
        try:
            self._replace(whole)
        except CorruptState:
            self.set_aside()
            self._replace(whole)

    def position(self) -> int:
        with self._viewed("meta") as view:
            return int.from_bytes(view.get(POSITION, b"\0"), "big")

    def filled(self) -> float:
        """Share of `online_gigabytes` that was ever taken; pages that came free count as taken."""
        with self._reading():
            return self._shared.taken() / self._bytes

    def set_aside(self) -> None:
        """Begin a new file; what lies there now stays as ``….damaged``, in the place of the last.

        Raises Unavailable where the disk does not let us.
        """
        self._claim()
        self._drop()
        aside = self._path.with_name(f"{self._path.name}.damaged")
        try:
            shutil.rmtree(aside, ignore_errors=True)
            self._path.rename(aside)
        except FileNotFoundError:
            return
        except OSError as error:
            raise Unavailable(f"{self._path} cannot be moved to {aside.name} ({error})") from error

    def close(self) -> None:
        self._held, self._closed = None, True

    @contextmanager
    def _viewed(self, table: str) -> Iterator["lmdb.Transaction[bytes]"]:
        """Read one table. The environment is held: with the last who does it is unmapped."""
        with self._reading():
            held = self._shared
            with held.env.begin(held.tables[table]) as view:
                yield view

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except DAMAGED as error:
            self._damaged(error)
        except lmdb.Error as error:
            told = f"{self._path} cannot be read ({error}); run `palate rebuild`"
            raise CorruptStore(told) from error

    @contextmanager
    def _writing(self) -> Iterator[lmdb.Transaction]:
        """After a write that failed the library refuses all others: the file is opened again."""
        self._claim()
        try:
            with self._shared.env.begin(write=True) as view:
                yield view
        except FULL as error:
            self._drop()
            raise Unavailable(
                f"{self._path} is full ({error}); raise `online_gigabytes` in [stores] or free disk"
            ) from error
        except DAMAGED as error:
            self._drop()
            self._damaged(error)
        except lmdb.Error as error:
            self._drop()
            raise Unavailable(f"{self._path} cannot be written ({error})") from error

    def _replace(self, whole: StateChange) -> None:
        with self._writing() as view:
            self._exchange(view, "users", whole.users)
            self._exchange(view, "items", whole.items)
            self._exchange(view, "covisit", whole.covisit)
            self._stand(view, whole.position)

    def _damaged(self, error: lmdb.Error) -> NoReturn:
        told = f"{self._path} is damaged ({error}); the stream worker folds it anew from the log"
        raise CorruptState(told) from error

    def _drop(self) -> None:
        held, self._held = self._held, None
        _open.pop(self._path, None)
        if held is not None:
            held.env.close()

    def _claim(self) -> None:
        if not self._write:
            raise Conflict("the online store was opened for reading; only the stream worker writes")

    def _apply(
        self, view: lmdb.Transaction, table: StateTable, records: Mapping[int, bytes | None]
    ) -> None:
        place = self._shared.tables[table]
        for key, raw in sorted(records.items()):
            if raw is None:
                view.delete(_key(key), db=place)
            else:
                view.put(_key(key), raw, db=place)

    def _exchange(
        self, view: lmdb.Transaction, table: StateTable, records: Mapping[int, bytes | None]
    ) -> None:
        held = view.cursor(self._shared.tables[table])
        equal = {
            key: records.get(key) == raw
            for key, raw in ((int.from_bytes(key, "big"), raw) for key, raw in held)
        }
        wanted = {key: raw for key, raw in records.items() if not equal.get(key)}
        gone = dict.fromkeys(key for key in equal if key not in records)
        self._apply(view, table, wanted | gone)

    def _stand(self, view: lmdb.Transaction, position: int) -> None:
        view.put(POSITION, position.to_bytes(8, "big"), db=self._shared.tables["meta"])


def _key(key: int) -> bytes:
    return key.to_bytes(8, "big")
