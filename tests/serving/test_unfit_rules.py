"""Rules that make no sense here, from the file or any more: kept out, or closed, and said aloud."""

import logging
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from litestar.testing import TestClient
from tests.serving.conftest import Json, SmallSite

from palate.errors import Unavailable
from palate.rules.decode import rule as read
from palate.rules.documents import Rule
from palate.rules.protocol import By
from palate.serving.app import create
from palate.settings import FILE
from palate.settings_files import load
from palate.stores import open_rules
from palate.testing.tiny import NOW

RESTRICT = "[rules.kids]\nkind = \"restrict\"\nmin_age = 18\nwhere = '{}'\n"
GOOD = RESTRICT.format('"comedy" in categories')
BAD = RESTRICT.format("min_aeg > 3")
ALL = {"session_id": "s", "limit": 60, "region": "DE"}


def look(site: SmallSite) -> None:
    """What a worker does twice a second, long after the last time."""
    rules = site.app.state["runtime"].rules
    rules._catalogue_at, rules._refused = -1e9, rules._refused._replace(at=-1e9)
    rules.look_now(site.stores)


def write(site: SmallSite, text: str) -> None:
    (site.settings.home / FILE).write_text(text, "utf-8")
    look(site)


def genres(site: SmallSite, surface: str = "home", **asked: Any) -> set[str]:
    slate = site.slate(surface, **ALL | asked)
    return {each["item_id"].partition("-")[0] for each in slate["items"]}


def remarks(site: SmallSite) -> list[str]:
    told: list[str] = site.client.get("/readyz").json()["remarks"]
    assert site.client.get("/v1/rules").json()["remarks"] == told
    return told


@pytest.fixture
def restarted(site: SmallSite) -> Iterator[Callable[[str], Any]]:
    """Starts a worker on a site whose file says something."""
    opened: list[Any] = []

    def start(text: str) -> Any:
        (site.settings.home / FILE).write_text(text, "utf-8")
        settings = load(site.settings.home, {})
        client = TestClient(create(settings, clock=site.clock, stores=site.stores))
        opened.append(client.__enter__())
        return client

    yield start
    for each in opened:
        each.__exit__()


def shown(client: Any, surface: str = "home", **asked: Any) -> set[str]:
    answer = client.get(f"/v1/recommendations/{surface}", params=ALL | asked)
    return {each["item_id"].partition("-")[0] for each in answer.json()["items"]}


@pytest.mark.parametrize(
    "bad",
    [
        BAD,
        GOOD + 'surfaces = ["hom"]\n',
        GOOD + "audience = 'min_age > 3'\n",
        '[rules.kids]\nkind = "boost"\nwhere = "min_aeg > 3"\nby = 1\n',
    ],
)
def test_a_file_whose_rules_make_no_sense_changes_nothing_and_says_so_once(
    site: SmallSite, caplog: pytest.LogCaptureFixture, bad: str
) -> None:
    write(site, GOOD)
    before = genres(site)
    assert before
    assert "comedy" not in before
    with caplog.at_level(logging.WARNING, "palate.serving"):
        write(site, bad)
        look(site)
    assert genres(site) == before
    [told] = remarks(site)
    assert told.startswith("the rules of palate.toml stay as they were: [rules.kids] /")
    assert [each.message for each in caplog.records].count(told) == 1
    write(site, GOOD.replace("comedy", "drama"))
    assert remarks(site) == []
    assert "comedy" in genres(site)
    assert "drama" not in genres(site)


def test_the_field_that_was_meant_is_named(site: SmallSite) -> None:
    write(site, BAD)
    [told] = remarks(site)
    assert "[rules.kids] /where:1: there is no field min_aeg; there are min_age" in told


def test_what_the_api_changes_is_taken_up_while_the_file_is_wrong(site: SmallSite) -> None:
    for wrong in ("[rules", BAD):
        write(site, wrong)
        block = {"kind": "block", "where": '"drama" in categories'}
        assert site.client.put("/v1/rules/no-drama", json=block).status_code == 200
        assert "drama" not in genres(site)
        site.client.delete("/v1/rules/no-drama")
        assert "drama" in genres(site)


def test_a_file_is_taken_up_when_what_it_asks_for_comes(site: SmallSite) -> None:
    write(site, GOOD.replace('"comedy" in categories', "rating > 3"))
    assert "there is no field rating" in remarks(site)[0]
    site.client.put("/v1/items/drama-1", json={"title": "A", "attributes": {"rating": 4.5}})
    site.worker.drain()
    look(site)
    assert remarks(site) == []
    assert [each["id"] for each in site.client.get("/v1/rules").json()["file"]] == ["kids"]


def test_a_start_with_a_restriction_that_makes_no_sense_is_closed_aloud(
    restarted: Callable[[str], Any], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "palate.serving"):
        client = restarted(BAD)
    assert shown(client) == set()
    assert shown(client, age=30), "who is known to be of age sees it all"
    told = client.get("/v1/rules").json()
    assert list(told["dormant"]) == ["kids"]
    [remark] = client.get("/readyz").json()["remarks"]
    assert remark == (f"rule kids cannot act as it is written: {told['dormant']['kids']}")
    assert "there is no field min_aeg; there are min_age" in remark
    assert "it hides every item" in remark
    assert remark in [each.message for each in caplog.records]
    why = {"session_id": "s", "item_id": "drama-1"}
    sentence = client.get("/v1/why/home", params=why).json()["sentence"]
    assert sentence.startswith(
        "the rule restrict:kids cannot act as it is written: /where:1: there is no field min_aeg"
    )


def test_a_start_with_a_block_on_a_surface_that_is_not_there_blocks_everywhere(
    restarted: Callable[[str], Any],
) -> None:
    block = '[rules.gone]\nkind = "block"\nwhere = \'"drama" in categories\'\n'
    client = restarted(block + 'surfaces = ["hom"]\n')
    for surface in ("home", "trending"):
        found = shown(client, surface)
        assert "drama" not in found
        assert "comedy" in found
    [remark] = client.get("/readyz").json()["remarks"]
    assert "there is no surface 'hom'" in remark
    assert "it acts on every surface" in remark


def test_a_start_with_an_audience_that_makes_no_sense_blocks_what_it_names_for_everybody(
    restarted: Callable[[str], Any],
) -> None:
    block = '[rules.gone]\nkind = "block"\nwhere = \'"drama" in categories\'\n'
    client = restarted(block + "audience = 'user.country === 3'\n")
    found = shown(client)
    assert "drama" not in found
    assert "comedy" in found
    [remark] = client.get("/readyz").json()["remarks"]
    assert "it acts for everybody" in remark


def test_what_does_not_hide_acts_on_those_of_its_surfaces_that_are_there(
    restarted: Callable[[str], Any],
) -> None:
    pin = '[rules.one]\nkind = "pin"\nitems = ["romance-5"]\nslots = [1]\nsurfaces = {}\n'
    client = restarted(pin.format('["trending", "hom"]'))
    slate = client.get("/v1/recommendations/trending", params=ALL).json()
    assert slate["items"][0]["item_id"] == "romance-5"
    assert client.get("/readyz").json()["remarks"] == ["rule one names what is not there: 'hom'"]
    client = restarted(pin.format('["hom"]'))
    assert "there is no surface 'hom'" in client.get("/v1/rules").json()["dormant"]["one"]


def test_a_rule_of_the_book_whose_attribute_is_gone_is_closed_aloud(site: SmallSite) -> None:
    book = open_rules(site.settings)
    gone: Json = {"id": "old", "kind": "restrict", "where": "ratng > 3", "min_age": 18}
    book.edit(lambda _: (read(gone),), By("anna", NOW))
    book.close()
    look(site)
    assert genres(site) == set()
    [told] = remarks(site)
    assert told.startswith(
        "rule old cannot act as it is written: /where:1: there is no field ratng"
    )
    assert (
        site.client.put("/v1/rules/old", json=gone | {"where": "min_age > 90"}).status_code == 200
    )
    assert remarks(site) == []
    assert genres(site)


def changes(site: SmallSite) -> list[tuple[str, str, str]]:
    told = site.client.get("/v1/rules/audit").json()["changes"]
    return [(each["who"], each["action"], each["rule_id"]) for each in told]


def test_changes_of_the_file_are_in_the_audit_log_once_whoever_sees_them(
    site: SmallSite, restarted: Callable[[str], Any]
) -> None:
    write(site, GOOD)
    look(site)
    assert changes(site) == [("palate.toml", "added", "kids")]
    restarted(GOOD)
    write(site, BAD)
    assert len(changes(site)) == 1, "what does not act is no change"
    write(site, GOOD.replace("18", "16"))
    assert changes(site)[0] == ("palate.toml", "changed", "kids")
    [line, _] = site.client.get("/v1/rules/audit").json()["changes"]
    assert (line["before"]["min_age"], line["after"]["min_age"]) == (18, 16)
    assert site.client.get("/v1/rules").headers["etag"] == '"0"', "the book did not change"
    write(site, "")
    assert changes(site)[0] == ("palate.toml", "removed", "kids")
    assert len(changes(site)) == 3


def test_a_log_that_cannot_be_written_keeps_no_rule_from_acting(
    site: SmallSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise Unavailable("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(site.app.state["runtime"].rules.book, "follow_file", full)
        write(site, GOOD)
        assert "comedy" not in genres(site)
        told = "changes of palate.toml are not in the audit log yet: the disk is full"
        assert remarks(site) == [told]
    look(site)
    assert remarks(site) == []
    assert changes(site) == [("palate.toml", "added", "kids")]


def test_profiles_that_cannot_be_read_keep_no_rule_from_acting(
    site: SmallSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise Unavailable("the disk is gone")

    monkeypatch.setattr(site.stores.users, "page", broken)
    write(site, GOOD + "audience = 'user.cuntry == \"US\"'\n")
    assert "comedy" not in genres(site)


def test_a_region_that_the_book_has_from_before_is_remarked(site: SmallSite) -> None:
    book = open_rules(site.settings)
    sense = msgspec.convert({"id": "r", "kind": "restrict", "where": "min_age > 1"} | OLD, Rule)
    book.edit(lambda _: (sense,), By("anna", NOW))
    book.close()
    look(site)
    [told] = remarks(site)
    assert told.startswith("rule r asks for a region that is none: 'UK' is no country code")


OLD = {"regions": ["DE", "UK"]}
UNMATCHED = [
    ('"Comedy" in categories', ["no item has 'Comedy' in categories; did you mean 'comedy'?"]),
    ('categories in ["zzz"]', ["no item has 'zzz' in categories"]),
    (
        'creator_id == "drama-studio-O"',
        ["no item has 'drama-studio-O' in creator_id; did you mean"],
    ),
    ("min_age > 99", [""]),
    ('kind == "flim"', ["no item has 'flim' in kind"]),
]


@pytest.mark.parametrize(("where", "words"), UNMATCHED)
@pytest.mark.parametrize("kind", [{"kind": "block"}, {"kind": "restrict", "min_age": 18}])
def test_a_condition_that_holds_of_nothing_is_taken_and_remarked(
    site: SmallSite, kind: Json, where: str, words: list[str]
) -> None:
    rule = kind | {"where": where}
    draft = {"rules": [{"id": "r"} | rule], "requests": [{"limit": 5}]}
    previewed = site.client.post("/v1/rules/preview", json=draft).json()["remarks"]
    answer = site.client.put("/v1/rules/r", json=rule)
    assert answer.status_code == 200
    assert answer.json()["remarks"] == previewed
    [told] = previewed
    assert told.startswith("rule r matches no item today")
    assert all(each in told for each in words)
    assert remarks(site) == [], "it may be what is wanted: nobody is reminded"


@pytest.mark.parametrize(
    ("where", "told"),
    [
        ('"drama" in categories', []),
        ("min_age < 99", []),
        ('user.country == "DE"', []),
        (
            '"Drama" in categories and user.age < 18',
            ["rule r: no item has 'Drama' in categories; did you mean 'drama'?"],
        ),
        (
            '"drama" in categories or "Comedy" in categories',
            ["rule r: no item has 'Comedy' in categories; did you mean 'comedy'?"],
        ),
    ],
)
def test_words_that_no_item_has_are_remarked_and_no_others(
    site: SmallSite, where: str, told: list[str]
) -> None:
    rule = {"id": "r", "kind": "block", "where": where}
    assert site.client.post("/v1/rules", json=rule).json()["remarks"] == told


def test_a_word_beyond_what_a_row_holds_of_a_list_is_found(site: SmallSite) -> None:
    tags = [f"tag-{n}" for n in range(40)]
    site.client.put("/v1/items/drama-1", json={"title": "A", "tags": tags})
    site.worker.drain()
    for last, there in (("tag-39", True), ("tag-3", True), ("tag-40", False)):
        rule = {"id": last, "kind": "block", "where": f'"{last}" in tags'}
        told = site.client.put(f"/v1/rules/{last}", json=rule).json()["remarks"]
        assert (told == []) is there


SLIP = "rule r asks for user.cuntry, which no profile has; did you mean user.country?"


def test_a_name_that_no_profile_has_is_remarked_where_another_is_like_it(site: SmallSite) -> None:
    block = {"kind": "block", "where": '"drama" in categories'}
    for asked in ({"audience": "user.cuntry == 'US'"}, {"where": "user.cuntry == 'US'"}):
        answer = site.client.put("/v1/rules/r", json=block | asked)
        assert (answer.status_code, answer.json()["remarks"]) == (200, [SLIP])
        assert remarks(site) == [SLIP]
    for fine in ("user.country == 'US'", "user.plan == 'free'", "context.cuntry == 'US'"):
        answer = site.client.put("/v1/rules/r", json=block | {"audience": fine})
        assert answer.json()["remarks"] == []
    site.client.delete("/v1/rules/r")
    table = "[rules.r]\nkind = 'block'\nwhere = '\"drama\" in categories'\n"
    write(site, table + "audience = \"user.cuntry == 'US'\"\n")
    assert remarks(site) == [SLIP]
    site.client.put("/v1/users/u1", json={"attributes": {"cuntry": "US"}})
    look(site)
    site.app.state["runtime"].rules._stores = None
    look(site)
    assert remarks(site) == []
