"""Print a surface: its parts in order, what they do, and their numbers."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from palate.cli.output import facts
from palate.cli.site import JsonOption, SiteOption, settings_of
from palate.events.kinds import Signal
from palate.funnel.engine import Funnel
from palate.funnel.stages import name_of
from palate.stores import open_stores
from palate.surfaces import funnel
from palate.surfaces.overrides import OWN, numbers

SIGNALS = {
    Signal.SHOWN: "shown",
    Signal.CLICKED: "clicked",
    Signal.ENGAGED: "clicked or taken in",
    Signal.POSITIVE: "liked",
    Signal.NEGATIVE: "turned down",
    Signal.TAKEN: "taken in or judged",
}
"""What a bit of `hide_seen.signals` says was done with an item."""

app = typer.Typer()


@app.command()
def main(
    surface: Annotated[str, typer.Argument(help="Which page.")] = "home",
    site: SiteOption = Path(),
    as_json: JsonOption = False,  # noqa: FBT002  Typer's form
) -> None:
    """Print what a surface is made of. Its numbers are changed in palate.toml, by these names.

    Example: **palate show home**
    """
    stores = open_stores(settings_of(site))
    built = funnel(surface, stores)
    parts = _parts(built)
    own = {name: getattr(built, name) for name in OWN}
    release = stores.release.name if stores.release else None
    facts(
        {"surface": surface, "release": release, **own, "parts": parts},
        as_json=as_json,
        table=_table(surface, own, parts),
    )


def _parts(built: Funnel) -> list[dict[str, Any]]:
    stages = {
        "generator": built.generators,
        "filter": built.filters,
        "ranker": (built.ranker,),
        "rule": built.rules,
    }
    known = numbers(built)
    return [
        {
            "stage": stage,
            "name": name_of(part),
            "does": (type(part).__doc__ or "").partition("\n")[0],
            "numbers": {
                key: value for key, value in known.items() if key.startswith(f"{name_of(part)}.")
            },
        }
        for stage, members in stages.items()
        for part in members
    ]


def _table(surface: str, own: dict[str, Any], parts: list[dict[str, Any]]) -> Table:
    told = ", ".join(f"{name} = {value}" for name, value in own.items())
    table = Table(title=f"{surface}: {told}", title_justify="left")
    for name in ("stage", "part", "does", "numbers"):
        table.add_column(name, overflow="fold")
    for part in parts:
        settings = "\n".join(_line(key, value) for key, value in part["numbers"].items())
        table.add_row(part["stage"], part["name"], part["does"], settings)
    return table


def _line(key: str, value: Any) -> str:
    """As it stands in palate.toml; behind bits of `Signal`, what they mean."""
    told = f"{key!r} = {value}".replace("'", '"')
    if key.endswith(".signals"):
        told += f"  # {', '.join(SIGNALS[bit] for bit in SIGNALS if value & bit)}"
    return told
