"""What a catalogue promises; `palate.testing.catalog` holds every back-end to it."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol

from palate.arrays import Rows
from palate.catalog.item import Item
from palate.catalog.user import User

PART = 20_000
"""Items in memory at a time, where a catalogue is read from end to end."""


class ItemChange(NamedTuple):
    """One step of the catalogue's history: `item` is None where it was deleted."""

    version: int
    row: int
    item_id: str
    item: Item | None


class ItemRows(Protocol):
    """The dense rows that stand for the items of one site."""

    def rows(self, item_ids: Sequence[str], *, create: bool) -> Rows:
        """Rows by id; an unknown id gets the next row when `create`, else -1."""
        ...

    def ids(self, rows: Rows) -> list[str]:
        """Ids by row; "" for a row that was never given."""
        ...


class ItemCatalog(ItemRows, Protocol):
    """The items of one site, and their rows."""

    def put(self, items: Sequence[Item]) -> int:
        """Insert or replace, all or nothing; returns how many differed from what was held.

        Embeddings of two widths in one catalogue: BadInput, naming each as ``/items/n/embedding``.
        """
        ...

    def find(self, item_ids: Sequence[str]) -> list[Item | None]:
        """One answer per id, in order; None where unknown or deleted."""
        ...

    def edit(self, item_id: str, change: Callable[[Item], Item]) -> Item | None:
        """Replace an item by what `change` makes of it, which is returned; None where unknown.

        Nobody else, in whatever process, writes in between; what `change` raises changes nothing.
        """
        ...

    def remove(self, item_ids: Sequence[str]) -> int:
        """Forget items; their rows stay reserved. Returns how many there were."""
        ...

    def changes(self, after: int, limit: int) -> list[ItemChange]:
        """The latest state of what changed after version `after`, oldest change first."""
        ...

    def counts(self) -> tuple[int, int]:
        """(items held, rows given)."""
        ...


class UserCatalog(Protocol):
    """The profiles of one site's users."""

    def put(self, users: Sequence[User]) -> int:
        """Insert or replace, all or nothing; returns how many differed from what was held."""
        ...

    def find(self, user_ids: Sequence[str]) -> list[User | None]:
        """One answer per id, in order; None where unknown."""
        ...

    def edit(self, user_id: str, change: Callable[[User], User]) -> User | None:
        """As `ItemCatalog.edit`, for a profile."""
        ...

    def remove(self, user_ids: Sequence[str]) -> int:
        """Forget profiles. Returns how many there were."""
        ...

    def page(self, after: str, limit: int) -> list[User]:
        """Users with an id greater than `after`, in id order."""
        ...

    def count(self) -> int:
        """How many profiles are held."""
        ...


def read_catalog(items: ItemCatalog) -> Iterator[list[ItemChange]]:
    """The latest state of everything there ever was, in parts, oldest change first."""
    after = 0
    while part := items.changes(after, PART):
        yield part
        after = part[-1].version
