"""Where most of a catalogue is barred to a visitor, the pages are full of the rest."""

from typing import Any

import pytest
from tests.serving.conftest import SmallSite

from palate.testing.tiny import DAY, NOW, SIZE

KINDS = ("film", "series")
BARRED, FREE = 1_800, 200
"""The barred items are the newest, so that no leaderboard has room for the others."""


@pytest.fixture
def crowded(site: SmallSite, request: pytest.FixtureRequest) -> SmallSite:
    """Most items have the parameter's fields, which bar them."""
    free = [
        {"item_id": f"f{n}", "kind": KINDS[n % 2], "published_at": NOW - 900 * DAY - n}
        for n in range(FREE)
    ]
    barred = [
        {"item_id": f"b{n}", "published_at": NOW - DAY - n, **request.param} for n in range(BARRED)
    ]
    documents = free + barred
    for start in range(0, len(documents), 500):
        part = {"items": documents[start : start + 500]}
        assert site.client.post("/v1/items", json=part).status_code == 200
    site.worker.drain()
    return site


def pages(site: SmallSite, surface: str, **query: Any) -> list[str]:
    """Ids of all pages, in order."""
    found: list[str] = []
    page = site.slate(surface, limit=50, **query)
    while page["next"]:
        found += [each["item_id"] for each in page["items"]]
        page = site.slate(surface, limit=50, cursor=page["next"], **query)
    return found + [each["item_id"] for each in page["items"]]


LOCKS = [{"regions": ["DE"]}, {"min_age": 18}, {"expires_at": NOW - 60}]


@pytest.mark.parametrize("crowded", LOCKS, indirect=True)
def test_every_item_that_is_allowed_comes_once_and_no_other(crowded: SmallSite) -> None:
    found = pages(crowded, "home", session_id="s1", region="US")
    assert len(found) == len(set(found))
    assert {f"f{n}" for n in range(FREE)} <= set(found)
    assert not [name for name in found if name.startswith("b")]


@pytest.mark.parametrize("crowded", LOCKS[:1], indirect=True)
def test_a_filter_and_the_policy_hold_together(crowded: SmallSite) -> None:
    found = pages(crowded, "home", session_id="s1", region="US", filter='kind == "film"')
    assert sorted(found) == sorted(f"f{n}" for n in range(0, FREE, 2))


@pytest.mark.parametrize("crowded", LOCKS[:1], indirect=True)
def test_whom_it_is_for_sees_it(crowded: SmallSite) -> None:
    page = crowded.slate(session_id="s1", region="DE", limit=50)
    assert any(each["item_id"].startswith("b") for each in page["items"])
    assert len(page["items"]) == 50 > SIZE // 2
