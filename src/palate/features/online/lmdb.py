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
        with self._writing() as view:
            self._apply(view, "users", change.users)
            self._apply(view, "items", change.items)
            self._apply(view, "covisit", change.covisit)
            self._stand(view, change.position)

    def replace(self, whole: StateChange) -> None:
        """Hold exactly this; records that are held already are not written again."""
        with self._writing() as view:
            self._exchange(view, "users", whole.users)
            self._exchange(view, "items", whole.items)
            self._exchange(view, "covisit", whole.covisit)
            self._stand(view, whole.position)

    def position(self) -> int:
        with self._reading(), self._shared.env.begin(self._shared.tables["meta"]) as view:
            return int.from_bytes(view.get(POSITION, b"\0"), "big")

    def close(self) -> None:
        self._held = None

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except lmdb.Error as error:
            told = f"{self._path} cannot be read ({error}); run `palate rebuild`"
            raise CorruptStore(told) from error

    @contextmanager
    def _writing(self) -> Iterator[lmdb.Transaction]:
        if not self._write:
            raise Conflict("the online store was opened for reading; only the stream worker writes")
        try:
            with self._shared.env.begin(write=True) as view:
                yield view
        except (lmdb.MapFullError, lmdb.DiskError) as error:
            raise Unavailable(
                f"{self._path} is full ({error}); raise `online_gigabytes` in [stores] or free disk"
            ) from error

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
