"""Training asks what serves; who breaks or is missing at a moment proposes nothing there."""

import pytest

from palate.funnel.types import Candidates, Query
from palate.retrieval.popular import Popular
from palate.retrieval.trending import Trending
from palate.testing.tiny import tiny_stores, tiny_world, waited
from palate.training.ranking.moments.proposing import Proposing


class Breaks(Popular):
    """As a part of somebody else's may."""

    async def generate(self, query: Query, limit: int) -> Candidates:
        raise ZeroDivisionError("no answer")


def test_there_is_a_column_for_each_of_today_s_whoever_is_there_then() -> None:
    stores, query = tiny_stores(), tiny_world().query("u0")
    popular, trending = Popular.default(stores), Trending.default(stores)
    proposing = Proposing([trending, popular])
    assert proposing.names == ("trending", "popular")
    proposing.turn([Breaks.default(stores), popular], stores.columns.size)
    said = waited(proposing.ask(query, 5))
    assert [len(each) for each in said] == [0, 5]
    assert said[1].rows.tolist() == waited(popular.generate(query, 5)).rows.tolist()


def test_one_that_breaks_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    stores, query = tiny_stores(), tiny_world().query("u0")
    parts = [Breaks.default(stores), Popular.default(stores)]
    proposing = Proposing(parts)
    proposing.turn(parts, stores.columns.size)
    for _ in range(2):
        assert [len(each) for each in waited(proposing.ask(query, 5))] == [0, 5]
    (told,) = caplog.messages
    assert "generator breaks breaks" in told
    assert "ZeroDivisionError: no answer (line" in told
