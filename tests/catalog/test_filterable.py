"""Free attributes as columns, and conditions on them."""

from pathlib import Path

import numpy as np
import pytest

from palate.catalog.attributes import MOST
from palate.catalog.columns import ItemColumns
from palate.catalog.filterable import Filterable
from palate.catalog.item import Item
from palate.catalog.protocol import ItemChange
from palate.errors import BadInput
from palate.expressions.check import checked
from palate.expressions.mask import Scope, mask

ITEMS = [
    Item(item_id="a", kind="film", categories=("drama",), tags=("x",), creator_id="c",
         attributes={"year": 1999, "hot": True, "langs": ["en", "de"], "studio": "Ufa"}),
    Item(item_id="b", published_at=5.0, attributes={"year": 2004.5, "langs": []}),
    Item(item_id="c", tags=("x", "y"), attributes={"year": "long ago", "hot": False}),
]  # fmt: skip


def changes(items: list[Item], first: int = 0) -> list[ItemChange]:
    return [
        ItemChange(first + n + 1, first + n, item.item_id, item) for n, item in enumerate(items)
    ]


def chosen(columns: ItemColumns, text: str) -> list[int]:
    fields = Filterable(columns)
    condition = checked(text, fields.schema())
    return np.flatnonzero(mask(condition, fields, Scope(9e8, {}), columns.size)).tolist()


@pytest.fixture(params=["memory", "files"])
def columns(request: pytest.FixtureRequest, tmp_path: Path) -> ItemColumns:
    if request.param == "memory":
        return ItemColumns.in_memory()
    return ItemColumns.open(tmp_path, write=True)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("year < 2000", [0]),
        ("attributes.year > 2004", [1]),
        ("not has(year)", [2]),
        ("hot", [0]),
        ('"de" in langs', [0]),
        ("has(langs)", [0]),
        ('studio == "Ufa"', [0]),
        ('kind == "film" or "y" in tags', [0, 2]),
        ('"x" in tags', [0, 2]),
        ('"drama" in categories', [0]),
        ('creator_id == "c"', [0]),
        ('published_at < "1970-01-02"', [1]),
    ],
)
def test_items_are_found_by_what_is_said_of_them(
    columns: ItemColumns, text: str, rows: list[int]
) -> None:
    columns.write(changes(ITEMS))
    assert chosen(columns, text) == rows


def test_a_replaced_and_a_deleted_item_keep_no_attribute(columns: ItemColumns) -> None:
    columns.write(changes(ITEMS))
    columns.write([ItemChange(4, 0, "a", Item(item_id="a")), ItemChange(5, 1, "b", None)])
    assert chosen(columns, "has(year)") == []
    assert chosen(columns, "has(langs) or has(kind)") == []


def test_a_reader_sees_new_fields_and_new_rows(tmp_path: Path) -> None:
    writer = ItemColumns.open(tmp_path, write=True)
    reader = ItemColumns.open(tmp_path)
    writer.write(changes(ITEMS))
    reader.refresh()
    assert chosen(reader, "year < 2000") == [0]
    writer.write(changes([Item(item_id=f"n{n}", attributes={"year": n}) for n in range(3_000)], 3))
    writer.write(changes([Item(item_id="late", attributes={"new": "yes"})], 3_003))
    reader.refresh()
    assert len(chosen(reader, "year < 1000")) == 1_000
    assert chosen(reader, 'new == "yes"') == [3_003]
    writer.close()
    again = ItemColumns.open(tmp_path, write=True)
    assert again.version == writer.version
    assert chosen(again, 'new == "yes"') == [3_003]
    again.close()


def test_fields_beyond_the_bound_cannot_be_filtered_by(columns: ItemColumns) -> None:
    wide = Item(item_id="w", attributes={f"f{n:03d}": n for n in range(MOST + 5)})
    columns.write(changes([wide]))
    assert len(columns.attributes.kinds()) == MOST
    with pytest.raises(BadInput, match="there is no field f068"):
        chosen(columns, "f068 == 68")
    assert chosen(columns, "f010 == 10") == [0]


LONG = [
    Item(item_id="t", tags=(*(f"t{n}" for n in range(20)), "adult")),
    Item(item_id="c", categories=(*(f"c{n}" for n in range(9)), "adult")),
    Item(item_id="a", attributes={"langs": [f"l{n}" for n in range(30)]}),
    Item(item_id="q", tags=(*(f"t{n}" for n in range(20)), 'x", "adult", "y', "c\nadult\nd")),
]


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ('"adult" in tags', [0]),
        ('"adult" in categories', [1]),
        ('tags in ["nothing", "adult"] or categories in ["c8"]', [0, 1]),
        ('"l29" in langs', [2]),
        ('"l0" in attributes.langs', [2]),
        ('"t19" in tags and not "adult" in tags', [3]),
        ('"c\\nadult\\nd" in tags', [3]),
        ("has(categories)", [1]),
    ],
)
def test_a_long_list_is_found_by_its_last_text_too(
    columns: ItemColumns, text: str, rows: list[int]
) -> None:
    columns.write(changes(LONG))
    assert chosen(columns, text) == rows


def test_a_shorter_list_takes_the_place_of_a_long_one(columns: ItemColumns) -> None:
    columns.write(changes(LONG))
    columns.write([ItemChange(5, 0, "t", Item(item_id="t", tags=("t0",)))])
    assert chosen(columns, '"adult" in tags') == []
    assert chosen(columns, '"t0" in tags') == [0, 3]


def test_tags_are_a_field_however_many_attributes_there_are(columns: ItemColumns) -> None:
    wide = Item(item_id="w", attributes={f"f{n:03d}": n for n in range(MOST + 5)})
    columns.write(changes([wide]))
    columns.write(changes(LONG, 1))
    assert chosen(columns, '"adult" in tags or "adult" in categories') == [1, 2]


def test_a_category_that_found_no_code_is_found_all_the_same(
    columns: ItemColumns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("palate.catalog.columns.MOST_CATEGORIES", 2)
    columns.write(changes([Item(item_id="c", categories=("one", "two", "adult"))]))
    assert chosen(columns, '"adult" in categories') == [0]
