import gzip
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from palate.catalog.item import Item
from palate.catalog.user import User
from palate.clock import FixedClock
from palate.errors import BadInput, Unavailable
from palate.events.kinds import Event, Kind
from palate.intake.datasets import found, movielens_100k
from palate.intake.datasets.dataset import WEEK, Dataset, Stored, locate, store
from palate.intake.datasets.movielens import titled
from palate.settings import Settings
from palate.stores import Sources, open_sources

NOW = 1_800_000_000.0
ITEMS = (
    "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n"
    "1\tToy Story\t1995\tAnimation Children's Comedy\n"
    "2\tBlade Runner\t1982\tFilm-Noir Sci-Fi\n"
    "3\tunknown\tunknown\tunknown\n"
    "4\tLand Before Time III (1995)\tV\tAnimation\n"
)
USERS = (
    "user_id:token\tage:token\tgender:token\toccupation:token\tzip_code:token\n"
    "1\t24\tM\ttechnician\t85711\n2\t53\tF\tother\tT8H1N\n"
)
RATINGS = (
    "user_id:token\titem_id:token\trating:float\ttimestamp:float\n"
    "1\t2\t3\t881250949\n2\t1\t5\t891717742\n1\t4\t1\t881250949\n"
)


def write(folder: Path, **files: str) -> Path:
    folder.mkdir(exist_ok=True)
    for end, content in ({"item": ITEMS, "user": USERS, "inter": RATINGS} | files).items():
        (folder / f"ml-100k.{end}").write_text(content, "utf-8")
    return folder


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Sources]:
    with open_sources(Settings(home=tmp_path / "site")) as sources:
        yield sources


def run(
    site: Sources, folder: Path, name: str = "movielens-100k", *, until_now: bool = False,
    now: float = NOW,
) -> Stored:  # fmt: skip
    known = found()[name]
    told = lambda *_: None  # noqa: E731
    return store(known, folder, site, FixedClock(now), told, until_now=until_now)


def events(site: Sources) -> list[Event]:
    held = [each.event for each in site.log.read(0, 999)]
    assert all(e.kind is Kind.PROFILE for e in held[: site.users.count()])
    return held[site.users.count() :]


def test_all_sets_are_found() -> None:
    assert list(found()) == [
        "amazon-beauty", "movielens-100k", "movielens-1m", "movielens-latest-small",
    ]  # fmt: skip


def test_films_people_and_ratings_of_the_100k(site: Sources, tmp_path: Path) -> None:
    stored = run(site, write(tmp_path / "d"))
    assert stored == Stored("movielens-100k", 4, 2, 3, 4, 2, 3, 0.0)
    assert site.items.find(["1", "2", "3", "4"]) == [
        Item(
            item_id="1", title="Toy Story", published_at=788_918_400.0,
            categories=("Animation", "Children's", "Comedy"), attributes={"year": 1995},
        ),
        Item(
            item_id="2", title="Blade Runner", published_at=378_691_200.0,
            categories=("Film-Noir", "Sci-Fi"), attributes={"year": 1982},
        ),
        Item(item_id="3", title="unknown", categories=("unknown",)),
        Item(
            item_id="4", title="Land Before Time III", published_at=788_918_400.0,
            categories=("Animation",), attributes={"year": 1995},
        ),
    ]  # fmt: skip
    assert site.users.find(["2"]) == [
        User(
            user_id="2", birth_year=1998 - 53,
            attributes={"gender": "F", "occupation": "other", "zip": "T8H1N"},
        )
    ]  # fmt: skip
    assert [(e.kind, e.user_id, e.item_id, e.value, e.time) for e in events(site)] == [
        (Kind.RATING, "1", "2", 3.0, 881_250_949.0),
        (Kind.RATING, "1", "4", 1.0, 881_250_949.0),
        (Kind.RATING, "2", "1", 5.0, 891_717_742.0),
    ]
    assert {e.event.time for e in site.log.read(0, 2)} == {881_250_949.0}


def test_until_now_moves_all_times_by_whole_weeks_decided_once(
    site: Sources, tmp_path: Path
) -> None:
    folder = write(tmp_path / "d")
    stored = run(site, folder, until_now=True)
    assert stored.moved_seconds % WEEK == 0
    first, _, newest = (event.time for event in events(site))
    assert NOW - WEEK < newest <= NOW
    assert newest - first == 891_717_742 - 881_250_949
    assert site.users.find(["1"])[0].birth_year == 2027 - 24  # type: ignore[union-attr]
    for until_now in (True, False):
        again = run(site, folder, until_now=until_now, now=NOW + 5 * WEEK)
        assert (again.new_items, again.new_users, again.new_events) == (0, 0, 0)
        assert again.moved_seconds == stored.moved_seconds


def test_a_set_that_came_at_its_own_times_stays_there(site: Sources, tmp_path: Path) -> None:
    folder = write(tmp_path / "d")
    run(site, folder)
    again = run(site, folder, until_now=True)
    assert (again.moved_seconds, again.new_events, again.new_users) == (0.0, 0, 0)


@pytest.mark.parametrize(
    ("end", "content", "why"),
    [
        ("inter", RATINGS[:-4], "the last line has no end; the file is cut short"),
        ("inter", RATINGS[:-14], "ends in the middle"),
        ("inter", RATINGS.replace("rating:float", "stars"), "no column rating:float; it has: "),
        ("inter", RATINGS.replace("\t5\t", "\tfive\t"), "line 3: rating:float is 'five', not a n"),
        ("inter", RATINGS + "1\t9\t5\t1\n", "line 5: there is no film '9'; is the films' file"),
        ("item", ITEMS[: ITEMS.index("2\t")], "there is no film '2'"),
        ("item", ITEMS + "1\tAgain\t1999\tDrama\n", "line 6: id '1' was on line 2 already"),
        ("item", ITEMS + "\tAgain\t1999\tDrama\n", "line 6: item_id:token is empty"),
        ("item", ITEMS.replace("class:", "genre:"), "no column class:token_seq"),
        ("item", ITEMS.replace("\t1982", ""), "line 3: 3 cells where the file has 4 columns"),
        ("user", USERS + "2\t53\tF\tother\t9\n", "line 4: id '2' was on line 3 already"),
        ("user", USERS.replace("53", "old"), "line 3: age:token is 'old', not a number"),
        ("user", "", "the file is empty"),
    ],
)
def test_a_bad_file_is_refused_before_anything_is_written(
    site: Sources, tmp_path: Path, end: str, content: str, why: str
) -> None:
    with pytest.raises(BadInput) as refused:
        run(site, write(tmp_path / "d", **{end: content}), until_now=True)
    assert f"ml-100k.{end}" in refused.value.detail or "film" in why
    assert why in refused.value.detail
    assert (site.items.counts(), site.users.count(), site.log.count()) == ((0, 0), 0, 0)
    assert not (tmp_path / "site" / "data.json").exists()


def test_the_1m_set(site: Sources, tmp_path: Path) -> None:
    (tmp_path / "movies.dat").write_bytes(
        "1::Amélie (2001)::Comedy|Romance\n2::Associate, The (L'Associe)(1982)::Comedy\n"
        "3::No Year::Drama\n".encode("latin-1")
    )
    (tmp_path / "users.dat").write_text("1::F::1::10::48067\n2::M::56::16::70072\n")
    extra = (
        "1::A::2001::R::x::y::Jean-Pierre Jeunet::w::Tautou, Kassovitz, a, b, c, d::Paris.::u\r\n"
        "2::B::1982::R::x::y::N/A::w::N/A::N/A::u\r\n"
    )
    (tmp_path / "movies_extrainfos.dat.gz").write_bytes(gzip.compress(extra.encode()))
    pl.DataFrame(
        {"user_id": [1, 2], "movie_id": [3, 1], "timestamp": [1_046_454_590, 956_703_932],
         "rating": [0, 4]}
    ).write_parquet(tmp_path / "ml1m_interactions.parquet")  # fmt: skip
    assert run(site, tmp_path, "movielens-1m").new_events == 2
    one, two, three = site.items.find(["1", "2", "3"])
    assert one == Item(
        item_id="1", title="Amélie", categories=("Comedy", "Romance"), text="Paris.",
        creator_id="Jean-Pierre Jeunet", tags=("Tautou", "Kassovitz", "a", "b", "c"),
        published_at=978_307_200.0, attributes={"year": 2001},
    )  # fmt: skip
    assert two
    assert (two.title, two.creator_id, two.tags, two.text) == (
        "The Associate (L'Associe)", "", (), "",
    )  # fmt: skip
    assert three == Item(item_id="3", title="No Year", categories=("Drama",))
    child, elder = site.users.find(["1", "2"])
    assert child
    assert elder
    assert (child.birth_year, elder.birth_year) == (2003 - 16, 2003 - 56)
    assert child.attributes["occupation"] == "K-12 student"
    assert [(e.user_id, e.item_id, e.value) for e in events(site)] == [
        ("2", "1", 4.0),
        ("1", "3", None),
    ]


def test_the_latest_small_set(site: Sources, tmp_path: Path) -> None:
    (tmp_path / "movies.csv").write_text(
        'movieId,title,genres\n1,"Piano, The (1993)",Drama|Romance\n'
        "2,Moonlight,(no genres listed)\n"
    )
    (tmp_path / "ratings.csv").write_text("userId,movieId,rating,timestamp\n7,1,4.5,964982703\n")
    (tmp_path / "tags.csv").write_text(
        "userId,movieId,tag,timestamp\n7,1,slow,1\n8,1,Sea ,2\n9,1,sea,2\n"
    )
    assert run(site, tmp_path, "movielens-latest-small").new_events == 1
    one, two = site.items.find(["1", "2"])
    assert one
    assert (one.title, one.categories, one.tags) == (
        "The Piano", ("Drama", "Romance"), ("sea", "slow"),
    )  # fmt: skip
    assert two == Item(item_id="2", title="Moonlight")
    assert site.users.page("", 9) == [User(user_id="7")]


@pytest.mark.parametrize(
    ("title", "year", "told"),
    [
        ("Brazil (1985)", "", ("Brazil", 1985)),
        ("Brazil", "1985", ("Brazil", 1985)),
        ("1900 (1976) ", "", ("1900", 1976)),
        ("Death Note (2006–2007)", "", ("Death Note (2006–2007)", None)),  # noqa: RUF001
    ],
)
def test_titles_and_years(title: str, year: str, told: tuple[str, int | None]) -> None:
    film = titled(title, year)
    assert (film["title"], film.get("attributes", {}).get("year")) == told


def test_where_the_files_are_looked_for(tmp_path: Path) -> None:
    fetched: list[Path] = []

    def fetch(cache: Path) -> Path:
        fetched.append(cache)
        return cache

    known = found()["movielens-100k"]
    known = Dataset(known.name, "", known.folder, known.files, known.read, fetch)
    folder = write(tmp_path / "ml-100k")
    assert locate(known, folder, {}, tmp_path) == folder
    assert locate(known, tmp_path, {}, tmp_path) == folder
    assert locate(known, None, {"PALATE_DATA": str(tmp_path)}, tmp_path) == folder
    assert fetched == []
    assert locate(known, None, {"PALATE_DATA": "/nowhere", "PALATE_CACHE": "/c"}, tmp_path) == Path(
        "/c"
    )
    assert locate(known, None, {}, tmp_path) == tmp_path / ".cache" / "palate"
    with pytest.raises(BadInput, match=r"must hold the files ml-100k\.inter"):
        locate(known, tmp_path / "empty", {}, tmp_path)
    with pytest.raises(BadInput, match="it cannot be downloaded; name with --from"):
        locate(found()["movielens-1m"], None, {}, tmp_path)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that was filled from the real registry."""
    cache: Path = tmp_path_factory.mktemp("cache")
    movielens_100k.fetch(cache)
    return cache


def test_the_wheel_is_fetched_once_and_checked(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [p.name for p in cache.iterdir()] == ["ml-100k"]
    monkeypatch.setattr(subprocess, "run", _no_network)
    folder = movielens_100k.fetch(cache)
    assert sorted(p.name for p in folder.iterdir()) == sorted(movielens_100k.SHA256)
    shutil.copytree(cache, tmp_path / "c")
    (tmp_path / "c" / "ml-100k" / "ml-100k.user").write_text("altered")
    with pytest.raises(Unavailable, match=r"could not download recbole==1\.2\.1.*no network"):
        movielens_100k.fetch(tmp_path / "c")


def _no_network(*_: object, **__: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.CompletedProcess([], 1, "", "warning\nERROR: no network\n")


def test_another_wheel_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def other(command: list[str], **_: object) -> "subprocess.CompletedProcess[str]":
        (Path(command[command.index("-d") + 1]) / "recbole-1.2.1-py3-none-any.whl").write_text("x")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", other)
    with pytest.raises(Unavailable, match="its SHA-256 differs"):
        movielens_100k.fetch(tmp_path)


def test_the_whole_100k_is_imported_by_the_command(cache: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "palate.cli"]
    subprocess.run([*command, "init", str(tmp_path / "s")], check=True)
    asked = ["data", "movielens-100k", "--from", str(cache), "-s", str(tmp_path / "s")]
    subprocess.run([*command, *asked], check=True)
    with sqlite3.connect(tmp_path / "s" / "events.db") as db:
        kinds = dict(db.execute("select kind, count(*) from event group by kind"))
        times = [time for (time,) in db.execute("select time from event order by position")]
    assert kinds == {int(Kind.PROFILE): 943, int(Kind.RATING): 100_000}
    assert times == sorted(times)


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("Usual Suspects, The", "The Usual Suspects"),
        ("Cook the Thief His Wife & Her Lover, The", "The Cook the Thief His Wife & Her Lover"),
        ("City, La (The City of Lost Children) (1995)", "La City (The City of Lost Children)"),
        ("Heat", "Heat"),
        ("Tea, A", "A Tea"),
    ],
)
def test_articles_stand_where_people_read_them(title: str, shown: str) -> None:
    assert titled(title)["title"] == shown


def beauty(folder: Path, **changes: str) -> Path:
    files = {
        "Beauty.txt": "1 1 2\n2 2 1\n",
        "Beauty_item2attributes.json": '{"1": [3, 5]}',
        "beauty_datamaps.json": '{"id2user": {}, "id2item": {"1": "B01", "2": "B02"}}',
        "Beauty_item_text_ids_IDGenRec.txt": "B01 nail polish\n",
    }
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_text(changes.get(name.partition(".")[0], content))
    return folder


def test_beauty_has_attributes_words_and_steps_for_times(site: Sources, tmp_path: Path) -> None:
    done = run(site, beauty(tmp_path / "b"), "amazon-beauty")
    assert (done.new_items, done.new_users, done.new_events) == (2, 2, 4)
    one, two = site.items.find(["1", "2"])
    assert one
    assert two
    assert (one.title, one.categories) == ("nail polish", ("category 3", "category 5"))
    assert (two.title, two.tags, two.attributes) == ("", (), {"asin": "B02"})
    events = [e.event for e in site.log.read(0, 9) if e.event.kind is Kind.RATING]
    assert [(e.user_id, e.item_id) for e in events] == [
        ("1", "1"),
        ("2", "2"),
        ("1", "2"),
        ("2", "1"),
    ]
    assert len({e.time for e in events}) == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"beauty_datamaps": '{"id2item": {"1": "B01"}}'},
        {"beauty_datamaps": '{"id2item": {"1":'},
        {"Beauty_item2attributes": "[]"},
        {"Beauty": "1 1 2\n1 2 1\n"},
    ],
)
def test_a_beauty_file_that_is_cut_or_wrong_is_refused(
    site: Sources, tmp_path: Path, changes: dict[str, str]
) -> None:
    with pytest.raises(BadInput):
        run(site, beauty(tmp_path / "b", **changes), "amazon-beauty")
    assert site.log.count() == 0
