"""Build all state anew from the event log, and say how it compares with what was held."""

from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Annotated

import typer
from rich.table import Table

from palate.cli.output import console, facts, table_of
from palate.cli.site import JsonOption, SiteOption, settings_of
from palate.clock import SystemClock
from palate.stores import close, open_stores, stream_worker
from palate.streaming.lock import only_worker
from palate.streaming.rebuild import Comparison, Difference, compare, restore

app = typer.Typer()

HEAD: Sequence[str] = ("table", "records", "missing", "extra", "different")


@app.command()
def main(
    site: SiteOption = Path(),
    check: Annotated[bool, typer.Option("--check", help="Compare only; change nothing.")] = False,  # noqa: FBT002  Typer's form
    as_json: JsonOption = False,  # noqa: FBT002  Typer's form
) -> None:
    """Build users' records, item counters and co-visitation anew from the event log.

    Example: **palate rebuild --check --json**

    Compares each record byte for byte with what is held. With `--check` it stops there and exits
    with 1 where anything differs; without, the rebuilt state takes its place.
    """
    settings, start = settings_of(site), perf_counter()
    with ExitStack() as stack:
        if not check:
            stack.enter_context(only_worker(settings))
        stores = open_stores(settings, writer=not check)
        stack.callback(close, stores)
        with console.status("replaying the log …"):
            rows_of = partial(stores.items.rows, create=not check)
            found = compare(settings, stores.log, stores.online, rows_of)
            position = found.position
            if not check:
                position = restore(stores.log, stores.online, found, rows_of)
                stream_worker(stores, SystemClock()).reload()
    told = {
        "equal": found.equal,
        "position": position,
        "tables": found.tables,
        "written": not check,
        "seconds": round(perf_counter() - start, 3),
    }
    facts(told, as_json=as_json, table=_table(found, check=check))
    if check and not found.equal:
        raise typer.Exit(1)


def _table(found: Comparison, *, check: bool) -> Table:
    verdict = "equal" if found.equal else "DIFFERENT" if check else "it differed; now rebuilt"
    title = f"State at log position {found.position}: {verdict}"
    return table_of(title, HEAD, [_row(name, d) for name, d in found.tables.items()])


def _row(name: str, table: Difference) -> tuple[object, ...]:
    return name, table.records, table.missing, table.extra, table.different
