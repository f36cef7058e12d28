"""From a slate to what is printed: cards, rows, colours. No poster, so the type has to carry it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from re import fullmatch
from typing import Any, NamedTuple

from palate.console.api import Json

HUES = {
    "action": 1,
    "adventure": 3,
    "animation": 5,
    "children": 4,
    "children's": 4,
    "comedy": 3,
    "crime": 17,
    "documentary": 9,
    "drama": 13,
    "fantasy": 15,
    "film-noir": 12,
    "horror": 0,
    "musical": 16,
    "mystery": 14,
    "romance": 17,
    "sci-fi": 10,
    "thriller": 11,
    "war": 6,
    "western": 2,
}
"""Which of the 18 hues (20 degrees apart) a genre wears; any other name gets one by its hash."""

HUE_COUNT, FORM_COUNT = 18, 6
LONG_TITLE, VERY_LONG_TITLE = 18, 34


@dataclass(frozen=True, slots=True)
class Card:
    """One item as it is printed."""

    item_id: str
    title: str
    year: str
    genres: tuple[str, ...]
    hue: int
    second_hue: int
    form: int
    """Which of the poster's geometric forms it wears; always the same for the same item."""
    size: str
    """How large its title can be set: short, long or very-long."""
    position: int = 0
    score: float = 0.0
    reason: str = ""
    because: tuple[str, ...] = ()
    """The items it is because of."""
    explore: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One surface's slate, ready to print."""

    surface: str
    title: str
    about: str
    """The title of the item that the row is about, after the heading; "" where it is about none."""
    note: str
    recommendation_id: str
    release: str
    step: str
    cards: tuple[Card, ...]
    item_id: str = ""
    """The item that the row is about."""
    on_screen: str = ""
    """The item whose page the row stands on, which is never in it."""


class Heading(NamedTuple):
    """What stands above a row."""

    title: str
    about: str = ""
    note: str = ""
    item_id: str = ""


def card_of(item: Json, entry: Json | None = None) -> Card:
    """Print `item`; `entry` is its place in a slate."""
    entry = entry or {}
    reason = entry.get("reason") or {}
    title, year = title_and_year(item)
    genres = tuple(g for g in item.get("categories", ()) if g.lower() != "unknown")
    hues = [hue_of(genre) for genre in genres] or [_hash(title, HUE_COUNT)]
    return Card(
        item_id=str(item["item_id"]),
        title=title,
        year=year,
        genres=genres,
        hue=hues[0],
        second_hue=hues[min(1, len(hues) - 1)],
        form=_hash(str(item["item_id"]), FORM_COUNT),
        size=_size(title),
        position=int(entry.get("position", 0)),
        score=float(entry.get("score") or 0.0),
        reason=str(reason.get("text", "")),
        because=tuple(reason.get("item_ids", ())),
        explore=bool(entry.get("explore")),
    )


def row_of(slate: Json, items: Mapping[str, Json], heading: Heading, on_screen: str = "") -> Row:
    """Print a slate under `heading`; entries the catalogue forgot are left out."""
    entries = [e for e in slate.get("items", ()) if e["item_id"] in items]
    return Row(
        surface=str(slate.get("surface", "")),
        title=heading.title,
        about=heading.about,
        note=heading.note,
        recommendation_id=str(slate.get("recommendation_id", "")),
        release=str(slate.get("release") or ""),
        step=str(slate.get("step") or ""),
        cards=tuple(card_of(items[e["item_id"]], e) for e in entries),
        item_id=heading.item_id,
        on_screen=on_screen,
    )


def title_and_year(item: Json) -> tuple[str, str]:
    """Title without its year, and the year.

    >>> title_and_year({"item_id": "1", "title": "Alien (1979)"})
    ('Alien', '1979')
    """
    title = str(item.get("title") or item["item_id"]).strip()
    year = str(item.get("attributes", {}).get("year") or "")
    if dated := fullmatch(r"(.+?)\s*\((\d{4})\)", title):
        title, year = dated[1], year or dated[2]
    return title, year or _published(item.get("published_at"))


def hue_of(genre: str) -> int:
    """The genre's colour, from 0 to 17."""
    return HUES.get(genre.lower(), _hash(genre, HUE_COUNT))


def _published(when: Any) -> str:
    if isinstance(when, int | float):
        return str(datetime.fromtimestamp(when, UTC).year)
    return str(when)[:4] if when else ""


def _size(title: str) -> str:
    widest = max((len(word) for word in title.split()), default=0)
    if len(title) > VERY_LONG_TITLE or widest > 13:  # noqa: PLR2004  letters that fit a card's width
        return "very-long"
    return "long" if len(title) > LONG_TITLE or widest > 9 else "short"  # noqa: PLR2004


def _hash(text: str, count: int) -> int:
    return blake2b(text.encode(), digest_size=2).digest()[0] % count
