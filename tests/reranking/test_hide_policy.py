"""What policy hides, it hides; where it does not know, it does not show."""

from dataclasses import replace

import numpy as np
import pytest

from palate.catalog.columns import ItemColumns
from palate.catalog.item import Item
from palate.catalog.protocol import ItemChange
from palate.funnel.types import Query
from palate.reranking.hide_policy import HidePolicy
from palate.testing.tiny import NOW, tiny_row, tiny_stores, tiny_world


def shows(item_id: str, query: Query) -> bool:
    rows = np.array([tiny_row(item_id)], np.int32)
    part = HidePolicy.default(tiny_stores())
    kept = bool(part.keep(query, rows, tiny_stores().columns.read(rows, part.reads))[0])
    assert kept == (part.problem(query, int(rows[0])) == ""), (
        "what is told agrees with what is done"
    )
    return kept


ANYBODY = tiny_world().query()


@pytest.mark.parametrize("item", ["action-9", "comedy-9", "drama-9", "space-9"])
def test_hidden_expired_unpublished_and_unknown_items_are_never_shown(item: str) -> None:
    assert not shows(item, ANYBODY)


def test_an_item_is_shown_from_its_publication_until_it_expires() -> None:
    assert shows("drama-9", replace(ANYBODY, now=NOW + 86_400.0))
    assert not shows("drama-9", replace(ANYBODY, now=NOW + 86_399.0))
    assert shows("comedy-9", replace(ANYBODY, now=NOW - 86_401.0))
    assert not shows("comedy-9", replace(ANYBODY, now=NOW - 86_400.0))


@pytest.mark.parametrize(("age", "shown"), [(None, False), (17, False), (18, True)])
def test_an_age_limit_holds_for_who_is_younger_and_who_does_not_say(
    age: int | None, *, shown: bool
) -> None:
    assert shows("horror-9", replace(ANYBODY, age=age)) is shown


@pytest.mark.parametrize(
    ("region", "shown"),
    [("", False), ("US", False), ("nowhere", False), ("DE", True), ("fr", True)],
)
def test_a_region_limit_holds_for_who_is_elsewhere_and_who_does_not_say(
    region: str, *, shown: bool
) -> None:
    assert shows("romance-9", replace(ANYBODY, region=region)) is shown


def test_what_is_free_is_shown_to_somebody_we_know_nothing_of() -> None:
    assert shows("horror-1", replace(ANYBODY, age=None, region=""))


def test_every_one_of_many_regions_is_told_apart() -> None:
    columns = ItemColumns.in_memory()
    items = [Item(item_id=f"i{n}", regions=(f"R{n}",)) for n in range(200)]
    columns.write([ItemChange(n + 1, n, item.item_id, item) for n, item in enumerate(items)])
    part, rows = HidePolicy(columns), np.arange(200, dtype=np.int32)
    for n in (0, 63, 64, 127, 199):
        query = replace(ANYBODY, region=f"R{n}")
        kept = part.keep(query, rows, columns.read(rows, part.reads))
        assert np.flatnonzero(kept).tolist() == [n]
