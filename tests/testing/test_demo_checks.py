"""The demo's checks on the tiny world: they hold where it works, and fail where it does not."""

import threading
from collections.abc import Callable, Iterator
from typing import Any, cast

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.console.conftest import Shop, shop, shop_of  # noqa: F401  fixtures

from palate.testing.demo import promises, reactions
from palate.testing.demo.child import descendants
from palate.testing.demo.visit import Visit, ids, pages, percentile

USERS = [f"u{n}" for n in range(12)]


@pytest.fixture
def visit(shop: Shop) -> Visit:  # noqa: F811
    """A visitor of a site whose stream worker does not run."""
    return Visit(cast("httpx.Client", shop.client))


@pytest.fixture
def live(shop: Shop, visit: Visit) -> Iterator[Visit]:  # noqa: F811
    """A visitor of a site whose stream worker runs."""
    stop = threading.Event()
    worker = threading.Thread(target=shop.worker.run, args=(stop,))
    worker.start()
    yield visit
    stop.set()
    worker.join()


def history(shop: Shop) -> dict[str, set[str]]:  # noqa: F811
    """What each user took in."""
    seen: dict[str, set[str]] = {}
    for logged in shop.stores.log.read(0, 10_000):
        if logged.event.kind.name in ("VIEW", "LIKE", "RATING"):
            seen.setdefault(logged.event.user_id, set()).add(logged.event.item_id)
    return seen


def test_reactions_are_seen_and_measured(live: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reactions, "TRIES", 6)
    took, lost = reactions.reactions(live, USERS)
    assert not lost
    assert reactions.reacted(took, lost).ok


def test_a_site_that_does_not_react_is_found_out(
    visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reactions, "TRIES", 2)
    monkeypatch.setattr(reactions, "PATIENCE", 1.5)
    took, lost = reactions.reactions(visit, USERS)
    check = reactions.reacted(took, lost)
    assert not check.ok
    assert "no reaction" in check.saw


@pytest.mark.parametrize(
    "check",
    [
        promises.takes_in_new_items,
        promises.reasons_name_clicks,
        promises.counts_once,
        promises.refuses_nonsense,
        lambda visit: promises.explains(visit, USERS),
        lambda visit: promises.shows(visit, USERS),
        lambda visit: promises.no_repeats(visit, USERS),
    ],
)
def test_a_working_site_holds(live: Visit, check: Callable[[Visit], promises.Check]) -> None:
    held = check(live)
    assert held.ok, held


def test_nothing_hidden_or_seen_is_shown_and_would_be_noticed(
    live: Visit,
    shop: Shop,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(promises, "SLATES", 48)
    monkeypatch.setattr(promises, "HIDDEN", 3)
    seen = history(shop)
    assert promises.nothing_hidden_or_seen(live, seen).ok
    shown = ids(live.slate(user_id="u1", limit=20))
    assert not promises.nothing_hidden_or_seen(live, seen | {"u1": set(shown)}).ok


def test_a_check_that_breaks_off_did_not_hold(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise httpx.ConnectError("gone")

    monkeypatch.setattr(httpx.Client, "get", refuse)
    gone = Visit(httpx.Client(base_url="http://127.0.0.1:1"))
    held = promises.every(gone, USERS, {"u1": set()})
    assert len(held) == 9
    assert not any(check.ok for check in held)


def test_pages_end_where_there_are_no_more(visit: Visit) -> None:
    found = [name for page in pages(visit, 50, session_id="s", limit=20) for name in ids(page)]
    assert len(found) == len(set(found)) > 20


@given(st.lists(st.floats(0, 100), min_size=1), st.sampled_from([0.0, 0.5, 0.99, 1.0]))
def test_a_percentile_is_a_value_that_so_many_do_not_exceed(
    values: list[float], share: float
) -> None:
    found = percentile(values, share)
    assert found in values
    assert sum(v <= found for v in values) >= share * len(values)


def test_descendants_are_found_through_generations() -> None:
    assert 1 not in descendants(1)
    assert len(descendants(1)) > 0
