"""The tables of docs/quality.md, written between its markers."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

from compared.ledger import Line, Place, Summary

ORDER = (
    "popularity", "popularity 30d", "popularity 7d", "popularity decayed", "item-kNN",
    "co-occurrence", "RP3beta", "EASE", "EASE + popularity", "EASE + decayed popularity",
    "iALS (implicit)", "SASRec", "SASRec + popularity", "covisit tuned",
)  # fmt: skip
"""Peers and counted models first; what a release serves follows in the funnel's order."""
LAST = ("union", "rrf", "fusion", "lambdamart", "ranker", "funnel")
NAMES = {"funnel": "**whole funnel**", "covisit tuned": "covisit, tuned here",
    "lambdamart": "the ranker's trees alone", "rrf": "reciprocal ranks",
}  # fmt: skip
COLUMNS = {
    "loo": ("recall@10", "ndcg@10", "recall@500", "coverage@10"),
    "time": ("ndcg@10", "recall@10", "next_recall@10", "recall@500", "coverage@10"),
}
HEADS = {
    "recall@10": "R@10",
    "ndcg@10": "N@10",
    "next_recall@10": "next R@10",
    "recall@500": "R@500",
    "coverage@10": "cover",
}
NONE = "-"
FUNNEL = "funnel"
AHEAD = "funnel's N@10 less this (95 %, in pairs)"
COSTS = ("seeds", "fit s", "ask s", "MB")


def marked(name: str, text: str, page: str) -> str:
    """The page with what stands between the markers of `name` replaced."""
    begin, end = f"<!-- {name}: written by bench/quality.py -->", f"<!-- end of {name} -->"
    if begin not in page or end not in page:
        return f"{page.rstrip()}\n\n{begin}\n\n{text.strip()}\n\n{end}\n"
    pattern = re.compile(re.escape(begin) + r".*?" + re.escape(end), re.DOTALL)
    return pattern.sub(lambda _: f"{begin}\n\n{text.strip()}\n\n{end}", page)


Pairs: TypeAlias = Mapping[Place, Mapping[str, Line]]
"""Comparisons in pairs: of a place, by the model that it is compared with."""
NO_PAIRS: Pairs = MappingProxyType({})


def write(page: Path, found: Mapping[Place, Summary], pairs: Pairs = NO_PAIRS) -> None:
    """Write every table into the page."""
    text = page.read_text("utf-8")
    for data, protocol in sorted({(p.data, p.protocol) for p in found}):
        here = {p: s for p, s in found.items() if (p.data, p.protocol) == (data, protocol)}
        parts = sorted({p.slice for p in here}, reverse=True)
        tables = [table(protocol, part, here.values(), pairs) for part in parts]
        text = marked(f"{data} {protocol}", "\n\n".join(tables), text)
    page.write_text(text, "utf-8")


def table(protocol: str, part: str, found: Iterable[Summary], pairs: Pairs = NO_PAIRS) -> str:
    """One Markdown table; where the funnel was compared in pairs, with the differences."""
    rows = sorted((s for s in found if s.place.slice == part), key=_place)
    users = next((int(s.seeds[0]["users"]) for s in rows), 0)
    first = f"{users:,} users" if part == "all" else f"{part}, {users:,} users"
    ahead = _ahead(rows, pairs)
    heads = [
        first,
        *(HEADS[name] for name in COLUMNS[protocol]),
        *COSTS,
        *([AHEAD] if ahead else ()),
    ]
    lines = [heads, ["---", *("---:" for _ in heads[1:])]]
    for row in rows:
        told = [ahead.get(row.place.model, "")] if ahead else []
        lines.append([*_cells(row, COLUMNS[protocol]), *told])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _ahead(rows: Sequence[Summary], pairs: Pairs) -> dict[str, str]:
    """By peer: how far the whole funnel is ahead of it, and the 95 % interval in pairs."""
    told = {}
    for row in rows:
        for name, line in pairs.get(row.place, {}).items() if row.place.model == FUNNEL else ():
            low, high = line["interval"]
            told[name] = f"{_signed(line['difference'])} ({_signed(low)} to {_signed(high)})"
    return told


def _signed(value: float) -> str:
    return f"{value:+.4f}".replace("0.", ".", 1)


def _place(row: Summary) -> tuple[int, int, str]:
    model = row.place.model
    if model in ORDER:
        return 0, ORDER.index(model), ""
    return (2, LAST.index(model), "") if model in LAST else (1, 0, model)


def _cells(row: Summary, columns: Iterable[str]) -> Iterator[str]:
    model = row.place.model
    told = f" ({row.place.training})" if row.place.training else ""
    yield NAMES.get(model, model.replace("_", " ")) + told
    for name in columns:
        if model == "union" and name != "recall@500":
            yield NONE
        elif name == "ndcg@10":
            spread = f" (seeds ± {_short(row.spread(name))})" if len(row.seeds) > 1 else ""
            yield f"{_short(row.mean(name))} ± {_short(row.half(name))}{spread}"
        else:
            yield _short(row.mean(name))
    yield str(len(row.seeds))
    yield from (_whole(row.mean(name)) for name in ("fit_seconds", "ask_seconds", "megabytes"))


def _short(value: float) -> str:
    """`.0123`: four decimals, without the zero before the point."""
    return NONE if math.isnan(value) else f"{value:.4f}".removeprefix("0")


def _whole(value: float) -> str:
    return NONE if math.isnan(value) else f"{value:,.0f}" if value >= 1 else f"{value:.1f}"
