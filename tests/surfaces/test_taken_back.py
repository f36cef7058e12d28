"""What was turned down comes back with a better word, and rests only where a row is personal."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from palate.catalog.user import user_key
from palate.events.kinds import Event, Kind
from palate.features.record import UserState
from palate.funnel.types import Query
from palate.settings import Settings
from palate.stores import Stores
from palate.surfaces import funnel
from palate.surfaces.overrides import certain
from palate.testing.tiny import NOW, tiny_names, tiny_site, tiny_stores, tiny_world, waited

LOW, HIGH = (Kind.RATING, 1.0), (Kind.RATING, 5.0)


def board(stores: Stores) -> list[str]:
    raw = stores.online.user(user_key("u1"))
    assert raw is not None
    user = UserState.unpack(user_key("u1"), raw)
    query = replace(tiny_world().query("", "trending", 60), user=user)
    return tiny_names(waited(certain(funnel("trending", stores)).answer(query)).slate.rows)


@pytest.mark.parametrize(
    ("down", "up"),
    [
        (LOW, HIGH),
        ((Kind.DISLIKE, None), (Kind.LIKE, None)),
        ((Kind.HIDE, None), (Kind.SAVE, None)),
        ((Kind.SKIP, None), (Kind.LIKE, None)),
    ],
)
def test_trending_shows_again_what_got_a_better_word(
    tmp_path: Path, down: tuple[Kind, float | None], up: tuple[Kind, float | None]
) -> None:
    stores, worker = tiny_site(Settings(home=tmp_path))
    item = board(stores)[0]
    for n, (kind, value) in enumerate((down, up, down)):
        act = Event(
            event_id=f"w{n}",
            kind=kind,
            time=NOW - 30.0 + n,
            user_id="u1",
            item_id=item,
            value=value,
        )
        stores.log.append([act], NOW)
        worker.drain()
        assert (item in board(stores)) is (n == 1)


def told(surface: str, times: int) -> list[int]:
    """The page of somebody to whom the first of it was shown so often."""
    query = tiny_world().query("u1", surface, 4)
    built = certain(funnel(surface, tiny_stores()))
    if times:
        first = told(surface, 0)
        query = _shown(query, first * times)
    return waited(built.answer(query)).slate.rows.tolist()


def _shown(query: Query, rows: list[int]) -> Query:
    user = replace(
        query.user,
        shown=np.array(rows, np.int32),
        shown_times=np.full(len(rows), NOW - 60.0),
    )
    return replace(query, user=user)


def test_because_you_watched_turns_over_gently_and_boards_stand() -> None:
    at_first, later = told("because_you_watched", 0), told("because_you_watched", 12)
    assert told("because_you_watched", 2) == at_first, "twice is no insistence"
    assert later != at_first
    assert told("trending", 12) == told("trending", 0)
