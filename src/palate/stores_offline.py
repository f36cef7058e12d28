"""The offline store of a site and who fills it: apart from the others, for whoever needs them.

What serves and what folds has no use for them, and a data frame library takes long to load.
"""

from palate.clock import Clock
from palate.features.offline.parquet import ParquetStore
from palate.features.offline.protocol import OfflineStore
from palate.settings import Settings
from palate.stores import Sources, adapter, open_waiting
from palate.streaming.attributor import Attributor


def open_offline(settings: Settings, *, write: bool = False) -> OfflineStore:
    """What was shown and what came of it. Raises as `open_sources` does."""
    adapters = {"file": lambda path: ParquetStore(path, write=write)}
    store: OfflineStore = adapter("offline", settings.stores.offline, adapters, settings)
    return store


def attributor(sources: Sources, clock: Clock) -> Attributor:
    """Who joins impressions with outcomes; one process of a site may."""
    settings = sources.settings
    offline = open_offline(settings, write=True)
    return Attributor(settings, sources.log, offline, open_waiting(settings), clock)
