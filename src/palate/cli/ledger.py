"""Where in the funnel is what people take later lost? The books, stage by stage."""

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Group
from rich.table import Table

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
from palate.clock import SystemClock
from palate.evaluation.ledger import MOST, Books, books
from palate.evaluation.run import Wish
from palate.funnel.ledger import Account, account
from palate.serving.accounting.books import DAY, FILE
from palate.serving.accounting.books import Books as Kept
from palate.settings import Settings
from palate.stores import close, open_stores

app = typer.Typer()

LiveOption = Annotated[bool, typer.Option("--live", help="Of requests that were answered.")]
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
    live: LiveOption = False,  # noqa: FBT002  Typer's form
    surface: Annotated[str, typer.Option(help="With --live: of which page.")] = "home",
    days: Annotated[int, typer.Option(min=1, help="With --live: how many, to today.")] = 7,
) -> None:
    """Account for every item that people took later: shown, or lost at which stage and to what.

    Learns from the first part of the log, as `palate evaluate` does, and asks Home for the rest.
    With `--live`: of the requests that were really answered, a sample ([ledger] in palate.toml).
    What the stages keep multiplies to the end-to-end recall, exactly.

    Example: **palate ledger --users 500 --no-train**
    """
    if live:
        _live(settings_of(site), surface, days, as_json=as_json)
        return
    command = command_of("ledger", split, site, {"--users": users, "--limit": limit}, train=train)
    stores = open_stores(settings_of(site))
    try:
        with bar() as progress:
            wish = Wish(split.value, users, (), seed, command)
            found = books(stores, wish, limit, home, trained if train else counted, progress)
    finally:
        close(stores)
    facts(found, as_json=as_json, table=_told(found))


def _live(settings: Settings, surface: str, days: int, *, as_json: bool) -> None:
    with closing(Kept(settings.path(FILE), settings.ledger.keep_days)) as kept:
        found = account(kept.read(SystemClock().now() - (days - 1) * DAY, surface))
    if not (found.requests or as_json):
        typer.echo(f"{surface}, {days} days: nothing yet, no sampled request is old enough")
        return
    title = (
        f"{surface}, {days} days: {found.requests} sampled requests, {found.relevant} items taken"
        f" within {settings.ledger.wait_minutes:g} minutes, {found.shown} of them on the page:"
        f" recall {found.recall:.2%}"
    )
    facts(found, as_json=as_json, table=Group(title, *_tables(found)))


def _told(found: Books) -> Group:
    title = (
        f"{found.requests} requests, {found.relevant} items taken later, {found.shown} of them on"
        f" pages of {found.limit}: recall {found.recall:.2%}"
    )
    return Group(title, *_tables(found))


def _tables(found: Account) -> tuple[Table, ...]:
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
    head = ("stage", "lost", "left", "kept", "ceiling", "to what")
    return (
        table_of("what each stage kept", head, stages),
        table_of("generators, of what was relevant", ("", "found", "alone", "marginal"), givers),
        table_of("rules, in items", ("rule", "lost", "won"), rules),
    )
