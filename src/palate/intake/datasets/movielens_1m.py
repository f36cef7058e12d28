"""MovieLens 1M: films with plot, director and actors; most ratings are unknown (implicit)."""

from pathlib import Path
from typing import Any

from palate.catalog.item import Item
from palate.catalog.user import User
from palate.intake.datasets.dataset import Content, Dataset
from palate.intake.datasets.movielens import born, entities, number, ratings, titled
from palate.intake.importing import Progress
from palate.intake.tables import open_csv, open_parquet

MOVIES, USERS = "movies.dat", "users.dat"
INTERACTIONS, EXTRA = "ml1m_interactions.parquet", "movies_extrainfos.dat.gz"
ACTORS = 5
OCCUPATIONS = (
    "other", "academic/educator", "artist", "clerical/admin", "college/grad student",
    "customer service", "doctor/health care", "executive/managerial", "farmer", "homemaker",
    "K-12 student", "lawyer", "programmer", "retired", "sales/marketing", "scientist",
    "self-employed", "technician/engineer", "tradesman/craftsman", "unemployed", "writer",
)  # fmt: skip
UNDER_18 = 16
"""The set says 1 for "under 18" and else the youngest age of a band."""


def read(folder: Path, progress: Progress) -> Content:
    """Films with genres, plot, director and actors, people, ratings."""
    extra = _extra(folder)
    films = open_csv(
        folder / MOVIES, separator="::", encoding="latin-1", columns=("id", "title", "genres")
    )
    items = [
        Item(
            item_id=name,
            **titled(v["title"]),
            categories=tuple(v["genres"].split("|")),
            **extra.get(name, {}),
        )
        for name, v in entities(films, "id", ("title", "genres"))
    ]
    columns = ("id", "gender", "age", "occupation", "zip")
    people = open_csv(folder / USERS, separator="::", encoding="latin-1", columns=columns)
    told = list(entities(people, "id", columns[1:]))
    ages = {name: number(people, line, v, "age") for line, (name, v) in enumerate(told, start=1)}

    def users(year: int) -> list[User]:
        return [
            User(
                user_id=name,
                birth_year=born(max(ages[name], UNDER_18), year),
                attributes={
                    "gender": v["gender"],
                    "occupation": _occupation(v["occupation"]),
                    "zip": v["zip"],
                },
            )
            for name, v in told
        ]

    table = open_parquet(folder / INTERACTIONS)
    asked = ("user_id", "movie_id", "rating", "timestamp")
    return Content(items, users, ratings(table, asked, {i.item_id for i in items}, progress))


def _extra(folder: Path) -> dict[str, dict[str, Any]]:
    """Text, creator and tags by film."""
    columns = (
        "id", "title", "year", "rated", "released", "genres", "director", "writers", "actors",
        "plot", "poster",
    )  # fmt: skip
    table = open_csv(folder / EXTRA, separator="::", columns=columns)
    return {
        name: {
            "text": _given(v["plot"]),
            "creator_id": _given(v["director"]),
            "tags": tuple(dict.fromkeys(_given(v["actors"]).split(", ")[:ACTORS]))
            if _given(v["actors"])
            else (),
        }
        for name, v in entities(table, "id", columns[1:])
    }


def _given(cell: str) -> str:
    return "" if cell == "N/A" else cell.strip()


def _occupation(code: str) -> str:
    return OCCUPATIONS[int(code)] if code.isdigit() and int(code) < len(OCCUPATIONS) else code


DATASET = Dataset(
    name="movielens-1m",
    about="6,040 users, 3,883 films, 999,611 ratings of 2000 to 2003 (needs --from; times partly "
    "interpolated)",
    folder="ml-1m",
    files=(MOVIES, USERS, INTERACTIONS, EXTRA),
    read=read,
)
