"""docs/features.md says what the declarations say."""

from pathlib import Path

import numpy as np

from palate.features.measured import Measured, missing, read_measured, write_measured
from palate.features.page import HEAD, page, table
from palate.features.vector import DECLARED, defaults, offered
from palate.funnel.facts import heard
from palate.surfaces.home import generators
from palate.testing.tiny import tiny_stores

PAGE = Path(__file__).parents[2] / "docs" / "features.md"
NAMES = offered(heard(generators(tiny_stores())))


def rows(text: str) -> list[list[str]]:
    """Cells of every table's rows, without what was measured."""
    lines = [line for line in text.splitlines() if line.startswith("|") and "---" not in line]
    return [[cell.strip() for cell in line.split("|")[1 : 1 + len(HEAD)]] for line in lines]


def test_the_page_agrees_with_the_declarations() -> None:
    assert rows(PAGE.read_text("utf-8")) == rows(page(NAMES, {})), (
        "run `palate features --page > docs/features.md` (with --site for what was measured)"
    )


def test_every_feature_in_use_is_on_the_page_and_the_retired_are_told_apart() -> None:
    text = page(NAMES, {})
    assert [cells[0] for cells in rows(text) if cells[0] != "name"] == [
        f"`{name}`" for s in ("user", "item", "cross") for name in NAMES if subject_of(name) == s
    ]
    assert all(f"`{f.name}`" in text.partition("## Retired")[2] for f in DECLARED if f.retired)


def subject_of(name: str) -> str:
    return next((f.subject for f in DECLARED if f.name == name), "cross")


def test_what_a_release_measured_stands_beside_the_feature(tmp_path: Path) -> None:
    assert read_measured(tmp_path) == {}
    write_measured(tmp_path, {"found_by": Measured(missing=0.25, importance=0.0123)})
    text = page(("found_by", "best_rank"), read_measured(tmp_path))
    assert "| 25% | +0.0123 |" in text
    assert "missing" not in page(("found_by",), {})
    assert table([], with_measured=True).splitlines()[0].endswith("missing | importance |")


def test_missing_is_what_a_feature_says_where_there_is_nothing_to_go_by() -> None:
    names = ("item_rating", "found_by")
    rating, nothing = defaults(names)
    assert (rating, nothing) == (3.5, 0.0)
    shares = missing(names, np.array([[3.5, 0.0], [4.0, 0.0]], np.float32))
    assert shares == {"item_rating": 0.5, "found_by": 1.0}
