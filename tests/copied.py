"""The tiny world as a site on disk, copied: to write one waits a third of a second for the disk."""

import shutil
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from litestar.testing import TestClient

from palate.clock import FixedClock
from palate.serving.app import create
from palate.settings import Settings
from palate.stores import Stores, close, open_stores, stream_worker
from palate.streaming.worker import StreamWorker
from palate.testing.tiny import NOW, tiny_site


def tiny_copy(settings: Settings) -> tuple[Stores, StreamWorker]:
    """As `tiny_site`, but that it was served before; nothing is copied over what is there."""
    if not (settings.home / "events.db").exists():
        shutil.copytree(_served().name, settings.home, dirs_exist_ok=True)
    stores = open_stores(settings, writer=True)
    worker = stream_worker(stores, FixedClock(NOW))
    worker.drain()
    return stores, worker


@cache
def _served() -> "TemporaryDirectory[str]":
    """Once a process; gone when that ends."""
    folder = TemporaryDirectory(prefix="palate-tiny-")
    site = Settings(home=Path(folder.name))
    stores, _ = tiny_site(site)
    with TestClient(create(site, clock=FixedClock(NOW), stores=stores)):
        pass
    close(stores)
    return folder
