"""MovieLens latest-small: films with genres and tags, half-star ratings of 1996 to 2018."""

from collections import Counter
from pathlib import Path

from palate.catalog.item import Item
from palate.catalog.user import User
from palate.intake.datasets.dataset import Content, Dataset, rows_of
from palate.intake.datasets.movielens import entities, ratings, titled
from palate.intake.importing import Progress
from palate.intake.tables import open_csv

MOVIES, RATINGS, TAGS = "movies.csv", "ratings.csv", "tags.csv"
MOST_TAGS = 20
NO_GENRES = "(no genres listed)"


def read(folder: Path, progress: Progress) -> Content:
    """Films with genres and tags, ratings; of people only the ids are known."""
    tags = _tags(folder)
    films = open_csv(folder / MOVIES)
    items = [
        Item(
            item_id=name,
            **titled(v["title"]),
            categories=tuple(g for g in v["genres"].split("|") if g != NO_GENRES),
            tags=tags.get(name, ()),
        )
        for name, v in entities(films, "movieId", ("title", "genres"))
    ]
    table = open_csv(folder / RATINGS)
    columns = ("userId", "movieId", "rating", "timestamp")
    events = ratings(table, columns, {item.item_id for item in items}, progress)
    people = dict.fromkeys(row.values["userId"] for row in table.read())
    return Content(items, lambda _: [User(user_id=name) for name in people], events)


def _tags(folder: Path) -> dict[str, tuple[str, ...]]:
    """The most given tags of each film."""
    given: dict[str, Counter[str]] = {}
    for _, row in rows_of(open_csv(folder / TAGS), ("movieId", "tag")):
        given.setdefault(row["movieId"], Counter())[row["tag"].strip().lower()] += 1
    return {
        film: tuple(tag for tag, _ in counted.most_common(MOST_TAGS) if tag)
        for film, counted in given.items()
    }


DATASET = Dataset(
    name="movielens-latest-small",
    about="610 users, 9,742 films, 100,836 ratings of 1996 to 2018, tags (needs --from)",
    folder="ml-latest-small",
    files=(MOVIES, RATINGS, TAGS),
    read=read,
)
