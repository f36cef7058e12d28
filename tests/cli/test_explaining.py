"""`palate recommend`, `why` and `show` on the tiny site, as a person would call them."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer import Typer
from typer.testing import CliRunner

from palate.catalog.item import Item
from palate.cli import recommend, show, why
from palate.errors import BadInput, NotFound
from palate.settings import FILE
from palate.settings_files import load
from palate.stores import close, open_stores
from palate.testing.tiny import tiny_site


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("site")
    (home / FILE).write_text('[surfaces.home]\n"at_most.cap" = 8\n', "utf-8")
    settings = load(home, {})
    stores, _ = tiny_site(settings)
    close(stores)
    return home


def told(app: Typer, site: Path, *arguments: str) -> str:
    done = CliRunner().invoke(app, [*arguments, "--site", str(site)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def facts(app: Typer, site: Path, *arguments: str) -> Any:
    return json.loads(told(app, site, *arguments, "--json"))


def test_recommend_shows_the_rest_of_the_genre_with_reasons(site: Path) -> None:
    found = facts(recommend.app, site, "--user", "u1", "--limit", "4")
    assert (found["surface"], found["step"], found["release"]) == ("home", "full", None)
    assert {item["item_id"].partition("-")[0] for item in found["items"][:2]} == {"comedy"}
    assert found["items"][0]["reason"].startswith("Because you ")
    assert "Comedy" in told(recommend.app, site, "--user", "u1", "--limit", "4")


def test_recommend_takes_the_item_on_screen(site: Path) -> None:
    chosen = ("--surface", "more_like_this", "--item", "space-1", "--limit", "3")
    found = facts(recommend.app, site, *chosen)
    assert {item["item_id"].partition("-")[0] for item in found["items"]} == {"space"}


def test_a_visitor_without_an_account_is_asked_for_by_session(site: Path) -> None:
    found = facts(recommend.app, site, "--user", "session:u1", "--limit", "5")["items"]
    users = facts(recommend.app, site, "--user", "u1", "--limit", "5")["items"]
    assert len(found) == 5
    assert found != users, "the session of that name did nothing yet"
    assert facts(why.app, site, "session:new", "comedy-0")["stage"] != "filter"


def test_recommend_names_what_it_does_not_know(site: Path) -> None:
    with pytest.raises(NotFound, match="no user 'nobody'"):
        told(recommend.app, site, "--user", "nobody")
    with pytest.raises(NotFound, match="no item 'nothing'"):
        told(recommend.app, site, "--surface", "more_like_this", "--item", "nothing")
    with pytest.raises(BadInput, match="no surface 'hom'"):
        told(recommend.app, site, "--surface", "hom")


def test_why_finds_where_an_item_was_lost(site: Path) -> None:
    shown = facts(recommend.app, site, "--user", "u1", "--limit", "20")["items"][0]["item_id"]
    assert facts(why.app, site, "u1", shown)["position"] == 1
    seen = facts(why.app, site, "u1", "comedy-0")
    assert (seen["stage"], seen["part"]) == ("filter", "hide_seen")
    assert seen["generators"]["covisit"]["rank"] > 0
    assert facts(why.app, site, "u1", "action-9")["stage"] == "catalogue"
    below = facts(why.app, site, "u1", "horror-2", "--limit", "2")
    assert (below["stage"], below["position"]) == ("rank", None)
    assert below["ranked"] > 2


def test_why_says_what_of_the_policy_hides_an_item(site: Path) -> None:
    found = facts(why.app, site, "u2", "comedy-9")
    assert (found["stage"], found["part"]) == ("filter", "hide_policy")
    assert found["sentence"] == "policy hides it: it has expired"
    assert "it has expired" in told(why.app, site, "u2", "comedy-9")


def test_show_lists_the_parts_and_their_numbers(site: Path) -> None:
    found = facts(show.app, site, "home")
    assert [part["stage"] for part in found["parts"]].count("generator") == 14
    at_most = next(part for part in found["parts"] if part["name"] == "at_most")
    assert at_most["numbers"]["at_most.cap"] == 8, "as palate.toml says"
    assert "hide_policy" in told(show.app, site, "home")
    assert {"32", "#", "judged"} <= set(told(show.app, site, "home").split()), "bits in words"
    assert {"16", "#", "turned"} <= set(told(show.app, site, "trending").split())


@pytest.mark.parametrize("app", [recommend.app, why.app, show.app])
def test_help_has_an_example(app: Typer) -> None:
    assert "Example: palate" in CliRunner().invoke(app, ["--help"]).output.replace("**", "")


def test_why_names_the_deed_and_what_would_change_it(site: Path) -> None:
    liked = facts(recommend.app, site, "--user", "u1", "--limit", "1")
    assert liked["items"]
    found = next(
        each
        for n in range(40)
        if (each := facts(why.app, site, "u1", f"comedy-{n % 13}"))["part"] == "hide_seen"
    )
    assert found["sentence"].startswith("it counts as seen: ")
    assert "taken in" in found["sentence"]
    assert "hide_seen.signals" in found["cure"]
    assert "what would change it" in told(why.app, site, "u1", found["item_id"])


def test_what_has_not_been_taken_in_is_said(tmp_path: Path) -> None:
    (tmp_path / FILE).touch()
    stores = open_stores(load(tmp_path, {}))
    stores.items.put([Item(item_id="a", title="A")])
    close(stores)
    said = told(recommend.app, tmp_path)
    assert "changes of the catalogue have not been taken in yet: run `palate up`" in said


def test_a_surface_about_an_item_wants_the_item(site: Path) -> None:
    with pytest.raises(BadInput, match="more_like_this needs the item"):
        told(recommend.app, site, "--surface", "more_like_this")


def test_why_and_recommend_take_the_moment_and_a_filter(site: Path) -> None:
    shown = facts(recommend.app, site, "--user", "u1", "--limit", "20")["items"][0]["item_id"]
    asked = ("--filter", "context.genre in categories", "--context")
    lost = facts(why.app, site, "u1", shown, *asked, "genre=horror")
    assert (lost["stage"], lost["part"]) == ("excluded", "filter")
    genre = shown.partition("-")[0]
    assert facts(why.app, site, "u1", shown, *asked, f"genre={genre}")["stage"] == "shown"
    found = facts(recommend.app, site, "--user", "u1", *asked, "genre=horror")["items"]
    assert {item["item_id"].partition("-")[0] for item in found} == {"horror"}
    with pytest.raises(BadInput, match="write NAME=VALUE"):
        told(why.app, site, "u1", shown, "--context", "tv")


def test_why_asks_what_the_api_would_be_asked(site: Path) -> None:
    asked = ("u1", "romance-9")
    assert facts(why.app, site, *asked, "--region", "US")["stage"] == "filter"
    here = facts(why.app, site, *asked, "--region", "DE", "--age", "40")
    assert (here["stage"], here["part"]) != ("filter", "hide_policy")
    young = facts(why.app, site, "u1", "horror-9", "--age", "12")
    assert (young["stage"], young["part"]) == ("filter", "hide_policy")
    left = facts(why.app, site, "u1", "comedy-3", "--exclude", "comedy-3")
    assert left["stage"] == "excluded"
    page = ("--user", "u1", "--limit", "5", "--exclude", "comedy-3", "--language", "de")
    found = facts(recommend.app, site, *page)["items"]
    assert "comedy-3" not in {item["item_id"] for item in found}
    assert not found[0]["reason"].startswith("Because")
