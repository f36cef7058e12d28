"""The promises of an offline store. Subclass, give an `empty` fixture, done."""

from collections.abc import Callable
from typing import TypeAlias

import polars as pl
import pytest

from palate.errors import CorruptStore
from palate.features.offline.protocol import Landing, OfflineStore, OfflineTable, Part

Empty: TypeAlias = Callable[[], OfflineStore]
"""Gives a store that holds nothing, open for writing; each call another one."""


def part_of(
    first: int, last: int, *, table: OfflineTable = "shown", day: str = "2026-11-29"
) -> Part:
    """A part of as many rows as it has positions."""
    rows = last - first + 1
    return Part(table=table, day=day, first=first, last=last, rows=rows, since=0.0, until=1.0)


def rows_of(part: Part, **columns: float) -> pl.DataFrame:
    """Its rows: each its position, and constants."""
    positions = pl.DataFrame({"log_position": range(part.first, part.last + 1)})
    return positions.with_columns(pl.lit(value).alias(name) for name, value in columns.items())


class OfflineStoreContract:
    """Everything a store must do to be used in place of the default."""

    @pytest.fixture
    def store(self, empty: Empty) -> OfflineStore:
        return empty()

    def test_an_empty_store_stands_at_the_beginning(self, store: OfflineStore) -> None:
        held = store.held()
        assert (held.position, dict(held.parts)) == (0, {})

    def test_what_landed_reads_back(self, store: OfflineStore) -> None:
        first, second = part_of(1, 3), part_of(4, 5)
        store.land(Landing(5, [(first, rows_of(first)), (second, rows_of(second))]))
        held = store.held()
        assert held.position == 5
        assert held.of("shown") == [first, second]
        assert store.scan([first, second]).collect()["log_position"].to_list() == [1, 2, 3, 4, 5]

    def test_a_part_is_replaced_by_another_of_its_name(self, store: OfflineStore) -> None:
        part = part_of(1, 2)
        store.land(Landing(2, [(part, rows_of(part, x=1.0))]))
        store.land(Landing(2, [(part, rows_of(part, x=2.0))]))
        assert store.scan([part]).collect()["x"].to_list() == [2.0, 2.0]

    def test_parts_become_one(self, store: OfflineStore) -> None:
        small = [part_of(1, 2), part_of(3, 4)]
        store.land(Landing(4, [(part, rows_of(part)) for part in small]))
        whole = part_of(1, 4)
        store.land(Landing(4, [(whole, rows_of(whole))], small))
        assert store.held().of("shown") == [whole]
        assert len(store.scan([whole]).collect()) == 4
        with pytest.raises(CorruptStore, match="--anew"):
            store.scan(small).collect()

    def test_columns_that_a_part_lacks_are_null(self, store: OfflineStore) -> None:
        one, two = part_of(1, 1), part_of(2, 2)
        store.land(Landing(2, [(one, rows_of(one, a=1.0)), (two, rows_of(two, b=2.0))]))
        read = store.scan([one, two]).collect()
        assert read.to_dict(as_series=False) == {
            "log_position": [1, 2],
            "a": [1.0, None],
            "b": [None, 2.0],
        }

    def test_tables_and_days_are_kept_apart(self, store: OfflineStore) -> None:
        parts = [part_of(1, 1), part_of(1, 1, table="acts"), part_of(1, 1, day="2026-11-30")]
        store.land(Landing(1, [(part, rows_of(part)) for part in parts]))
        assert store.held().of("acts") == [parts[1]]
        assert store.held().of("shown") == [parts[0], parts[2]]
