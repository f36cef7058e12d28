"""The two truths of a site that files are read into: its catalogue and its event log."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from palate.catalog.protocol import ItemCatalog, UserCatalog
from palate.catalog.sqlite import SqliteItems, SqliteUsers
from palate.errors import BadInput
from palate.events.protocol import EventLog
from palate.events.sqlite import SqliteLog
from palate.settings import Settings


@dataclass(frozen=True, slots=True)
class Sources:
    """Where an import writes. Nothing derived is touched: the stream worker follows."""

    settings: Settings
    items: ItemCatalog
    users: UserCatalog
    log: EventLog


@contextmanager
def open_sources(settings: Settings) -> Iterator[Sources]:
    """Open the catalogue and the log alone, beside whatever else runs on the site."""
    catalog = _sqlite(settings, "catalog", settings.stores.catalog)
    events = _sqlite(settings, "events", settings.stores.events)
    items, users, log = SqliteItems(catalog), SqliteUsers(catalog), SqliteLog(events)
    try:
        yield Sources(settings, items, users, log)
    finally:
        items.close()
        users.close()
        log.close()


def _sqlite(settings: Settings, field: str, url: str) -> Path:
    scheme, _, name = url.partition(":")
    if scheme != "sqlite":
        raise BadInput(f"[stores] {field} = {url!r}: imports write to sqlite: only in this version")
    return settings.path(name)
