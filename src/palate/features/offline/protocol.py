"""What an offline store promises; `palate.testing.offline_store` holds every back-end to it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

import msgspec
import polars as pl

SCHEMA = 1
"""Version of the tables' columns, in every file's metadata; raised where a column changes its
meaning, not where one is added."""

OfflineTable: TypeAlias = Literal["shown", "acts"]
"""`shown`: an item on a page a row, with its outcome. `acts`: what visitors did, while it may still
be somebody's outcome."""


class Part(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """A stretch of one table: the rows of the log positions `first` to `last` (of one day)."""

    table: OfflineTable
    day: str
    """UTC, like ``2026-11-29``."""
    first: int
    last: int
    rows: int
    since: float
    """When the first of its events came into the log, and the last; seconds since the epoch."""
    until: float
    joined: float = 0.0
    """Up to which moment its outcomes are known."""
    finished: bool = False
    """Whether nothing will be added to it any more."""

    @property
    def name(self) -> str:
        """Where it lies, without the ending; two parts of one table never have the same name."""
        return f"{self.table}/day={self.day}/part-{self.first:016d}-{self.last:016d}"


@dataclass(frozen=True, slots=True)
class Landing:
    """What one step of the join changes; all of it happens, or nothing."""

    position: int
    """The log is read up to here."""
    put: Sequence[tuple[Part, pl.DataFrame]] = ()
    """Parts with their rows; one that is there already is replaced."""
    drop: Collection[Part] = ()


@dataclass(frozen=True, slots=True)
class Held:
    """What a store holds."""

    position: int = 0
    parts: Mapping[str, Part] = field(default_factory=dict)
    """By name."""

    def of(self, table: OfflineTable) -> list[Part]:
        """The parts of one table, in the order of the log."""
        return sorted(
            (part for part in self.parts.values() if part.table == table),
            key=lambda part: (part.first, part.day),
        )


class OfflineStore(Protocol):
    """Tables in parts, and the log position that they show. One process writes."""

    def held(self) -> Held:
        """What is there."""
        ...

    def scan(self, parts: Sequence[Part]) -> pl.LazyFrame:
        """The rows of these parts, read when they are asked for.

        Columns that some of them lack are null there. Raises CorruptStore where one is gone.
        """
        ...

    def land(self, landing: Landing) -> None:
        """Do what `landing` says: all of it or nothing of it, also in a crash."""
        ...

    def close(self) -> None:
        """Release what is held open."""
        ...
