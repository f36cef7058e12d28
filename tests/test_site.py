"""A site opened from Python: what is appended counts in the next page."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

import palate
from palate.clock import FixedClock
from palate.errors import BadInput, Conflict
from palate.events.kinds import Kind
from palate.settings_files import load
from palate.streaming.lock import only_worker
from palate.testing.tiny import NOW, tiny_events, tiny_items, tiny_users

NAMED = {"user_id": "u0", "region": "DE", "age": 40}


NUMBERS = count()


def clock() -> FixedClock:
    """A clock whose draws no other one makes: ids of events and answers are made of them."""
    return FixedClock(NOW, next_draw=1_000 * next(NUMBERS))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny world, written through the public API."""
    folder = tmp_path_factory.mktemp("site")
    with palate.Site.open(folder, clock=clock()) as site:
        assert site.items.put(tiny_items()) == 59
        assert site.users.put(tiny_users()) == 48
        assert site.events.append(tiny_events()).accepted == len(tiny_events())
    return folder


@pytest.fixture
def site(home: Path) -> Iterator[palate.Site]:
    with palate.Site.open(home, clock=clock()) as opened:
        yield opened


def ids(page: palate.Recommendation) -> list[str]:
    return [entry.item_id for entry in page.items]


def why(page: palate.Recommendation) -> list[tuple[str, ...]]:
    return [entry.reason.item_ids for entry in page.items]


def test_it_recommends_what_the_api_would(site: palate.Site) -> None:
    page = site.recommend("home", limit=2, **NAMED)
    assert {each.partition("-")[0] for each in ids(page)} == {"action"}
    assert (page.step, page.items[0].position) == ("full", 1)
    more = site.recommend("home", limit=2, cursor=page.next or "", **NAMED)
    assert not set(ids(page)) & set(ids(more))


def test_an_event_counts_in_the_next_page(site: palate.Site) -> None:
    before = ids(site.recommend(session_id="s1", limit=3))
    click = {"kind": "click", "session_id": "s1", "item_id": "space-1"}
    assert site.events.append([click]) == (1, 0)
    after = site.recommend(session_id="s1", limit=5)
    assert before != ids(after)
    assert ("space-1",) in why(after)


def test_what_was_shown_is_in_the_log_once_the_site_is_closed(home: Path) -> None:
    with palate.Site.open(home, clock=clock()) as site:
        page = site.recommend(user_id="u3", limit=4)
    with palate.Site.open(home) as site:
        log = [each.event for each in site.stores.log.read(0, 100_000)]
    [event] = [e for e in log if e.recommendation_id == page.recommendation_id]
    assert event.kind is Kind.IMPRESSION
    assert [shown.item_id for shown in event.items] == ids(page)


def test_items_and_users_go_in_and_out(site: palate.Site) -> None:
    assert site.items.put([{"item_id": "new", "title": "New", "categories": ["drama"]}]) == 1
    assert "new" in ids(site.recommend("more_like_this", item_id="drama-1", limit=50))
    assert site.items.put([palate.Item(item_id="new", title="New", categories=("drama",))]) == 0
    assert site.items.remove(["new", "nothing"]) == 1
    assert site.items.find(["new"]) == [None]
    assert site.users.put([{"user_id": "anna", "country": "FR"}]) == 1
    assert site.users.find(["anna"]) == [palate.User(user_id="anna", country="FR")]
    assert site.users.forget("anna") is True
    assert site.users.find(["anna"]) == [None]
    assert site.users.forget("anna") is False


def test_what_is_wrong_is_said_as_over_http_and_nothing_is_stored(site: palate.Site) -> None:
    before = site.stores.log.count()
    with pytest.raises(palate.BadInput, match="/events/1/kind: unknown kind 'clack'"):
        site.events.append([{"kind": "search", "user_id": "u"}, {"kind": "clack", "user_id": "u"}])
    with pytest.raises(palate.BadInput, match="/items/0/titel: unknown field"):
        site.items.put([{"item_id": "i", "titel": "x"}])
    with pytest.raises(palate.BadInput, match="limit: 0 is not between"):
        site.recommend(limit=0)
    with pytest.raises(palate.NotFound, match="no surface 'nowhere'"):
        site.recommend("nowhere")
    assert site.stores.log.count() == before


def test_beside_a_running_worker_it_asks_and_appends_and_leaves_folding_to_it(home: Path) -> None:
    with only_worker(load(home, {})), palate.Site.open(home, clock=clock()) as site:
        assert len(site.recommend(limit=3, **NAMED).items) == 3
        shown = site.stores.states.position
        click = {"kind": "click", "session_id": "s2", "item_id": "space-1"}
        assert site.events.append([click]).accepted == 1
        assert site.stores.states.position == shown
    with palate.Site.open(home, clock=clock()) as site:
        assert ("space-1",) in why(site.recommend(session_id="s2", limit=5))


def test_a_folder_with_something_else_in_it_is_no_site(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").touch()
    with pytest.raises(palate.BadInput, match="is not a site"):
        palate.Site.open(tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ["letter.txt"]


def test_a_budget_is_kept_where_one_is_given(site: palate.Site) -> None:
    assert site.recommend("home", limit=3, budget_ms=60_000, **NAMED).step == "full"
    tight = site.recommend("home", limit=3, budget_ms=1, **NAMED)
    assert tight.items
    assert tight.step != "full" or len(tight.timing.stages) < len(
        site.recommend("home", limit=3, **NAMED).timing.stages
    )
    with pytest.raises(palate.BadInput, match="budget_ms"):
        site.recommend("home", budget_ms=0, **NAMED)


def test_one_alone_is_refused_where_a_list_is_wanted(site: palate.Site) -> None:
    for put in (site.items.put, site.users.put, site.events.append):
        with pytest.raises(BadInput, match="come as a list"):
            put({"item_id": "x"})  # type: ignore[operator]
        with pytest.raises(BadInput):
            put(["x"])  # type: ignore[operator]


def test_a_name_that_nothing_is_asked_by_is_refused_with_the_nearest(site: palate.Site) -> None:
    with pytest.raises(BadInput, match="did you mean user_id"):
        site.recommend("home", user="u0")  # type: ignore[call-arg]


def test_a_site_that_was_closed_says_so(home: Path) -> None:
    with palate.Site.open(home, clock=clock()) as opened:
        pass
    with pytest.raises(Conflict, match="closed"):
        opened.recommend("home", user_id="u0")


def test_a_folder_that_cannot_be_made_is_said_in_words() -> None:
    with pytest.raises(BadInput, match="cannot be made a site"):
        palate.Site.open("/proc/palate")
