"""Tell what exploration cost and what it found, by the impressions in the log."""

from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
import typer
from rich.console import Group

from palate.catalog.protocol import ItemCatalog
from palate.cli.output import facts, table_of
from palate.cli.site import JsonOption, SiteOption, settings_of
from palate.clock import SystemClock
from palate.evaluation.exploration import Exploration, Find, exploration
from palate.stores import open_sources

app = typer.Typer()
DAY, HOUR = 86_400.0, 3_600.0
NOTHING = "nothing was explored: pages are logged where visitors have a name, see [explore]"


@app.command()
def main(
    site: SiteOption = Path(),
    days: Annotated[float, typer.Option(min=0.01, help="How far back.")] = 30.0,
    top: Annotated[int, typer.Option(min=1, max=1000, help="Items to list.")] = 10,
    as_json: JsonOption = False,  # noqa: FBT002  Typer's form
) -> None:
    """Tell what exploration cost and what it found.

    Example: **palate explore-report --days 7**

    Explored entries are held against those right above and below them on the same pages. The
    weight is 1 where the propensities in the log are how often things happened.
    """
    settings = settings_of(site)
    with open_sources(settings) as sources:
        since = SystemClock().now() - days * DAY
        found = exploration(sources.log, since, settings.training.attribution_hours * HOUR)
        titles = _titles(sources.items, found.finds[:top])
    told = _facts(found, titles, top)
    facts(told, as_json=as_json, table=_table(found, told["finds"]) if found.explored else NOTHING)


def _titles(items: ItemCatalog, finds: tuple[Find, ...]) -> dict[str, str]:
    ids = [each.item_id for each in finds]
    known = items.find(ids)
    return {i: item.title if item and item.title else i for i, item in zip(ids, known, strict=True)}


def _facts(found: Exploration, titles: dict[str, str], top: int) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.to_builtins(found)
    for verdict in ("found", "retired", "open"):
        told[verdict] = found.count(verdict)
    told["share"] = found.share
    told["trials"] = found.trials()
    told["finds"] = [
        msgspec.to_builtins(each) | {"title": titles[each.item_id]} for each in found.finds[:top]
    ]
    return told


def _table(found: Exploration, finds: list[dict[str, Any]]) -> Group:
    lost = found.cost / found.takings if found.takings else np.nan
    text = [
        (
            f"{found.explored:,} of {found.slots:,} entries on {found.pages:,} pages explored"
            f" ({found.share:.1%}): {found.items:,} items, {found.new:,} of them never shown before"
        ),
        f"taken: {found.rate:.2%} of the explored, {found.beside:.2%} of those beside them",
        (
            f"cost: {found.cost:.1f} takings ({found.cost_low:.1f} to {found.cost_high:.1f}),"
            f" {lost:.1%} of all"
        ),
        (
            f"decided: {found.count('found')} found, {found.count('retired')} retired,"
            f" {found.count('open')} open"
        ),
        "new items: "
        + ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in found.trials().items()),
        (
            f"propensities: weight {found.weight:.3f} ± {found.weight_error:.3f},"
            f" least {found.least_propensity:.5f}"
        ),
    ]
    head = ("item_id", "title", "shown", "taken", "since", "new", "verdict")
    rows = [tuple(each[name] for name in head) for each in finds]
    return Group(*text, table_of("Explored items, the most taken first", head, rows))
