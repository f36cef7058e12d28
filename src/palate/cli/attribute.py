"""Join what was shown with what came of it, into the offline store."""

import logging
import os
import signal
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from palate.cli.output import facts, say
from palate.cli.site import JsonOption, SiteOption, settings_of
from palate.clock import SystemClock
from palate.stores import open_sources
from palate.stores_offline import attributor
from palate.streaming.attributor import SETTLE, Done
from palate.streaming.lock import only_attributor

NICENESS = 10
"""Serving comes first."""

app = typer.Typer()


@app.command()
def main(
    site: SiteOption = Path(),
    watch: Annotated[bool, typer.Option("--watch", help="Stay, and follow the log.")] = False,  # noqa: FBT002  Typer's form
    anew: Annotated[  # noqa: FBT002
        bool, typer.Option("--anew", help="Empty the store first; features are lost by it.")
    ] = False,
    as_json: JsonOption = False,  # noqa: FBT002
) -> None:
    """Join what was shown with what came of it, as Parquet files in the site's offline store.

    Example: **palate attribute --json**

    `palate up` does this by itself. What a row says, and how to ask DuckDB for it, is told in
    docs/guide/ask-the-history.md.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    settings, stop = settings_of(site), threading.Event()
    with ExitStack() as stack:
        stack.enter_context(only_attributor(settings))
        joins = attributor(stack.enter_context(open_sources(settings)), SystemClock())
        stack.callback(joins.waiting.close)
        if anew:
            joins.clear()
        if watch:
            os.nice(max(0, NICENESS - os.nice(0)))
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, lambda *_: stop.set())
            joins.run(stop, _tell)
        else:
            # What is in the log now is to be in the store; its features may still be on their way.
            stop.wait(SETTLE)
            done = joins.step()
            facts(msgspec.to_builtins(done), as_json=as_json, table=_said(done))


def _tell(done: Done) -> None:
    say(_said(done))


def _said(done: Done) -> str:
    return (
        f"up to log position {done.position}: {done.rows:,} rows of what was shown are new,"
        f" {done.joined:,} parts joined, {done.finished:,} rows finished"
    )
