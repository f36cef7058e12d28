"""Fold events into the state as they come in (the stream worker)."""

import logging
import os
import signal
import threading
from pathlib import Path
from typing import Annotated

import typer

from palate.cli.output import console
from palate.cli.site import SiteOption, settings_of
from palate.clock import SystemClock
from palate.errors import Unavailable
from palate.features.online.sound import NATIVE
from palate.serving.environment import DIED
from palate.stores import close, look_at_state, open_stores, stream_worker
from palate.streaming.lock import only_worker
from palate.streaming.warming import warm
from palate.streaming.worker import StreamWorker

app = typer.Typer()


@app.command()
def main(
    site: SiteOption = Path(),
    once: Annotated[bool, typer.Option("--once", help="Fold what there is, then exit.")] = False,  # noqa: FBT002  Typer's form
) -> None:
    """Fold events into users' records, item counters and boards as they come in, until Ctrl-C.

    Example: **palate stream --site shop**

    One worker runs per site; `palate up` starts it for you.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    settings, stop = settings_of(site), threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with only_worker(settings):
        stores = open_stores(settings, writer=True)
        if os.environ.get(DIED) in NATIVE:
            look_at_state(stores)
        worker = stream_worker(stores, SystemClock())
        warm(settings)
        try:
            _catch_up(worker, stop)
        except Unavailable as error:
            if once:
                raise
            console.print(f"events wait in the log: {error.detail}")
        if not once:
            worker.run(stop)
            console.print(f"stopped at log position {worker.position}")
        close(stores)


def _catch_up(worker: StreamWorker, stop: threading.Event) -> None:
    if worker.recover():
        console.print(f"read the shared columns anew, as of log position {worker.position}")
    folded = worker.drain(stop)
    console.print(f"caught up at log position {worker.position} ({folded:,} events folded)")
