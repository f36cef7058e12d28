"""Compile the kernels once, so that neither the first import nor the first request waits."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import typer

from palate.cli.output import console
from palate.clock import SystemClock
from palate.settings import Settings
from palate.stores import close, open_stores, stream_worker
from palate.surfaces import funnels
from palate.testing.tiny import TinyWorld, tiny_row, waited

app = typer.Typer()


@app.command()
def main() -> None:
    """Run a tiny site from its events to its pages, which compiles and caches every kernel.

    Example: **palate warm**

    `make setup` does this at the end of an installation. Running it again takes a second or two.
    """
    with console.status("compiling the kernels (once, a minute)"), TemporaryDirectory() as folder:
        world = TinyWorld(Settings(home=Path(folder)), Path(folder))
        _fold(world.stores.settings)
        _answer(world)
    console.print("kernels compiled")


def _fold(settings: Settings) -> None:
    """The stream worker's side: mapped files, opened for writing."""
    stores = open_stores(settings, writer=True)
    worker = stream_worker(stores, SystemClock())
    worker.recover()
    worker.drain()
    close(stores)


def _answer(world: TinyWorld) -> None:
    """The serving side: mapped files, read-only, then the training side: arrays in memory."""
    served = open_stores(world.stores.settings)
    for stores in (served, world.stores):
        for name, funnel in funnels(stores).items():
            query = replace(world.query("u1", name), seed_item=tiny_row("drama-1"))
            waited(funnel.answer(query))
    close(served)
