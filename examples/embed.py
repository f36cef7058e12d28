"""A catalogue, a few events and a page, in Python alone: ``python examples/embed.py [FOLDER]``.

No server runs. The folder becomes a site as any other: ``palate up --site FOLDER`` serves it.
"""

import sys
import tempfile

import palate

FILMS = [
    {"item_id": "alien", "title": "Alien", "categories": ["Horror", "Sci-Fi"]},
    {"item_id": "aliens", "title": "Aliens", "categories": ["Action", "Sci-Fi"]},
    {"item_id": "amelie", "title": "Amélie", "categories": ["Comedy", "Romance"]},
    {"item_id": "arrival", "title": "Arrival", "categories": ["Drama", "Sci-Fi"]},
]
HISTORY = [
    {"kind": "like", "user_id": "u1", "item_id": "alien"},
    {"kind": "view", "user_id": "u2", "item_id": "alien", "value": 0.9},
    {"kind": "view", "user_id": "u2", "item_id": "arrival", "value": 1.0},
]


def main(folder: str) -> None:
    """Fill a site and ask it."""
    with palate.Site.open(folder) as site:
        site.items.put(FILMS)
        site.events.append(HISTORY)
        page = site.recommend("home", user_id="u1", limit=3)
        titles = {item.item_id: item.title for item in site.items.find(list_of(page)) if item}
        for entry in page.items:
            print(f"{entry.position}. {titles[entry.item_id]}: {entry.reason.text}")  # noqa: T201


def list_of(page: palate.Recommendation) -> list[str]:
    """The ids on a page, in order."""
    return [entry.item_id for entry in page.items]


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp(prefix="palate-"))
