import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from palate.catalog.columns import NOWHERE, ItemColumns
from palate.catalog.content import content_vector
from palate.catalog.item import Item
from palate.catalog.protocol import ItemChange
from palate.catalog.sqlite import SqliteItems
from palate.errors import Conflict

FILM = Item(
    item_id="f",
    title="Brazil",
    categories=("Sci-Fi", "Drama"),
    tags=("a", "b"),
    creator_id="Gilliam",
    published_at=1.0,
    expires_at=2.0,
    regions=("DE", "fr"),
    min_age=16,
)


def change(version: int, row: int, item: Item | None) -> ItemChange:
    return ItemChange(version, row, item.item_id if item else "gone", item)


def test_an_item_is_shown_column_by_column() -> None:
    columns = ItemColumns.in_memory()
    columns.write([change(7, 3, FILM)])
    assert (columns.size, columns.version) == (4, 7)
    assert columns.servable[:5].tolist() == [0, 0, 0, 1, 0]
    assert (columns.published[3], columns.expires[3]) == (1.0, 2.0)
    assert (columns.min_age[3], columns.tags[3]) == (16, 2)
    assert columns.categories[3].tolist() == [0, 1] + [-1] * 6
    assert columns.category_names() == ["Sci-Fi", "Drama"]
    assert columns.creator[3] == columns.creator_code("Gilliam") == 0
    told = columns.read(np.array([3], np.int32), ("content",))["content"][0]
    np.testing.assert_allclose(told, content_vector(FILM), atol=0.005)
    np.testing.assert_array_equal(columns.content_vectors[3], told)
    assert _regions(columns, 3) == {columns.region_code("de"), columns.region_code("FR")}


def _regions(columns: ItemColumns, row: int) -> set[int]:
    words = columns.regions[row].tolist()
    return {64 * n + bit for n, word in enumerate(words) for bit in range(64) if word >> bit & 1}


def test_what_is_not_known_has_no_code_and_nothing_is_everywhere() -> None:
    columns = ItemColumns.in_memory()
    columns.write([change(1, 0, Item(item_id="bare"))])
    assert columns.category_code("x") == columns.creator_code("x") == columns.region_code("x") == -1
    assert _regions(columns, 0) == set()
    assert np.isnan(columns.published[0])
    assert np.isnan(columns.expires[0])
    assert columns.creator[0] == -1
    assert columns.content[0].tolist() == [0] * 64


def test_a_hidden_item_and_a_deleted_one_are_not_servable() -> None:
    columns = ItemColumns.in_memory()
    columns.write([change(1, 0, FILM), change(2, 1, FILM)])
    columns.write([change(3, 0, Item(item_id="f", hidden=True)), change(4, 1, None)])
    assert columns.servable[:2].tolist() == [0, 0]
    assert columns.tags[:2].tolist() == [0, 0]
    assert columns.categories[1].tolist() == [-1] * 8
    assert columns.version == 4


def test_a_replaced_item_keeps_nothing_of_the_old_one() -> None:
    columns, fresh = ItemColumns.in_memory(), ItemColumns.in_memory()
    columns.write([change(1, 0, FILM)])
    columns.write([change(2, 0, Item(item_id="f", title="Other"))])
    fresh.write([change(2, 0, Item(item_id="f", title="Other"))])
    for name, column in columns.read(np.array([0], np.int32), ["regions", "creator"]).items():
        np.testing.assert_array_equal(column, getattr(fresh, name)[:1])


def test_the_first_eight_categories_count() -> None:
    columns = ItemColumns.in_memory()
    columns.write([change(1, 0, Item(item_id="m", categories=tuple("abcdefghij")))])
    assert columns.categories[0].tolist() == list(range(8))
    assert columns.category_code("i") == -1


def test_an_item_for_regions_without_a_code_is_shown_nowhere() -> None:
    columns = ItemColumns.in_memory()
    many = tuple(f"R{n}" for n in range(300))
    columns.write([change(1, 0, Item(item_id="many", regions=many))])
    columns.write([change(2, 1, Item(item_id="late", regions=("R299",)))])
    assert columns.region_code("R254") == 254
    assert columns.region_code("R299") == columns.region_code("R255") == -1
    assert _regions(columns, 0) == {*range(255), NOWHERE}
    assert _regions(columns, 1) == {NOWHERE}


@pytest.mark.parametrize("row", [-1, 3, 5_000, 2**31 - 1])
def test_a_row_outside_reads_as_never_written(row: int) -> None:
    columns = ItemColumns.in_memory(4)
    columns.write([change(n + 1, n, FILM) for n in range(3)])
    read = columns.read(np.array([row], np.int32), ["servable", "creator", "published"])
    assert (read["servable"].tolist(), read["creator"].tolist()) == ([0], [-1])
    assert np.isnan(read["published"]).all()


def test_room_grows_and_keeps_what_was_there() -> None:
    columns = ItemColumns.in_memory(2)
    columns.write([change(1, 0, FILM)])
    columns.write([change(2, 5_000, FILM)])
    columns.reserve(9_000)
    assert columns.size == 9_000
    assert columns.capacity > 9_000
    assert np.flatnonzero(columns.servable).tolist() == [0, 5_000]
    assert columns.category_code("Drama") == 1


def test_readers_follow_the_writer_through_growth(tmp_path: Path) -> None:
    early = ItemColumns.open(tmp_path / "c")
    assert (early.size, early.version, early.servable.any()) == (0, 0, False)
    writer = ItemColumns.open(tmp_path / "c", write=True)
    writer.write([change(1, 0, FILM)])
    early.refresh()
    mapped = ItemColumns.open(tmp_path / "c")
    for reader in (early, mapped):
        assert (reader.size, reader.version, reader.category_names()) == (1, 1, ["Sci-Fi", "Drama"])
    writer.write([change(2, 9_999, Item(item_id="x", categories=("War",), creator_id="N"))])
    for reader in (early, mapped):
        assert reader.servable[0] == 1
        reader.refresh()
        assert reader.servable[9_999] == 1
        assert (reader.category_code("War"), reader.creator_code("N")) == (2, 1)


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    writer = ItemColumns.open(tmp_path / "c", write=True)
    writer.write([change(1, 0, FILM)])
    reader = ItemColumns.open(tmp_path / "c")
    with pytest.raises(Conflict, match="opened for reading"):
        reader.write([change(2, 0, None)])
    with pytest.raises(ValueError, match="read-only"):
        reader.servable[0] = 0


def test_only_one_process_writes(tmp_path: Path) -> None:
    first = ItemColumns.open(tmp_path / "c", write=True)
    with pytest.raises(Conflict, match="being written by another process"):
        ItemColumns.open(tmp_path / "c", write=True)
    first.close()
    ItemColumns.open(tmp_path / "c", write=True)


def test_a_writer_goes_on_where_the_last_one_stopped(tmp_path: Path) -> None:
    writer = ItemColumns.open(tmp_path / "c", write=True)
    writer.write([change(1, 0, FILM)])
    writer.close()
    again = ItemColumns.open(tmp_path / "c", write=True)
    assert (again.version, again.servable[0], again.category_names()) == (1, 1, ["Sci-Fi", "Drama"])
    again.write([change(2, 1, Item(item_id="x", categories=("War",)))])
    assert ItemColumns.open(tmp_path / "c").category_code("War") == 2


WRITER = """
import os, sys
from pathlib import Path
from palate.catalog.columns import ItemColumns
from palate.catalog.item import Item
from palate.catalog.protocol import ItemChange
columns = ItemColumns.open(Path(sys.argv[1]), write=True)
columns.write([ItemChange(5, 0, "a", Item(item_id="a", categories=("War",)))])
columns._category.learn(["never published"], 9)
os._exit(9)
"""


def test_a_killed_writer_leaves_what_it_published(tmp_path: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", WRITER, str(tmp_path / "c")], check=False)
    assert killed.returncode == 9
    columns = ItemColumns.open(tmp_path / "c", write=True)
    assert (columns.version, columns.servable[0]) == (5, 1)
    columns.write([change(6, 1, Item(item_id="b", categories=("Drama",)))])
    assert ItemColumns.open(tmp_path / "c").category_names() == ["War", "Drama"]


def test_after_the_machine_went_down_all_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = subprocess.run([sys.executable, "-c", WRITER, str(tmp_path / "c")], check=False)
    assert killed.returncode == 9
    (tmp_path / "boot").write_text("another boot")
    monkeypatch.setattr("palate.catalog.columns.BOOT", tmp_path / "boot")
    columns = ItemColumns.open(tmp_path / "c", write=True)
    assert (columns.version, columns.size, columns.category_names()) == (0, 0, [])
    assert not columns.servable.any()


@pytest.mark.parametrize("damage", ["cut", "missing", "vocabulary", "line", "format"])
def test_damaged_files_are_made_anew(
    tmp_path: Path, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = ItemColumns.open(tmp_path / "c", write=True)
    writer.write([change(1, 0, FILM)])
    writer.close()
    (mapped,) = (tmp_path / "c").glob("*.map")
    if damage == "cut":
        mapped.write_bytes(mapped.read_bytes()[:100])
    elif damage == "missing":
        mapped.unlink()
    elif damage == "vocabulary":
        next((tmp_path / "c").glob("*categories.jsonl")).write_text('"Sci-F')
    elif damage == "line":
        next((tmp_path / "c").glob("*categories.jsonl")).write_text("Sci\nDrama\n")
    else:
        monkeypatch.setattr("palate.catalog.columns.FORMAT", 99)
    columns = ItemColumns.open(tmp_path / "c", write=True)
    assert (columns.version, columns.category_names(), columns.servable.any()) == (0, [], False)
    columns.write([change(1, 0, Item(item_id="f", categories=("Drama",)))])
    reader = ItemColumns.open(tmp_path / "c")
    assert (reader.version, reader.category_names()) == (1, ["Drama"])


def test_the_vocabularies_are_lines_of_json(tmp_path: Path) -> None:
    writer = ItemColumns.open(tmp_path / "c", write=True)
    writer.write([change(1, 0, Item(item_id="a", categories=("Über\n", '"')))])
    (file,) = (tmp_path / "c").glob("*categories.jsonl")
    assert [json.loads(line) for line in file.read_text().splitlines()] == ["Über\n", '"']


def test_a_catalogue_shown_in_steps_equals_one_shown_at_once(tmp_path: Path) -> None:
    items = SqliteItems(tmp_path / "c.db")
    steps = ItemColumns.in_memory(2)
    for n in range(6):
        items.put([Item(item_id=f"{n % 4}", title=f"Title {n}", categories=(f"c{n}",))])
        if n == 3:
            items.remove(["0"])
        while told := items.changes(steps.version, 1):
            steps.write(told)
    at_once = ItemColumns.in_memory()
    at_once.write(items.changes(0, 100))
    assert steps.version == at_once.version
    rows = np.arange(5, dtype=np.int32)
    names = ["servable", "content", "tags", "published"]
    for one, other in zip(
        steps.read(rows, names).values(), at_once.read(rows, names).values(), strict=True
    ):
        np.testing.assert_array_equal(one, other)
