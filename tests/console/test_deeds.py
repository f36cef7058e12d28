from typing import Any

import pytest

from palate.console.deeds import by_day, strongest

NOW = 1_700_000_000.0
"""14 November 2023, 22:13:20 UTC."""


def deed(kind: str, value: float | None = None, day: int = 14, **more: Any) -> dict[str, Any]:
    time = f"2023-11-{day:02}T09:30:00+00:00"
    return {"item_id": "1", "title": "Heat", "kind": kind, "value": value, "time": time} | more


@pytest.mark.parametrize(
    ("told", "says", "tone"),
    [
        (deed("click"), "Opened", ""),
        (deed("view", 1.0), "Read", "good"),
        (deed("view", 0.4), "Read 40%", ""),
        (deed("rating", 4.5), "Rated 4.5 of 5", "good"),
        (deed("rating", 2.0), "Rated 2 of 5", "bad"),
        (deed("dislike"), "Not for you", "bad"),
        (deed("follow"), "Followed", ""),
    ],
)
def test_a_deed_is_told_in_the_sites_words(told: dict[str, Any], says: str, tone: str) -> None:
    [(_, [line])] = by_day([told], NOW, "read")
    assert (line.says, line.tone, line.clock) == (says, tone, "09:30")


def test_days_have_names_and_keep_their_order() -> None:
    days = by_day(
        [deed("like"), deed("click"), deed("click", day=13), deed("skip", day=2)], NOW, ""
    )
    assert [name for name, _ in days] == ["Today", "Yesterday", "2 November 2023"]
    assert [line.says for line in days[0][1]] == ["Liked", "Opened"]


def test_the_strongest_deed_is_the_one_that_is_said() -> None:
    did = [deed("click"), deed("view", 0.2), deed("like", item_id="2"), deed("dislike")]
    assert strongest(did, "1", "read") == "read"
    assert strongest(did, "2", "read") == "liked"
    assert strongest([deed("dislike")], "1", "read") == ""
