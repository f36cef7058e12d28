"""What the catalogue withdrew is withheld until the columns show it, and no longer."""

from pathlib import Path

import pytest

from palate.catalog import withheld
from palate.catalog.item import Item
from palate.catalog.sqlite import SqliteItems
from palate.catalog.withheld import Withheld, limited


@pytest.fixture
def items(tmp_path: Path) -> SqliteItems:
    held = SqliteItems(tmp_path / "catalog.db")
    held.put([Item(item_id=name) for name in "abcd"])
    return held


def newest(items: SqliteItems) -> int:
    return items.changes(0, 100)[-1].version


def test_what_was_deleted_hidden_or_limited_is_withheld_until_it_is_shown(
    items: SqliteItems,
) -> None:
    shown, found = newest(items), Withheld()
    items.remove(["b"])
    items.put([Item(item_id="a", title="new"), Item(item_id="d", hidden=True)])
    found.look(items, shown)
    b, d = items.rows(["b", "d"], create=False).tolist()
    assert found.rows(shown).tolist() == [b, d]
    assert found.rows(newest(items)).tolist() == []
    found.look(items, newest(items))
    assert found.rows(shown).tolist() == [], "it is forgotten once it is shown"


def test_what_comes_back_is_not_withheld(items: SqliteItems) -> None:
    shown, found = newest(items), Withheld()
    items.put([Item(item_id="a", hidden=True)])
    found.look(items, shown)
    assert len(found.rows(shown)) == 1
    items.put([Item(item_id="a")])
    found.look(items, shown)
    assert not len(found.rows(shown))


def test_a_long_queue_is_looked_through_some_at_a_time(
    items: SqliteItems, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(withheld, "LOOKED_AT", 2)
    shown, found = newest(items), Withheld()
    items.remove(["a", "b", "c"])
    found.look(items, shown)
    assert len(found.rows(shown)) == 2
    found.look(items, shown)
    assert len(found.rows(shown)) == 3


def test_what_is_withheld_is_bounded(items: SqliteItems, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(withheld, "MOST", 1)
    monkeypatch.setattr(withheld, "LOOKED_AT", 1)
    shown, found = newest(items), Withheld()
    items.remove(["a", "b", "c"])
    for _ in range(3):
        found.look(items, shown)
    assert len(found.rows(shown)) == 1
    found.look(items, newest(items))
    assert not len(found.rows(shown))


def test_only_what_limits_who_may_see_an_item_counts() -> None:
    assert limited(None)
    assert limited(Item(item_id="a", regions=("DE",)))
    assert limited(Item(item_id="a", min_age=18))
    assert limited(Item(item_id="a", expires_at=1.0))
    assert not limited(Item(item_id="a", title="t", published_at=1.0))
