"""Import a public data set: MovieLens 100K (fetched), 1M, latest-small, Beauty."""

import os
from pathlib import Path
from time import perf_counter
from typing import Annotated

import msgspec
import typer

from palate.cli.output import console, facts, progress_bar, table_of
from palate.cli.site import JsonOption, SiteOption, settings_of
from palate.clock import SystemClock
from palate.errors import NotFound
from palate.intake.datasets import found
from palate.intake.datasets.dataset import locate, store
from palate.stores import open_sources

app = typer.Typer()


@app.command()
def data(
    name: Annotated[
        str | None, typer.Argument(help="The data set; leave it out to see what there is.")
    ] = None,
    *,
    from_: Annotated[
        Path | None,
        typer.Option(
            "--from", help="The folder with its files.", show_default="$PALATE_DATA, else fetched"
        ),
    ] = None,
    until_now: Annotated[
        bool, typer.Option("--until-now", help="Move all times by whole weeks, up to this week.")
    ] = False,
    site: SiteOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Import a public data set: MovieLens 100K (fetched), 1M, latest-small, Beauty.

    What is fetched is kept in `$PALATE_CACHE` (else `~/.cache/palate`) and checked against its
    checksum. Doing it again adds nothing. The data may be used for research, not passed on.

    Example: **palate data movielens-100k --until-now**
    """
    known = found()
    if name is None:
        rows = [[each.name, each.about] for each in known.values()]
        about = [{"name": each.name, "about": each.about} for each in known.values()]
        facts(about, as_json=as_json, table=table_of("Data sets", ["name", "what it is"], rows))
        return
    if name not in known:
        raise NotFound(f"there is no data set {name!r}; there are: {', '.join(known)}")
    started = perf_counter()
    settings = settings_of(site)
    folder = locate(known[name], from_, os.environ, Path.home())
    with open_sources(settings) as sources, progress_bar() as bar:
        stored = store(known[name], folder, sources, SystemClock(), bar, until_now=until_now)
    told = msgspec.to_builtins(stored) | {"seconds": round(perf_counter() - started, 3)}
    facts(told, as_json=as_json, table=table_of("", ["data", ""], [*map(list, told.items())]))
    if until_now and not stored.moved_seconds:
        console.print("this site holds the set at its own times already; they stay", style="yellow")
