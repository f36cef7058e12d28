"""What the catalogue withdrew and the columns do not show yet.

The stream worker shows a change within milliseconds. Where it is down, or busy with an import,
whoever serves looks for itself: an item that was deleted, hidden or limited is withheld until the
columns say of it what the catalogue says.
"""

import numpy as np

from palate.arrays import Rows
from palate.catalog.item import Item
from palate.catalog.protocol import ItemCatalog

LOOKED_AT = 2_000
"""Changes at most in one look: an import is not to keep those busy who serve."""
MOST = 100_000
"""Items withheld at most; beyond that nothing further is looked at until some are shown."""
NOTHING: Rows = np.empty(0, np.int32)


class Withheld:
    """Rows that must not be shown, of one process; looked for in a thread, read by requests."""

    def __init__(self) -> None:
        self._looked, self._by_row = 0, dict[int, int]()
        self._told: tuple[int, Rows] = (0, NOTHING)

    def look(self, items: ItemCatalog, shown: int) -> None:
        """Find what was withdrawn since the columns' version `shown`; blocks."""
        held = {row: version for row, version in self._by_row.items() if version > shown}
        after = max(self._looked, shown)
        changes = items.changes(after, LOOKED_AT) if len(held) < MOST else []
        for change in changes:
            held.pop(change.row, None)
            if limited(change.item):
                held[change.row] = change.version
        self._looked = changes[-1].version if changes else after
        self._by_row = held
        rows = np.array(sorted(held), np.int32) if held else NOTHING
        self._told = max(held.values(), default=0), rows

    def rows(self, shown: int) -> Rows:
        """Sorted rows, for who sees the columns at version `shown`; empty once they show it all."""
        newest, rows = self._told
        return rows if newest > shown else NOTHING


def limited(item: Item | None) -> bool:
    """Whether not everybody may be shown it for ever."""
    if item is None or item.hidden or item.regions or item.min_age:
        return True
    return item.expires_at is not None
