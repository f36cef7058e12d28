"""What an evaluation found: one row per model and slice, for programs and for people."""

from collections.abc import Mapping
from typing import TypeAlias

import msgspec
from rich.box import SIMPLE_HEAD
from rich.table import Table

Value: TypeAlias = str | int | float | tuple[float, float]
Row: TypeAlias = dict[str, Value]
"""`model`, `slice`, `users`, then `metric@k`; `ndcg@10_interval` is (low, high)."""

SHOWN = {
    "recall@10": "R@10",
    "ndcg@10": "N@10",
    "next_recall@10": "next",
    "recall@500": "R@500",
    "recall@10%": "R@10%",
    "coverage@10": "cover",
    "gini@10": "Gini",
    "diversity@10": "divers",
    "novelty@10": "novel",
    "fresh@10": "≤ 7 d",
    "popularity@10": "popul",
}
"""What the table for people shows, and what it calls it; the JSON holds everything. (`next` is the
recall@10 where only the very next event is right.)"""
LEGEND = """R@k: share of what people took next that is among the first k; 10%: a tenth of all.
N@10: NDCG, with half its 95 % interval. next: R@10 where only the very next event is right.
cover: share of the catalogue that anybody is shown. Gini: how unevenly places are spread, 0 to 1.
divers: how unlike the items of a list are. novel: how little known they are, in bits. ≤ 7 d: share
that is a week old at most. popul: how many people took an item before. All of the first 10."""
WIDTH = 112
"""Columns of a terminal that the table needs."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The result of `palate evaluate`; encodes to its JSON."""

    protocol: str
    data: Mapping[str, Value]
    """Counts of the data and of the split; `t1`, where the past ends, is a date."""
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
        """Draw the report for people: a block per slice, `WIDTH` characters wide."""
        data = ", ".join(f"{name} {_whole(value)}" for name, value in self.data.items())
        table = Table(title=f"{self.protocol}: {data}", title_justify="left", box=SIMPLE_HEAD)
        table.padding, table.pad_edge = (0, 1, 0, 0), False
        table.caption, table.caption_justify = LEGEND, "left"
        table.add_column("model", no_wrap=True)
        for name in ("users", *SHOWN.values()):
            table.add_column(name, justify="right", no_wrap=True)
        for before, row in zip((None, *self.rows), self.rows, strict=False):
            if before is None or before["slice"] != row["slice"]:
                table.add_section()
                table.add_row(f"[bold]{row['slice']}[/bold]")
            table.add_row(str(row["model"]), str(row["users"]), *_cells(row))
        return table


def _cells(row: Row) -> list[str]:
    cells = [_cell(row.get(name, "")) for name in SHOWN]
    if isinstance(spread := row.get("ndcg@10_interval"), tuple):
        half = _cell((spread[1] - spread[0]) / 2)
        cells[list(SHOWN).index("ndcg@10")] += f" ±{half}"
    return cells


def _cell(value: Value) -> str:
    """Three digits that count: .064, 2.47, 322."""
    if not isinstance(value, float):
        return str(value)
    return f"{value:.3f}".lstrip("0") if value < 1 else f"{value:#.3g}".rstrip(".")


def _whole(value: Value) -> str:
    return f"{value:.0f}" if isinstance(value, float) else str(value)
