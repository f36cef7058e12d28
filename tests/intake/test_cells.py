from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from palate.intake.cells import is_empty, value_of


@pytest.mark.parametrize(
    ("field", "cell", "value"),
    [
        ("item_id", "242", "242"),
        ("item_id", 242, "242"),
        ("item_id", 242.0, "242"),
        ("item_id", 2.5, 2.5),
        ("item_id", True, True),
        ("title", "  x ", "x"),
        ("categories", "a| b ||c", ["a", "b", "c"]),
        ("categories", ["a", 2], ["a", "2"]),
        ("items", [{"item_id": "a"}], [{"item_id": "a"}]),
        ("categories", 7, 7),
        ("value", "4.5", 4.5),
        ("value", "4.0", 4),
        ("value", "good", "good"),
        ("time", "881250949", 881_250_949),
        ("time", "1999-03-31", "1999-03-31"),
        ("time", datetime(1970, 1, 2, tzinfo=UTC), 86_400.0),
        ("time", datetime(1970, 1, 2), 86_400.0),  # noqa: DTZ001  as Parquet gives it
        ("published_at", date(1970, 1, 2), "1970-01-02"),
        ("value", Decimal("1.5"), 1.5),
        ("hidden", "Yes", True),
        ("hidden", "0", False),
        ("hidden", "maybe", "maybe"),
        ("hidden", 1, True),
        ("hidden", 2, 2),
        ("embedding", "1|-0.5", [1, -0.5]),
        ("attributes", '{"a": 1}', {"a": 1}),
        ("attributes", "{", "{"),
        ("birth_year", "1980", 1980),
        ("anything", 3, 3),
    ],
)
def test_a_cell_becomes_what_its_field_wants(field: str, cell: Any, value: Any) -> None:
    got = value_of(field, cell)
    assert (got, type(got)) == (value, type(value))


def test_what_is_empty() -> None:
    assert all(is_empty(cell) for cell in (None, "", float("nan")))
    assert not any(is_empty(cell) for cell in (0, False, " ", [], "0"))
