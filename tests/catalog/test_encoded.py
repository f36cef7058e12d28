"""Columns with content as a release encodes it."""

import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Bytes, Floats
from palate.catalog.alike import UNKNOWN, Alike
from palate.catalog.columns import COLUMNS, ItemColumns
from palate.catalog.content import content_vector
from palate.catalog.encoded import EncodedColumns
from palate.catalog.encoder import ContentEncoder
from palate.catalog.item import Item
from palate.catalog.sqlite import SqliteItems


class ByLength:
    """Tells items apart by how long their title is."""

    def encode(self, items: Sequence[Item]) -> Floats:
        vectors = np.zeros((len(items), 64), np.float32)
        vectors[np.arange(len(items)), [len(item.title) % 64 for item in items]] = 1.0
        return vectors


class Brought(NamedTuple):
    encoder: ContentEncoder
    vectors: Bytes
    codes: NDArray[np.int16]
    version: int
    alike: Alike = UNKNOWN

    def codes_of(self, vectors: Floats) -> NDArray[np.int16]:
        said = np.where(vectors.any(axis=1), vectors.argmax(axis=1), -1)
        return np.repeat(said[:, None], 3, axis=1).astype(np.int16)


def site(*titles: str) -> tuple[SqliteItems, ItemColumns]:
    items = SqliteItems(Path(":memory:"))
    items.put([titled(n, title) for n, title in enumerate(titles)])
    columns = ItemColumns.in_memory()
    columns.write(items.changes(0, 100))
    return items, columns


def titled(n: int, title: str) -> Item:
    return Item(item_id=f"i{n}", title=title, categories=("drama",))


def brought(columns: ItemColumns, spare: int = 3) -> Brought:
    vectors = np.zeros((columns.size + spare, 64), np.int8)
    vectors[: columns.size, 7] = 100
    codes = np.full((len(vectors), 3), -1, np.int16)
    codes[: columns.size] = 5
    return Brought(ByLength(), vectors, codes, columns.version)


def code(columns: ItemColumns, *rows: int) -> list[int]:
    found: list[int] = columns.read(np.array(rows, np.int32), ("code",))["code"].tolist()
    return found


def length(columns: ItemColumns, *rows: int) -> list[int]:
    """Of the titles that content says these rows have; -1 where it says nothing."""
    found = columns.read(np.array(rows, np.int32), ("content",))["content"]
    assert set(found.ravel().tolist()) <= {0.0, 1.0}
    told: list[int] = np.where(found.any(axis=1), found.argmax(axis=1), -1).tolist()
    return told


def test_what_the_release_knew_is_read_as_it_brought_it_and_the_rest_as_it_is() -> None:
    items, plain = site("a", "b")
    columns = EncodedColumns(plain, brought(plain))
    columns.follow(items)
    assert length(columns, 0, 1, 2, -1) == [7, 7, -1, -1]
    assert (code(columns, 0, 2, -1), code(plain, 0, 2, -1)) == ([5, -1, -1], [-1, -1, -1])
    assert columns.content[0, 7] == 100
    assert (columns.size, columns.version) == (2, 2)
    assert columns.categories[1, 0] == columns.category_code("drama") == 0
    assert columns.plain is plain
    np.testing.assert_allclose(plain.content_vectors[0], content_vector(titled(0, "a")), atol=0.005)


def test_what_came_changed_or_went_since_is_encoded_once_the_columns_show_it() -> None:
    items, plain = site("a", "b")
    columns = EncodedColumns(plain, brought(plain))
    items.put([titled(0, "four"), titled(2, "seven..")])
    items.remove(["i1"])
    columns.follow(items)
    assert length(columns, 0, 1, 2) == [7, 7, -1]
    plain.write(items.changes(plain.version, 100))
    columns.follow(items)
    assert length(columns, 0, 1, 2) == [4, -1, 7]
    assert code(columns, 0, 1, 2, 3) == [4, -1, 7, -1]
    assert (columns.size, columns.version) == (3, plain.version)


def test_any_number_of_new_items_finds_room_and_the_row_behind_them_stays_blank() -> None:
    items, plain = site("a")
    columns = EncodedColumns(plain, brought(plain, spare=1))
    items.put([titled(n, "x" * n) for n in range(1, 3_000)])
    plain.write(items.changes(plain.version, 5_000))
    assert columns.size == 1
    columns.follow(items)
    columns.refresh()
    assert columns.size == 3_000
    assert length(columns, 0, 1, 2_999, 3_000, 99_999) == [7, 1, 2_999 % 64, -1, -1]
    assert code(columns, 0, 1, 2_999, 3_000, 99_999) == [5, 1, 2_999 % 64, -1, -1]
    assert len(columns.content) > columns.size
    assert columns.servable is plain.servable


def test_two_releases_read_the_same_items_each_in_its_own_way() -> None:
    _, plain = site("abc")
    older, newer = EncodedColumns(plain, brought(plain)), EncodedColumns(plain, brought(plain))
    newer._vectors[0] = 0
    assert (length(older, 0), length(newer, 0)) == ([7], [-1])


def test_to_read_a_few_rows_copies_no_column() -> None:
    _, plain = site("a", "b")
    columns = EncodedColumns(plain, brought(plain, spare=200_000))
    names = [*COLUMNS, "code"]
    columns.read(np.array([0, 1], np.int32), names)
    tracemalloc.start()
    try:
        columns.read(np.array([0, 1], np.int32), names)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()
