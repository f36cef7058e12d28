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
        parts = [_whole(part) for part in (change.users, change.items, change.covisit)]
        for held, part in zip(self._tables.values(), parts, strict=True):
            for key, raw in part.items():
                if raw is None:
                    held.pop(key, None)
                else:
                    held[key] = raw
        self._position = change.position

    def position(self) -> int:
        return self._position

    def replace(self, whole: StateChange) -> None:
        parts = [_whole(part) for part in (whole.users, whole.items, whole.covisit)]
        for table, part in zip(self._tables, parts, strict=True):
            self._tables[table] = {key: raw for key, raw in part.items() if raw is not None}
        self._position = whole.position

    def close(self) -> None:
        """Nothing is held open."""


def _whole(records: Mapping[int, bytes | None]) -> dict[int, bytes | None]:
    """Copy, so that a record that is none fails before anything is changed."""
    return {key: None if raw is None else bytes(raw) for key, raw in records.items()}
