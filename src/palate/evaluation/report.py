"""What an evaluation found: one row per model and slice, for programs and for people."""

from collections.abc import Mapping
from typing import TypeAlias

import msgspec
from rich.table import Table

Value: TypeAlias = str | int | float | tuple[float, float]
Row: TypeAlias = dict[str, Value]
"""`model`, `slice`, `users`, then `metric@k`; `ndcg@10_interval` is (low, high)."""

SHOWN = {
    "recall@10": "R@10",
    "ndcg@10": "N@10",
    "next_recall@10": "next R@10",
    "recall@500": "R@500",
    "recall@10%": "R@10%",
    "coverage@10": "coverage",
    "gini@10": "Gini",
    "diversity@10": "diversity",
    "novelty@10": "novelty",
    "fresh@10": "≤ 7 d",
    "popularity@10": "popularity",
}
"""What the table for people shows, and what it calls it; the JSON holds everything."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The result of `palate evaluate`; encodes to its JSON."""

    protocol: str
    data: Mapping[str, Value]
    """Counts of the data and of the split."""
    rows: tuple[Row, ...]
    command: str
    seconds: float

    def row(self, model: str, part: str) -> Row:
        """Give the one row of a model and slice; KeyError where there is none."""
        for row in self.rows:
            if (row["model"], row["slice"]) == (model, part):
                return row
        raise KeyError(model, part)

    def table(self) -> Table:
        """Draw the report for people: a block per slice."""
        data = ", ".join(f"{name} {value}" for name, value in self.data.items())
        table = Table(title=f"{self.protocol}: {data}", title_justify="left")
        for name in ("slice", "model"):
            table.add_column(name)
        for name in ("users", *SHOWN.values()):
            table.add_column(name, justify="right")
        for before, row in zip((None, *self.rows), self.rows, strict=False):
            if before and before["slice"] != row["slice"]:
                table.add_section()
            table.add_row(str(row["slice"]), str(row["model"]), str(row["users"]), *_cells(row))
        return table


def _cells(row: Row) -> list[str]:
    cells = [_cell(row.get(name, "")) for name in SHOWN]
    if isinstance(spread := row.get("ndcg@10_interval"), tuple):
        cells[list(SHOWN).index("ndcg@10")] += f" ±{(spread[1] - spread[0]) / 2:.3f}"
    return cells


def _cell(value: Value) -> str:
    if isinstance(value, float):
        return f"{value:.1f}" if value >= 10 else f"{value:.4f}"  # noqa: PLR2004  two looks of a number
    return str(value)
