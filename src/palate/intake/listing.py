"""Items that events name and the catalogue does not hold: nobody can be shown them."""

from collections.abc import Iterator, Sequence

from palate.catalog.item import Item
from palate.events.kinds import Event
from palate.stores import Sources

ENTITIES = 1_000
"""Items of one transaction."""


def items_of(event: Event) -> Iterator[str]:
    """The items that an event names."""
    if event.item_id:
        yield event.item_id
    yield from (shown.item_id for shown in event.items)


def unlisted(item_ids: Sequence[str], sources: Sources) -> list[str]:
    """Those of the ids that the catalogue does not hold, in their order."""
    lacking = []
    for start in range(0, len(item_ids), ENTITIES):
        part = item_ids[start : start + ENTITIES]
        found = zip(part, sources.items.find(part), strict=True)
        lacking += [name for name, item in found if item is None]
    return lacking


def create(item_ids: Sequence[str], sources: Sources) -> int:
    """Put items with nothing but their ids; returns how many."""
    for start in range(0, len(item_ids), ENTITIES):
        sources.items.put([Item(item_id=name) for name in item_ids[start : start + ENTITIES]])
    return len(item_ids)
