import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from palate.catalog.item import Item
from palate.catalog.user import User
from palate.clock import FixedClock
from palate.errors import BadInput, MissingExtra
from palate.events.kinds import Event, Kind
from palate.features.segments import profile_code
from palate.intake.importing import Import, Imported
from palate.intake.rejects import Rejects
from palate.intake.scale import Scale
from palate.intake.tables import open_table
from palate.settings import FeatureSettings, Settings, StoreSettings
from palate.stores import Sources, open_sources

NOW = 1_800_000_000.0
RATINGS = "userId,movieId,rating,timestamp\n1,10,4.0,300\n2,10,2.5,100\n1,20,5,200\n"
MAPPED = ("user_id=userId", "item_id=movieId", "value=rating", "time=timestamp")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Sources]:
    with open_sources(Settings(home=tmp_path / "site")) as sources:
        yield sources


def run(  # noqa: PLR0913
    site: Sources, file: Path, what: str, *pairs: str, kind: str | None = None,
    rejects: Path | None = None, now: float = NOW, create_items: bool = False, scale: str = "",
) -> Imported:  # fmt: skip
    with Rejects(rejects) as left_out:
        told = lambda *_: None  # noqa: E731
        job = Import(open_table(file), pairs, site, left_out, told, FixedClock(now))
        if what == "events":
            how = Scale.parsed(scale) if scale else None
            return job.events(kind, create_items=create_items, scale=how)
        imported: Imported = getattr(job, what)()
        return imported


def write(path: Path, content: str) -> Path:
    path.write_text(content, "utf-8")
    return path


def rejected(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def logged(site: Sources) -> list[Event]:
    return [each.event for each in site.log.read(0, 10_000)]


def test_items_from_csv_take_fields_by_name_and_the_rest_as_attributes(
    site: Sources, tmp_path: Path
) -> None:
    file = write(
        tmp_path / "movies.csv",
        "movieId,title,genres,year,zip,published_at,hidden,attributes\n"
        '1,Toy Story,Comedy|Drama,1995,02139,1995-11-22,no,"{""a"": 1}"\n'
        "2,,,1996,85711,,,\n",
    )
    done = run(site, file, "items", "item_id=movieId", "categories=genres")
    assert done == Imported("items", str(file), 2, 2, 0, 0)
    assert site.items.find(["1", "2"]) == [
        Item(
            item_id="1",
            title="Toy Story",
            categories=("Comedy", "Drama"),
            published_at=816_998_400.0,
            attributes={"year": 1995, "zip": "02139", "a": 1},
        ),
        Item(item_id="2", attributes={"year": 1996, "zip": "85711"}),
    ]


def test_an_import_that_runs_again_changes_nothing(site: Sources, tmp_path: Path) -> None:
    items = write(tmp_path / "i.csv", "item_id,title\n1,a\n2,b\n")
    users = write(tmp_path / "u.csv", "user_id,country\n1,DE\n2,FR\n")
    events = write(tmp_path / "e.csv", RATINGS)
    for known in (0, 1):
        for file, what, pairs in (
            (items, "items", ()), (users, "users", ()), (events, "events", MAPPED),
        ):  # fmt: skip
            done = run(site, file, what, *pairs, kind="rating" if what == "events" else None)
            assert (done.new, done.known) == ((0, done.rows) if known else (done.rows, 0))
    assert site.log.count() == 3 + 2


def test_events_are_logged_in_the_order_in_which_they_happened(
    site: Sources, tmp_path: Path
) -> None:
    run(site, write(tmp_path / "r.csv", RATINGS), "events", *MAPPED, kind="rating")
    assert [(e.kind, e.user_id, e.item_id, e.value, e.time) for e in logged(site)] == [
        (Kind.RATING, "2", "10", 2.5, 100.0),
        (Kind.RATING, "1", "20", 5.0, 200.0),
        (Kind.RATING, "1", "10", 4.0, 300.0),
    ]


def rated(path: Path, *values: float | str) -> Path:
    rows = "".join(f"u,i{at},{at},{value}\n" for at, value in enumerate(values, start=1))
    return write(path, f"user_id,item_id,time,value\n{rows}")


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ((0, 1, 1), "ratings are 0 to 1 (line 3), and are read as stars from 1 to 5"),
        ((1, 1), "say which scale they are on, as --scale 0..1, or --scale 1..5 if"),
        ((-1, 1), "as --scale -1..1"),
        ((4, 10, 1), "ratings are 1 to 10 (line 3)"),
        ((-3, 4), "as --scale -3..4"),
    ],
)
def test_ratings_that_cannot_be_stars_are_refused_whole(
    site: Sources, tmp_path: Path, values: tuple[float, ...], told: str
) -> None:
    with pytest.raises(BadInput, match=re.escape(told)):
        run(site, rated(tmp_path / "r.csv", *values), "events", kind="rating")
    assert site.log.count() == 0


@pytest.mark.parametrize("values", [(1, 5), (0.5, 4.5), (0, 3), (2, 2)])
def test_ratings_that_may_be_stars_are_taken_as_such(
    site: Sources, tmp_path: Path, values: tuple[float, ...]
) -> None:
    run(site, rated(tmp_path / "r.csv", *values), "events", kind="rating")
    assert [event.value for event in logged(site)] == list(values)


@pytest.mark.parametrize(
    ("scale", "values", "stars"),
    [
        ("1..10", (1, 4, 10), [1.0, 1 + 4 / 3, 5.0]),
        ("0..1", (0, 1), [1.0, 5.0]),
        ("6..1", (1, 6, 3.5), [5.0, 1.0, 3.0]),
        ("1..5", (1, 1), [1.0, 1.0]),
    ],
)
def test_a_named_scale_becomes_stars(
    site: Sources, tmp_path: Path, scale: str, values: tuple[float, ...], stars: list[float]
) -> None:
    run(site, rated(tmp_path / "r.csv", *values), "events", kind="rating", scale=scale)
    assert [event.value for event in logged(site)] == pytest.approx(stars)


def test_a_scale_is_of_ratings_alone_and_what_is_off_it_is_left_out(
    site: Sources, tmp_path: Path
) -> None:
    file = rated(tmp_path / "r.csv", 3, 11)
    bad = tmp_path / "bad.jsonl"
    run(site, file, "events", kind="view", scale="1..10")
    assert [event.value for event in logged(site)] == [3.0, 11.0]
    assert run(site, file, "events", kind="rating", scale="1..10", rejects=bad).rejected == 1
    (row,) = rejected(bad)
    assert (row["line"], row["problem"]) == (3, "a rating of 11 is not from 1 to 10")


def test_a_number_that_nothing_can_count_is_left_out_by_its_line(
    site: Sources, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.jsonl"
    file = rated(tmp_path / "r.csv", 3, "1e300", 4)
    assert run(site, file, "events", kind="purchase", rejects=bad).new == 2
    assert run(site, file, "events", kind="rating", rejects=bad).new == 2
    assert [row["line"] for row in rejected(bad)] == [3]


@pytest.mark.parametrize("text", ["", "1", "5..5", "a..b", "1..2..3", "nan..1", "0..inf"])
def test_a_scale_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="write LOW"):
        Scale.parsed(text)


def test_equal_rows_are_events_of_their_own(site: Sources, tmp_path: Path) -> None:
    file = write(tmp_path / "v.csv", "user_id,item_id,time\nu,i,5\nu,i,5\nu,i,6\n")
    assert run(site, file, "events", kind="view").new == 3
    assert run(site, file, "events", kind="view").new == 0
    assert run(site, file, "events", kind="click").new == 3
    ids = [event.event_id for event in logged(site)]
    assert len(set(ids)) == 6
    assert sorted(ids[:3]) == ids[:3]


def test_what_an_event_row_holds_beside_the_fields_becomes_properties(
    site: Sources, tmp_path: Path
) -> None:
    file = write(
        tmp_path / "e.jsonl",
        '{"kind":"view","user_id":7,"item_id":1,"time":"2020-01-01","os":"tv"}\n',
    )
    run(site, file, "events")
    (event,) = logged(site)
    assert (event.user_id, event.item_id, event.properties) == ("7", "1", {"os": "tv"})


def test_an_interrupted_import_goes_on_where_it_stopped(
    site: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("palate.intake.importing.EVENTS", 2)
    file = write(tmp_path / "r.csv", RATINGS)

    def interrupt(doing: str, *_: int) -> None:
        if doing == "storing":
            raise KeyboardInterrupt

    with Rejects(None) as left_out, pytest.raises(KeyboardInterrupt):
        Import(open_table(file), MAPPED, site, left_out, interrupt, FixedClock(NOW)).events(
            "rating"
        )
    assert site.log.count() == 2
    done = run(site, file, "events", *MAPPED, kind="rating")
    assert (done.new, done.known) == (1, 2)


def test_bad_rows_are_left_out_and_named(site: Sources, tmp_path: Path) -> None:
    file = write(
        tmp_path / "r.csv",
        "userId,movieId,rating,timestamp\n1,10,good,300\n,10,1,300\n1,10,1\n1,20,5,\n1,20,5,200\n"
        "\x01,20,x,200\n",
    )
    done = run(site, file, "events", *MAPPED, kind="rating", rejects=tmp_path / "bad.jsonl")
    assert (done.rows, done.new, done.rejected) == (6, 1, 5)
    told = rejected(tmp_path / "bad.jsonl")
    assert [(each["line"], each["field"]) for each in told] == [
        (2, "rating"),
        (3, "userId"),
        (4, ""),
        (5, "timestamp"),
        (7, "userId, rating"),
    ]
    assert told[0]["problem"] == "a number is wanted, not a string"
    assert told[0]["row"] == {"userId": "1", "movieId": "10", "rating": "good", "timestamp": "300"}
    assert "needs its time" in told[3]["problem"]
    assert "control characters" in told[4]["problem"]


def test_an_id_that_comes_twice_is_left_out_the_second_time(site: Sources, tmp_path: Path) -> None:
    file = write(tmp_path / "i.csv", "item_id,title\na,1\nb,2\na,3\n")
    for _ in range(2):
        done = run(site, file, "items", rejects=tmp_path / "bad.jsonl")
        assert done.rejected == 1
        assert rejected(tmp_path / "bad.jsonl")[0]["problem"].startswith("'a' was on line 2")
    assert (done.new, done.known) == (0, 2)
    assert site.items.find(["a"]) == [Item(item_id="a", title="1")]


def test_a_good_import_leaves_an_empty_rejects_file(site: Sources, tmp_path: Path) -> None:
    run(site, write(tmp_path / "i.csv", "item_id\na\n"), "items", rejects=tmp_path / "bad.jsonl")
    assert rejected(tmp_path / "bad.jsonl") == []


def test_the_first_problems_are_kept_to_be_shown() -> None:
    with Rejects(None) as left_out:
        for line in range(9):
            left_out.add(line, "f" if line else "", "p", {})
    assert left_out.count == 9
    assert left_out.first == ["line 0: p", *(f"line {n}: f: p" for n in range(1, 5))]


def test_parquet_and_jsonl_give_the_same_items_as_csv(site: Sources, tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {"item_id": [1, 2], "tags": [["a", "b"], []], "min_age": [12, None], "x": [1.5, None]}
    )
    frame.write_parquet(tmp_path / "i.parquet")
    frame.write_ndjson(tmp_path / "i.jsonl")
    write(tmp_path / "i.csv", "item_id,tags,min_age,x\n1,a|b,12,1.5\n2,,,\n")
    new = [run(site, tmp_path / f"i.{end}", "items").new for end in ("parquet", "jsonl", "csv")]
    assert new == [2, 0, 0]
    assert site.items.find(["1"]) == [
        Item(item_id="1", tags=("a", "b"), min_age=12, attributes={"x": 1.5})
    ]


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (("items", "movieId", (), None), "no column for item_id; it has: movieId; say which with"),
        (("items", "item_id", ("title=name",), None), "no column 'name'; it has: item_id"),
        (("items", "item_id", ("name=item_id",), None), "an item has no field 'name'; one of:"),
        (("items", "item_id", ("title",), None), "write field=column"),
        (("users", "id", (), None), "no column for user_id"),
        (("events", "user_id,item_id,time", (), None), "no column for kind"),
        (("events", "user_id,item_id", (), "view"), "no column for time"),
        (("events", "item_id,time", (), "view"), "no column for user_id or session_id or anon"),
    ],
)
def test_a_file_without_what_is_needed_is_refused_before_anything_is_written(
    site: Sources, tmp_path: Path, asked: tuple[str, str, tuple[str, ...], str | None], why: str
) -> None:
    what, head, pairs, kind = asked
    file = write(tmp_path / "f.csv", head + "\n" + ",".join("1" for _ in head.split(",")) + "\n")
    with pytest.raises(BadInput) as refused:
        run(site, file, what, *pairs, kind=kind, rejects=tmp_path / "bad.jsonl")
    assert why in refused.value.detail
    assert (site.items.counts(), site.users.count(), site.log.count()) == ((0, 0), 0, 0)
    assert not (tmp_path / "bad.jsonl").exists()


def test_a_changed_user_is_also_an_event(site: Sources, tmp_path: Path) -> None:
    run(site, write(tmp_path / "u.csv", "user_id,country,age\n1,DE,30\n2,FR,40\n"), "users")
    run(
        site,
        write(tmp_path / "v.csv", "user_id,country,age\n1,DE,30\n2,US,40\n"),
        "users",
        now=NOW + 9,
    )
    assert site.users.find(["1"]) == [User(user_id="1", country="DE", attributes={"age": 30})]
    told = [(e.kind, e.user_id, e.value, e.time) for e in logged(site)]
    segments = [
        float(profile_code(User(user_id="", country=c, attributes={"age": a}), FeatureSettings()))
        for c, a in (("DE", 30), ("FR", 40), ("US", 40))
    ]
    assert told == [
        (Kind.PROFILE, name, segment, time)
        for name, segment, time in zip("122", segments, (NOW, NOW, NOW + 9), strict=True)
    ]


def test_a_folder_for_rejects_must_exist(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such folder"), Rejects(tmp_path / "no" / "bad.jsonl"):
        pass
    with pytest.raises(BadInput, match="cannot write"), Rejects(tmp_path):
        pass


def test_imports_say_which_stores_they_cannot_write(tmp_path: Path) -> None:
    elsewhere = Settings(home=tmp_path, stores=StoreSettings(events="kafka://x"))
    with pytest.raises(MissingExtra, match="no kafka adapter"), open_sources(elsewhere):
        pass


def test_items_that_only_events_know_are_counted_or_made(site: Sources, tmp_path: Path) -> None:
    file = write(
        tmp_path / "e.jsonl",
        '{"kind": "view", "user_id": "u", "item_id": "a", "time": 5}\n'
        '{"kind": "view", "user_id": "u", "item_id": "b", "time": 6}\n'
        '{"kind": "impression", "user_id": "u", "items": ["a", "c"], "time": 4}\n'
        '{"kind": "search", "user_id": "u", "time": 7}\n',
    )
    site.items.put([Item(item_id="a", title="A title")])
    done = run(site, file, "events")
    assert (done.new, done.unlisted, done.created) == (4, 2, 0)
    assert site.items.find(["b", "c"]) == [None, None]
    done = run(site, file, "events", create_items=True)
    assert (done.new, done.unlisted, done.created) == (0, 0, 2)
    assert site.items.find(["a", "b", "c"])[0] == Item(item_id="a", title="A title")
    assert site.items.find(["b"]) == [Item(item_id="b")]
    assert run(site, file, "events").unlisted == 0


def test_what_is_new_what_changed_and_what_is_known_are_counted_apart(
    site: Sources, tmp_path: Path
) -> None:
    run(site, write(tmp_path / "a.csv", "item_id,title\n1,a\n2,b\n"), "items")
    done = run(site, write(tmp_path / "b.csv", "item_id,title\n1,a\n2,other\n3,c\n"), "items")
    assert (done.new, done.changed, done.known) == (1, 1, 1)


def test_an_event_that_has_not_happened_yet_is_left_out(site: Sources, tmp_path: Path) -> None:
    file = write(tmp_path / "e.csv", f"user_id,item_id,time\nu,i,{NOW}\nu,i,{NOW + 400 * 86_400}\n")
    done = run(site, file, "events", kind="view", rejects=tmp_path / "bad.jsonl")
    assert (done.new, done.rejected) == (1, 1)
    assert "it has not happened yet" in str(rejected(tmp_path / "bad.jsonl"))


def test_a_spreadsheet_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="save it as CSV"):
        open_table(write(tmp_path / "items.XLSX", "item_id\n1\n"))


def test_an_embedding_of_another_width_is_set_aside_and_the_rest_is_stored(
    site: Sources, tmp_path: Path
) -> None:
    rows = "item_id,embedding\na,1|2\nb,1|2|3\nc,\nd,nan|1\ne,3|4\n"
    file = write(tmp_path / "items.csv", rows)
    done = run(site, file, "items", rejects=tmp_path / "out.jsonl")
    assert (done.new, done.rejected) == (3, 2)
    assert [item is not None for item in site.items.find(list("abcde"))] == [
        True, False, True, False, True,
    ]  # fmt: skip
    told = {
        each["line"]: (each["field"], each["problem"]) for each in rejected(tmp_path / "out.jsonl")
    }
    assert told[3][0] == told[5][0] == "embedding"
    assert told[3][1].startswith("3 numbers, where the catalogue's embeddings have 2")
    assert told[5][1] == "a finite number is wanted"


@pytest.mark.parametrize(
    ("what", "content", "pairs"),
    [
        ("items", "item_id,published_at\na,2020-01-02\nb,2020-01-0", ()),
        ("users", "user_id,birth_year\na,1980\nb,198", ()),
        ("events", RATINGS + "3,20,5,-", MAPPED),
    ],
)
def test_a_file_that_ends_within_its_last_cell_is_refused_before_anything_is_written(
    site: Sources, tmp_path: Path, what: str, content: str, pairs: tuple[str, ...]
) -> None:
    file = write(tmp_path / "cut.csv", content)
    kind = "rating" if what == "events" else None
    with pytest.raises(BadInput, match=r"ends in the middle .*cut short"):
        run(site, file, what, *pairs, kind=kind)
    assert site.items.counts() == (0, 0)
    assert site.users.find(["a"]) == [None]
    assert site.log.end() == 0
