"""What an online store promises; `palate.testing.online_store` holds every back-end to it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

StateTable: TypeAlias = Literal["users", "items", "covisit"]
"""`users` by user key; `items` and `covisit` by item row."""


@dataclass(frozen=True, slots=True)
class StateChange:
    """What one micro-batch changed: packed records by key (None deletes), and the log position."""

    position: int
    users: Mapping[int, bytes | None] = field(default_factory=dict)
    items: Mapping[int, bytes | None] = field(default_factory=dict)
    covisit: Mapping[int, bytes | None] = field(default_factory=dict)


class OnlineStore(Protocol):
    """The authoritative state: users, item counters, co-visitation, and the log position shown."""

    def user(self, key: int) -> bytes | None:
        """One user's packed record: the only read of a request."""
        ...

    def users(self, keys: Sequence[int]) -> list[bytes | None]:
        """Packed records, one per key, in order."""
        ...

    def scan(self, table: StateTable) -> Iterator[tuple[int, bytes]]:
        """All of a table, in no promised order, as of one moment."""
        ...

    def commit(self, change: StateChange) -> None:
        """Apply all of it or nothing of it, the log position included."""
        ...

    def position(self) -> int:
        """The log position that the state shows; 0 where nothing was folded."""
        ...

    def replace(self, whole: StateChange) -> None:
        """Hold exactly this, log position included: all of it or nothing, as `commit`.

        Whoever reads meanwhile sees what was, or what is then; never parts of both.
        """
        ...

    def close(self) -> None:
        """Release what is held open."""
        ...
