"""Online store in dicts: for tests and replay, and the yardstick for every other one."""

from collections.abc import Iterator, Mapping, Sequence

from palate.features.online.protocol import StateChange, StateTable


class MemoryOnline:
    """Holds everything in this process and forgets it with it."""

    def __init__(self) -> None:
        self._tables: dict[StateTable, dict[int, bytes]] = {"users": {}, "items": {}, "covisit": {}}
        self._position = 0

    def user(self, key: int) -> bytes | None:
        return self._tables["users"].get(key)

    def users(self, keys: Sequence[int]) -> list[bytes | None]:
        return [self._tables["users"].get(key) for key in keys]

    def scan(self, table: StateTable) -> Iterator[tuple[int, bytes]]:
        return iter(list(self._tables[table].items()))

    def commit(self, change: StateChange) -> None:
        self._apply("users", change.users)
        self._apply("items", change.items)
        self._apply("covisit", change.covisit)
        self._position = change.position

    def position(self) -> int:
        return self._position

    def clear(self) -> None:
        for table in self._tables.values():
            table.clear()
        self._position = 0

    def close(self) -> None:
        """Nothing is held open."""

    def _apply(self, table: StateTable, records: Mapping[int, bytes | None]) -> None:
        held = self._tables[table]
        for key, raw in records.items():
            if raw is None:
                held.pop(key, None)
            else:
                held[key] = raw
