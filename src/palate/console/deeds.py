"""What a visitor did, in words: "liked", "rated 4 of 5"."""

from collections.abc import Sequence

from palate.console.api import Json
from palate.events.kinds import Kind, signals_of
from palate.serving.reasons import deed_word, strength


def strongest(deeds: Sequence[Json], item_id: str, viewed: str) -> str:
    """The strongest thing done with an item, as the reasons say it; "" where there is none.

    >>> strongest([{"item_id": "1", "kind": "rating", "value": 5.0}], "1", "watched")
    'liked'
    """
    found = [
        strength(kind, signals_of(kind, deed["value"]))
        for deed in deeds
        if deed["item_id"] == item_id
        for kind in [Kind[deed["kind"].upper()]]
    ]
    best = max(found, default=-1)
    return deed_word(best, viewed) if best >= 0 else ""
