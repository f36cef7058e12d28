"""Learn a release from the event log, gate it, and make it live."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from palate.cli.learning import check, trainer
from palate.cli.output import console, facts
from palate.cli.site import JsonOption, SiteOption, settings_of
from palate.clock import SystemClock
from palate.errors import PalateError
from palate.settings import Settings
from palate.stores import close, open_stores
from palate.surfaces.home import generators
from palate.training import report as reports
from palate.training.progress import Overall, ProgressFile
from palate.training.report import TrainingReport
from palate.training.schedule import Schedule, wait

NICENESS = 10
"""Serving comes first: a busy trainer would turn every sync of the log into milliseconds."""

WatchOption = Annotated[
    bool, typer.Option("--watch", help="Stay, and train when there is enough news.")
]
Tell = Callable[[reports.Progress], None]

app = typer.Typer()


@app.command()
def train(
    site: SiteOption = Path(),
    as_json: JsonOption = False,  # noqa: FBT002  Typer's form
    watch: WatchOption = False,  # noqa: FBT002
) -> None:
    """Learn a release from the event log, gate it, and make it live.

    Exit code 1 where there was too little to learn from: counting serves better then.

    Example: **palate train --json**
    """
    settings = settings_of(site)
    check()
    os.nice(max(0, NICENESS - os.nice(0)))
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if watch:
        _watch(settings)
        return
    with _shown() as tell:
        done = _once(settings, tell)
    facts(done, as_json=as_json, table="\n".join(done.sentences))
    raise typer.Exit(0 if done.name else 1)


def _once(settings: Settings, tell: Tell) -> TrainingReport:
    """One training; whatever ends it is the last word of the progress file."""
    write, clock = ProgressFile(settings.home), SystemClock()

    def both(progress: reports.Progress) -> None:
        write(progress)
        tell(progress)

    overall = Overall(clock, both)
    overall("read", 0.0, "opening the site")
    stores = open_stores(settings)
    try:
        done = trainer()(stores, generators, overall, clock)
    except PalateError as error:
        overall("failed", 0.0, error.detail)
        raise
    except BaseException:
        overall("failed", 0.0, "the training was stopped; nothing was changed")
        raise
    finally:
        close(stores)
    return done


def _watch(settings: Settings) -> None:
    """Train whenever the schedule says so, until SIGINT or SIGTERM."""
    stop = threading.Event()
    stores = open_stores(settings)
    schedule = Schedule(settings, stores.log, SystemClock())
    try:
        while not wait(stop):
            if schedule.due():
                _attempt(settings, schedule)
    except KeyboardInterrupt:
        return
    finally:
        close(stores)


def _attempt(settings: Settings, schedule: Schedule) -> None:
    try:
        with _shown() as tell:
            done = _once(settings, tell)
    except PalateError as error:
        console.print(f"training failed: {error.detail}", markup=False, highlight=False)
        schedule.came_to_nothing()
        return
    for sentence in done.sentences:
        console.print(sentence, markup=False, highlight=False)
    if done.name is None:
        schedule.came_to_nothing()


@contextmanager
def _shown() -> Iterator[Tell]:
    """A progress bar on a terminal; one line a phase elsewhere."""
    if not sys.stderr.isatty():
        yield _Lines()
        return
    columns = (
        TextColumn("[bold]{task.fields[phase]:>8}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=1.0, phase="")

        def tell(progress: reports.Progress) -> None:
            bar.update(
                task,
                completed=progress.fraction,
                description=progress.text,
                phase=progress.phase,
            )

        yield tell


class _Lines:
    """Says when a phase begins, and the last word of the one before."""

    def __init__(self) -> None:
        self._phase, self._last = "", ""

    def __call__(self, progress: reports.Progress) -> None:
        if progress.phase != self._phase:
            if self._last:
                self._say(self._phase, self._last)
            self._phase = progress.phase
        self._last = progress.text
        if progress.phase == "done":
            self._say("done", f"{progress.fraction:.0%}")

    def _say(self, phase: str, text: str) -> None:
        console.print(f"{phase}: {text}", markup=False, highlight=False, soft_wrap=True)
