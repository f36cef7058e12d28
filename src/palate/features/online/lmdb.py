"""Online store in LMDB: one file, read without locks by every process, written by one."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from weakref import WeakValueDictionary

import lmdb

from palate.errors import Conflict, CorruptStore, Unavailable
from palate.features.online.protocol import StateChange, StateTable

TABLES: tuple[StateTable, ...] = ("users", "items", "covisit")
POSITION = b"position"
GIGABYTE = 1 << 30
READERS = 512


class _Environment:
    """LMDB allows one opening of a file per process: whoever opens it again shares this one."""

    def __init__(self, path: Path, size: int) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self.env = lmdb.open(
            str(path), map_size=size, max_dbs=len(TABLES) + 1, max_readers=READERS, metasync=False
        )
        self.env.reader_check()
        self.tables = {name: self.env.open_db(name.encode()) for name in (*TABLES, "meta")}

    def __del__(self) -> None:
        if hasattr(self, "env"):
            self.env.close()


_open: WeakValueDictionary[Path, _Environment] = WeakValueDictionary()


class LmdbStore:
    """The embedded default. Commits are atomic; after a power cut the newest may be refolded."""

    def __init__(self, path: Path, *, write: bool, gigabytes: float) -> None:
        path = path.resolve()
        try:
            held = _open.get(path) or _Environment(path, int(gigabytes * GIGABYTE))
        except lmdb.Error as error:
            raise CorruptStore(f"{path}: {error}; move it away and run `palate rebuild`") from error
        _open[path] = held
        self._path, self._write = path, write
        self._held: _Environment | None = held

    @property
    def _shared(self) -> _Environment:
        if self._held is None:
            raise Unavailable(f"{self._path} is closed")
        return self._held

    def user(self, key: int) -> bytes | None:
        return self.users([key])[0]

    def users(self, keys: Sequence[int]) -> list[bytes | None]:
        with self._reading(), self._shared.env.begin(self._shared.tables["users"]) as view:
            return [view.get(_key(key)) for key in keys]

    def scan(self, table: StateTable) -> Iterator[tuple[int, bytes]]:
        with self._reading(), self._shared.env.begin(self._shared.tables[table]) as view:
            for key, raw in view.cursor():
                yield int.from_bytes(key, "big"), raw

    def commit(self, change: StateChange) -> None:
        """Apply all of it or nothing of it; raises Unavailable where the map or disk is full."""
        self._claim()
        try:
            with self._shared.env.begin(write=True) as view:
                self._apply(view, "users", change.users)
                self._apply(view, "items", change.items)
                self._apply(view, "covisit", change.covisit)
                position = change.position.to_bytes(8, "big")
                view.put(POSITION, position, db=self._shared.tables["meta"])
        except (lmdb.MapFullError, lmdb.DiskError) as error:
            raise Unavailable(
                f"{self._path} is full ({error}); raise `online_gigabytes` in [stores] or free disk"
            ) from error

    def position(self) -> int:
        with self._reading(), self._shared.env.begin(self._shared.tables["meta"]) as view:
            return int.from_bytes(view.get(POSITION, b"\0"), "big")

    def clear(self) -> None:
        self._claim()
        with self._shared.env.begin(write=True) as view:
            for table in self._shared.tables.values():
                view.drop(table, delete=False)

    def close(self) -> None:
        self._held = None

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except lmdb.Error as error:
            told = f"{self._path} cannot be read ({error}); run `palate rebuild`"
            raise CorruptStore(told) from error

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


def _key(key: int) -> bytes:
    return key.to_bytes(8, "big")
