"""What a running site stands on: one field per back-end protocol or shared projection.

`open_stores` is the only wiring; a component asks for the narrow thing it needs and never learns
which technology answers.
"""

from dataclasses import dataclass


from palate.catalog.columns import ItemColumns
from palate.catalog.protocol import ItemCatalog, UserCatalog
from palate.events.protocol import EventLog
from palate.features.boards import Leaderboards
from palate.features.items import ItemStates
from palate.features.online.protocol import OnlineStore
from palate.models.covisit import Covisit
from palate.releases.release import Release
from palate.settings import Settings


@dataclass(frozen=True, slots=True)
class Stores:
    """One site, as seen by one process. Replay and evaluation build one in memory."""

    settings: Settings
    items: ItemCatalog
    users: UserCatalog
    log: EventLog
    online: OnlineStore
    columns: ItemColumns
    """What the catalogue says of each row."""
    states: ItemStates
    """What events said of each row."""
    boards: Leaderboards
    """The heads of the decayed counts, ready to read."""
    covisit: Covisit
    release: Release | None
    """What training made; None before the first release."""
