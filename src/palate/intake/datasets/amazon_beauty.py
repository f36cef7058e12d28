"""Amazon Beauty (2014, 5-core): who reviewed what in which order, anonymous attributes, few words.

The words of an item's title come from a file whose makers chose them with a tagger that had seen
all reviews, so they may know a little of the future: say so beside numbers that use them.
"""

from pathlib import Path
from typing import TypeVar

import msgspec

from palate.catalog.item import Item
from palate.catalog.user import User
from palate.errors import BadInput
from palate.intake.datasets.dataset import Content, Dataset
from palate.intake.histories import read_lists
from palate.intake.importing import Progress
from palate.intake.stepping import in_steps
from palate.intake.tables import text_lines, whole

HISTORIES, ATTRIBUTES = "Beauty.txt", "Beauty_item2attributes.json"
NAMES, WORDS = "beauty_datamaps.json", "Beauty_item_text_ids_IDGenRec.txt"
NEWEST = 1_406_073_600.0
"""23 July 2014, when the reviews were gathered; the file knows only their order."""
T = TypeVar("T")


class _Names(msgspec.Struct):
    """What the maps' file is read for: number -> the shop's own name of the item."""

    id2item: dict[str, str]


def read(folder: Path, progress: Progress) -> Content:
    """Items with attributes as categories and words as title, histories as ratings without a value.

    The attributes are the places in the shop's tree that an item hangs from, without their names.
    """
    found = read_lists(folder / HISTORIES, encoding="utf-8")
    attributes = _json(folder / ATTRIBUTES, dict[str, list[int]])
    names, words = _json(folder / NAMES, _Names).id2item, _words(folder / WORDS)
    told = {item for history in found.items.values() for item in history}
    lacking = sorted(told - set(names))
    if lacking:
        raise BadInput(f"{folder / NAMES}: there is no item {lacking[0]!r}; is the file cut?")
    items = [
        Item(
            item_id=name,
            title=words.get(names[name], ""),
            categories=tuple(f"category {number}" for number in attributes.get(name, ())),
            attributes={"asin": names[name]},
        )
        for name in sorted(told, key=int)
    ]
    progress("reading", found.rows, found.rows)
    people = [User(user_id=name) for name in found.items]
    return Content(items, lambda _: people, in_steps(found.items, "rating", NEWEST))


def _json(path: Path, type_: type[T]) -> T:
    try:
        return msgspec.json.decode(path.read_bytes(), type=type_)
    except msgspec.DecodeError as error:
        raise BadInput(f"{path}: {error}; is the file cut short?") from error


def _words(path: Path) -> dict[str, str]:
    """The shop's name of an item -> words of its title."""
    with whole(path, "utf-8"), text_lines(path, "utf-8") as lines:
        split = (line.strip().partition(" ") for line in lines)
        return {name: words.strip() for name, _, words in split}


DATASET = Dataset(
    name="amazon-beauty",
    about="22,363 users, 12,101 items, 198,502 reviews in order, without times (needs --from)",
    folder="amazon-beauty",
    files=(HISTORIES, ATTRIBUTES, NAMES, WORDS),
    read=read,
)
