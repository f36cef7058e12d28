"""The rungs below retrieval: what a worker kept answers when the funnel cannot, lawfully."""

from dataclasses import replace
from typing import Any

import pytest
from tests.serving.conftest import SmallSite

from palate.funnel.kept import KeptSlates
from palate.funnel.types import Query
from palate.serving.bodies import Ask


class Broken:
    """A generator on a bad day."""

    async def generate(self, query: Query, limit: int) -> Any:
        raise RuntimeError("no")


def ids(page: dict[str, Any]) -> list[str]:
    return [each["item_id"] for each in page["items"]]


def broken(site: SmallSite) -> None:
    """Take the generators away from Home."""
    live = site.app.state["runtime"].live
    funnels = {**live.funnels, "home": replace(live.funnels["home"], generators=(Broken(),))}
    site.app.state["runtime"].watch.live = replace(live, funnels=funnels)


def test_a_visitor_sees_their_last_page_again_less_what_they_have_seen_since(
    site: SmallSite,
) -> None:
    before = site.slate(user_id="u1", limit=6)
    site.slate(user_id="u1", limit=6, cursor=before["next"])
    broken(site)
    again = site.slate(user_id="u1", limit=6)
    assert again["step"] == "last_slate"
    assert sorted(ids(again)) == sorted(ids(before))
    site.send({"kind": "like", "user_id": "u1", "item_id": ids(before)[0]})
    assert ids(before)[0] not in ids(site.slate(user_id="u1", limit=6))


def test_somebody_new_gets_what_is_popular_and_without_boards_the_list_for_all(
    site: SmallSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken(site)
    popular = site.slate(limit=6)
    assert (popular["step"], len(popular["items"])) == ("popular", 6)
    site.tick()

    def gone(*_: object) -> Any:
        raise OSError("the boards are gone")

    monkeypatch.setattr(type(site.stores.boards), "top", gone)
    page = site.slate(limit=6)
    assert (page["step"], ids(page)) == ("static", ids(popular))


def test_no_more_slates_are_kept_than_the_settings_say(site: SmallSite) -> None:
    kept = KeptSlates(2)
    runtime = site.app.state["runtime"]
    runtime.watch.live = replace(runtime.live, kept=kept)
    for name in ("u1", "u2", "u3", ""):
        site.slate(user_id=name)
    assert len(kept) == 2
    assert not len(kept.last(Query("home", runtime.visitors.find(_ask("u1")).state, 5, 0.0)))
    assert len(kept.last(Query("home", runtime.visitors.find(_ask("u3")).state, 5, 0.0)))


def test_the_list_for_all_is_there_before_anybody_asks(site: SmallSite) -> None:
    runtime = site.app.state["runtime"]
    query = Query("home", runtime.visitors.find(_ask("")).state, 5, 0.0)
    rows = runtime.live.kept.popular(query)
    assert rows.tolist() == site.stores.boards.top("popular", 1_000)[0].tolist()


def _ask(user: str) -> Ask:
    return Ask(user_id=user)
