"""Build all state anew from the event log, and say how it compares with what was held."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from time import perf_counter, sleep
from typing import Annotated

import typer
from rich.table import Table

from palate.cli.evaluate import bar
from palate.cli.output import console, facts, table_of
from palate.cli.site import JsonOption, SiteOption, settings_of
from palate.clock import SystemClock
from palate.errors import Conflict
from palate.settings import Settings
from palate.stores import (
    close,
    distrust,
    open_online,
    open_sources,
    open_states,
    open_stores,
    stream_worker,
)
from palate.streaming.lock import alone, only_worker
from palate.streaming.rebuild import Comparison, Difference, comparing

app = typer.Typer()

HEAD: Sequence[str] = ("table", "records", "missing", "extra", "different")
PATIENCE, LOOK = 60.0, 0.02
"""Seconds that a running stream worker is waited for, and between two looks at it."""


@app.command()
def main(
    site: SiteOption = Path(),
    check: Annotated[bool, typer.Option("--check", help="Compare only; change nothing.")] = False,  # noqa: FBT002  Typer's form
    as_json: JsonOption = False,  # noqa: FBT002  Typer's form
) -> None:
    """Build users' records, item counters and co-visitation anew from the event log.

    Example: **palate rebuild --check --json**

    Compares each record byte for byte with what is held. With `--check` it stops there and exits
    with 1 where anything differs; without, the rebuilt state takes its place, all at once.
    The site may run meanwhile: it answers and takes events in; its stream worker rests a moment.
    """
    settings, start = settings_of(site), perf_counter()
    with _compared(settings, check=check) as found:
        if not check:
            _swapped(settings, found)
    rested = perf_counter() - found.since
    position, followed = found.position, False
    if not check:
        position, followed = _shown(settings, found.position)
    told = {
        "equal": found.equal,
        "position": position,
        "tables": found.tables,
        "written": not check,
        "followed": followed,
        "rested_seconds": round(rested, 3),
        "seconds": round(perf_counter() - start, 3),
    }
    facts(told, as_json=as_json, table=_table(found, check=check))
    if check and not found.equal:
        raise typer.Exit(1)


@contextmanager
def _compared(settings: Settings, *, check: bool) -> Iterator[Comparison]:
    with open_sources(settings) as sources, bar() as progress:
        rows_of = partial(sources.items.rows, create=not check)

        def told(position: int, end: int) -> None:
            progress("fold the log", position / max(end, 1))

        with (
            closing(open_online(settings)) as online,
            comparing(settings, sources.log, online, rows_of, told) as found,
        ):
            yield found


def _swapped(settings: Settings, found: Comparison) -> None:
    """In this order: whatever interrupts it, nobody goes on with columns of another state."""
    if not distrust(settings) and not alone(settings):
        raise Conflict(
            "palate.toml says otherwise how events are counted than when `palate up` started:"
            " start that again first"
        )
    with closing(open_online(settings, write=True)) as online:
        online.replace(found.whole)


def _shown(settings: Settings, position: int) -> tuple[int, bool]:
    """Log position that everything shows now, and whether a running stream worker saw to it."""
    if alone(settings):
        with only_worker(settings):
            stores = open_stores(settings, writer=True)
            worker = stream_worker(stores, SystemClock())
            worker.recover()
            worker.drain()
            close(stores)
        return worker.position, False
    until = perf_counter() + PATIENCE
    while perf_counter() < until:
        states = open_states(settings)
        if not states.dirty and states.position >= position:
            return states.position, True
        sleep(LOOK)
    console.print("the stream worker has not followed yet: look at `palate top`")
    return position, False


def _table(found: Comparison, *, check: bool) -> Table:
    verdict = "equal" if found.equal else "DIFFERENT" if check else "it differed; now rebuilt"
    title = f"State at log position {found.position}: {verdict}"
    return table_of(title, HEAD, [_row(name, d) for name, d in found.tables.items()])


def _row(name: str, table: Difference) -> tuple[object, ...]:
    return name, table.records, table.missing, table.extra, table.different
