"""Find a site's settings on validation data, and write them beside palate.toml."""

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Group

from palate.cli.evaluate import Cut, TrainOption, bar, counted, home, trained
from palate.cli.learning import BROUGHT
from palate.cli.output import facts, table_of
from palate.cli.site import JsonOption, SiteOption, settings_of
from palate.errors import BadInput
from palate.evaluation.tuning.run import Order, Tuned, nothing_alike, tune
from palate.settings_files import given, write_tuned
from palate.stores import close, open_stores

try:
    from palate.training.content.encoder import alike_today
except ModuleNotFoundError as error:
    if error.name not in BROUGHT:
        raise
    alike_today = nothing_alike  # type: ignore[assignment]

PARTS = ("covisit", "quotas")

BudgetOption = Annotated[
    int, typer.Option(min=1, help="Settings of co-visitation that are tried at most.")
]
OnlyOption = Annotated[
    str, typer.Option(help="Tune only these: `covisit`, `quotas`.", show_default="both")
]
ProtocolOption = Annotated[
    Cut,
    typer.Option(
        "--protocol",
        help="`time`: the last tenth of the training events. `loo`: everybody's last but one.",
    ),
]
SeedOption = Annotated[int, typer.Option(help="Of the draw of users.")]

app = typer.Typer()


@app.command()
def main(  # noqa: PLR0913, PLR0917  the command's options
    site: SiteOption = Path(),
    budget: BudgetOption = 60,
    seed: SeedOption = 1,
    only: OnlyOption = "",
    protocol: ProtocolOption = Cut.TIME,
    train: TrainOption = True,  # noqa: FBT002  Typer's form
    as_json: JsonOption = False,  # noqa: FBT002
) -> None:
    """Find a site's settings on validation data, and write them beside palate.toml.

    Tunes co-visitation by itself, then how many candidates of each generator have a seat in Home's
    pool. Looks only at the training events of `palate evaluate`. Interrupted, it goes on where it
    was. What it finds is in `tuned.toml` and goes before the defaults, but not before palate.toml.

    Example: **palate tune --only covisit && palate train**
    """
    settings = settings_of(site)
    fixed = {table: tuple(tree) for table, tree in given(site, os.environ).items() if tree}
    order = Order(_parts(only), protocol.value, budget, seed, fixed)
    stores = open_stores(settings)
    try:
        with bar() as progress:
            learn = trained if train else counted
            found = tune(stores, order, home, learn, progress, alike_today)
    finally:
        close(stores)
    file = write_tuned(settings.home, found.settings)
    facts(found, as_json=as_json, table=_told(found, file))


def _parts(only: str) -> tuple[str, ...]:
    wanted = tuple(name.strip() for name in only.split(",") if name.strip()) or PARTS
    for name in wanted:
        if name not in PARTS:
            raise BadInput(
                f"--only {name!r} is nothing that is tuned; there are {', '.join(PARTS)}"
            )
    return wanted


def _told(found: Tuned, file: Path) -> Group:
    rows = [
        (f"{table}.{name}", str(value))
        for table, values in found.settings.items()
        for name, value in values.items()
    ]
    after = (
        f"Written to {file}. Next: palate train; and restart `palate up` or `palate stream`, which"
        " then count the log again."
    )
    return Group(*found.sentences, table_of("found", ("setting", "value"), rows), after)
