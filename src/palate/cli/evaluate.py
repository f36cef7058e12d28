"""Measure how good the recommendations are: the whole funnel beside its parts and baselines."""

import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from palate.cli.learning import check, trainer
from palate.cli.output import console, facts, say
from palate.cli.site import JsonOption, SiteOption, settings_of
from palate.errors import BadInput
from palate.evaluation.report import WIDTH
from palate.evaluation.rolling import rolled
from palate.evaluation.run import Progress, Wish, evaluate
from palate.funnel.engine import Funnel
from palate.stores import Stores, close, current_release, open_stores, with_release
from palate.surfaces import funnel
from palate.surfaces.home import generators

app = typer.Typer()


class Cut(StrEnum):
    """Where the past ends."""

    TIME = "time"
    LOO = "loo"


SplitOption = Annotated[
    Cut,
    typer.Option(
        "--split", help="`time`: one moment for everybody. `loo`: each user's last event."
    ),
]
UsersOption = Annotated[int, typer.Option(min=0, help="Ask only so many users; 0 is all.")]
ModelsOption = Annotated[
    str,
    typer.Option(
        help="Judge only these, with commas between: `popularity,covisit,funnel`.",
        show_default="all",
    ),
]
SeedOption = Annotated[int, typer.Option(help="Of the draw of users and of the intervals.")]
RollingOption = Annotated[
    int,
    typer.Option(
        min=0,
        help="Ask at the beginning of each of so many windows after the split; with `time`.",
        show_default="once, at the split",
    ),
]
TrainOption = Annotated[
    bool, typer.Option("--train/--no-train", help="Without training only counting is judged.")
]


@app.command()
def main(  # noqa: PLR0913, PLR0917  the command's options
    split: SplitOption = Cut.TIME,
    site: SiteOption = Path(),
    as_json: JsonOption = False,  # noqa: FBT002  Typer's form
    users: UsersOption = 0,
    models: ModelsOption = "",
    seed: SeedOption = 1,
    train: TrainOption = True,  # noqa: FBT002
    rolling: RollingOption = 0,
) -> None:
    """Measure how good the recommendations are: the whole funnel beside its parts and baselines.

    Learns from the first part of the log, in a folder of its own, and asks for the rest. The site
    is only read, and may be live meanwhile.

    With **--rolling** it learns once and goes on: each visitor's own acts are known up to the
    window that is asked for, and items' counts as of the training (`frozen`), or up to there as
    well (`online`).

    Example: **palate evaluate --split time --json > quality.json**
    """
    wanted = tuple(name.strip() for name in models.split(",") if name.strip())
    if rolling and split is not Cut.TIME:
        raise BadInput("--rolling goes on in time: leave --split loo out")
    said = {"--users": users, "--models": models, "--seed": seed, "--rolling": rolling}
    command = command_of("evaluate", split, site, said, train=train)
    wish = Wish(split.value, users, wanted, seed, command)
    stores = open_stores(settings_of(site))
    try:
        with bar() as progress:
            learn = trained if train else counted
            if rolling:
                report = rolled(stores, wish, rolling, home, learn, progress)
            else:
                report = evaluate(stores, wish, home, learn, progress)
    finally:
        close(stores)
    if as_json:
        facts(report, as_json=True, table="")
    else:
        Console(width=max(Console().width, WIDTH)).print(report.table())
    silent = [name for name in wanted if not any(row["model"] == name for row in report.rows)]
    if silent:
        say(f"left out: {', '.join(silent)}; what was learnt here has no such part")


def home(stores: Stores) -> Funnel:
    """Home as it serves, but for the slots given away by lot."""
    return funnel("home", stores, {"explore.epsilon": 0.0})


def counted(stores: Stores, _: Progress) -> Stores:
    """Learn nothing."""
    return stores


def trained(stores: Stores, progress: Progress) -> Stores:
    """Train a release, and let the questions be asked of it. Raises MissingExtra without torch."""
    check(", or use --no-train")
    done = trainer()(stores, generators, lambda phase, part, _: progress(f"learn: {phase}", part))
    for sentence in done.sentences:
        if not done.name or done.name not in sentence:  # nothing of the site itself goes live
            say(sentence)
    if done.name and not done.promoted:
        say("What was learnt would not be promoted, so the questions go to counting alone.")
    return with_release(stores, current_release(stores.settings))


def command_of(name: str, cut: Cut, site: Path, rest: Mapping[str, object], *, train: bool) -> str:
    """How to run this again; options that say nothing are left out."""
    words = ["palate", name, "--split", cut.value, "--site", str(site)]
    for option, value in rest.items():
        words += [option, str(value)] if value else []
    return shlex.join(words + ([] if train else ["--no-train"]))


@contextmanager
def bar() -> Iterator[Progress]:
    """What is being done, how far it is, and for how long it has been going on."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
    )
    with Bar(*columns, console=console, disable=not console.is_terminal) as shown:
        tasks = {}

        def tell(doing: str, done: float) -> None:
            if doing not in tasks:
                tasks[doing] = shown.add_task(doing, total=1.0)
            shown.update(tasks[doing], completed=done)

        yield tell
