"""Where in the funnel is what people take later lost? The books, stage by stage."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Group

from palate.cli.evaluate import (
    Cut,
    SeedOption,
    SplitOption,
    TrainOption,
    UsersOption,
    bar,
    command_of,
    counted,
    home,
    trained,
)
from palate.cli.output import facts, table_of
from palate.cli.site import JsonOption, SiteOption, settings_of
from palate.evaluation.ledger import MOST, Books, books
from palate.evaluation.run import Wish
from palate.stores import close, open_stores

app = typer.Typer()

LimitOption = Annotated[int, typer.Option(min=1, max=MOST, help="Length of the page.")]


@app.command()
def main(  # noqa: PLR0913, PLR0917  the command's options
    split: SplitOption = Cut.TIME,
    site: SiteOption = Path(),
    as_json: JsonOption = False,  # noqa: FBT002  Typer's form
    users: UsersOption = 0,
    limit: LimitOption = 20,
    seed: SeedOption = 1,
    train: TrainOption = True,  # noqa: FBT002
) -> None:
    """Account for every item that people took later: shown, or lost at which stage and to what.

    Learns from the first part of the log, as `palate evaluate` does, and asks Home for the rest.
    What the stages keep multiplies to the end-to-end recall, exactly.

    Example: **palate ledger --users 500 --no-train**
    """
    command = command_of("ledger", split, site, {"--users": users, "--limit": limit}, train=train)
    stores = open_stores(settings_of(site))
    try:
        with bar() as progress:
            wish = Wish(split.value, users, (), seed, command)
            found = books(stores, wish, limit, home, trained if train else counted, progress)
    finally:
        close(stores)
    facts(found, as_json=as_json, table=_told(found))


def _told(found: Books) -> Group:
    stages = [
        (
            line["stage"],
            line["lost"],
            line["left"],
            f"{line['kept']:.1%}",
            f"{line['ceiling']:.1%}",
            ", ".join(f"{name} {n}" for name, n in line["parts"].items() if name),
        )
        for line in found.stages
    ]
    givers = [
        (each["name"], *(f"{each[name]:.1%}" for name in ("found", "alone", "marginal")))
        for each in found.generators
    ]
    rules = [(each["name"], each["lost"], each["won"]) for each in found.rules]
    title = (
        f"{found.requests} requests, {found.relevant} items taken later, {found.shown} of them on"
        f" pages of {found.limit}: recall {found.recall:.2%}"
    )
    head = ("stage", "lost", "left", "kept", "ceiling", "to what")
    return Group(
        title,
        table_of("what each stage kept", head, stages),
        table_of("generators, of what was relevant", ("", "found", "alone", "marginal"), givers),
        table_of("rules, in items", ("rule", "lost", "won"), rules),
    )
