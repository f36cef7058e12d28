"""A model that somebody brings knows no more than the log that is folded where it is asked."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from palate.arrays import Floats, Rows
from palate.errors import BadInput
from palate.events.kinds import Event, Kind
from palate.events.sqlite import SqliteLog
from palate.retrieval.brought import Brought, Learn, Model, Score, Taken, brought
from palate.stores import Stores
from palate.streaming.replay import Replay
from palate.testing.tiny import NOW, tiny_names, tiny_row, tiny_stores, tiny_world, waited

TOLD: list[Taken] = []


def learn(told: Taken) -> Score:
    """What was taken most often."""
    TOLD.append(told)

    def score(_: Rows) -> Floats:
        return np.bincount(told.items, minlength=told.size).astype(np.float32)

    return score


@pytest.fixture(autouse=True)
def told() -> Iterator[None]:
    TOLD.clear()
    yield
    TOLD.clear()


def test_it_learns_who_took_what_and_proposes_what_it_scores_highest() -> None:
    mine, query = brought("MostTaken", learn), tiny_world().query("u0")
    found = waited(mine.default(tiny_stores()).generate(query, 5))
    counts = np.bincount(TOLD[0].items)
    assert TOLD[0].size == TOLD[0].items.max() + 1  # one is in no catalogue
    assert found.scores.tolist() == counts[found.rows].tolist()
    assert found.scores.tolist() == sorted(found.scores.tolist(), reverse=True)
    assert not set(found.rows.tolist()) & set(query.excluded.tolist())
    assert mine.__name__ == "MostTaken"
    assert tiny_names(found.rows)


def test_it_is_learnt_again_only_where_there_is_a_quarter_more_and_never_from_later() -> None:
    mine, dice = brought("MostTaken", learn), np.random.default_rng(1)
    site = tiny_stores()
    log = SqliteLog(Path(":memory:"))
    names = tiny_names(np.arange(20, dtype=np.int32))
    log.append(
        [
            Event(event_id=f"{n}", kind=Kind.CLICK, time=NOW + n, user_id=f"u{n % 7}", item_id=i)
            for n, i in enumerate(dice.choice(names, 100))
        ],
        NOW,
    )
    replay = Replay(site.settings, site.columns)
    for until in range(1, 101):
        replay.read(log, lambda ids: np.array([tiny_row(i) for i in ids], np.int32), until=until)
        mine.default(as_of(site, log, replay))
        assert len(TOLD[-1].items) <= until
        assert len(TOLD[-1].items) * 1.3 + 1 >= until
    assert len(TOLD) < 25


def as_of(site: Stores, log: SqliteLog, replay: Replay) -> Stores:
    return Stores(**{
        **{name: getattr(site, name) for name in Stores.__slots__},
        "log": log,
        "states": replay.states,
    })  # fmt: skip


def test_without_events_it_is_silent() -> None:
    site = tiny_stores()
    empty = as_of(site, SqliteLog(Path(":memory:")), Replay(site.settings, site.columns))
    found = waited(brought("MostTaken", learn).default(empty).generate(tiny_world().query("u0"), 5))
    assert len(found) == 0
    assert not TOLD


def few(_: Taken) -> Score:
    return lambda _: np.ones(3, np.float32)


def too_many(told: Taken) -> Score:
    return lambda _: np.ones(told.size + 1, np.float32)


@pytest.mark.parametrize("learns", [few, too_many])
def test_a_model_has_to_give_as_many_numbers_as_it_was_told_of_items(learns: Learn) -> None:
    mine = brought("Few", learns)
    for _ in range(2):
        with pytest.raises(BadInput, match=r"ValueError: learn was told of \d+ item rows .* gave"):
            mine.default(tiny_stores())


def test_a_number_too_few_for_one_visitor_is_no_proposal() -> None:
    def learns(told: Taken) -> Score:
        return lambda history: np.ones(told.size - (len(history) > 1), np.float32)

    mine = brought("Few", learns).default(tiny_stores())
    with pytest.raises(ValueError, match="not "):
        waited(mine.generate(tiny_world().query("u0"), 5))


def test_items_that_came_after_it_was_learnt_are_not_scored_and_cost_nothing() -> None:
    site = tiny_stores()
    grown = site.columns.size
    asked: list[int] = []

    def score(history: Rows) -> Floats:
        asked.extend(history.tolist())
        return np.ones(grown // 2, np.float32)

    older = Brought(Model(score, grown // 2), site.columns)
    found = waited(older.generate(tiny_world().query("u0"), grown))
    assert len(found)
    assert max(asked) < grown // 2
    assert found.rows.max() < grown // 2


def test_a_learn_that_broke_is_tried_again_when_the_log_has_grown_and_not_before() -> None:
    site, log, tried = tiny_stores(), SqliteLog(Path(":memory:")), []

    def learns(told: Taken) -> Score:
        tried.append(len(told.items))
        if len(told.items) < 20:
            raise ZeroDivisionError("too few")
        return learn(told)

    mine, replay = brought("Late", learns), Replay(site.settings, site.columns)
    log.append(
        [
            Event(event_id=f"{n}", kind=Kind.CLICK, time=NOW + n, user_id=f"u{n}", item_id=i)
            for n, i in enumerate(tiny_names(np.arange(40, dtype=np.int32) % 20))
        ],
        NOW,
    )
    for until in (10, 10, 40):
        replay.read(log, lambda ids: np.array([tiny_row(i) for i in ids], np.int32), until=until)
        with suppress(BadInput):
            assert mine.default(as_of(site, log, replay)).model is not None
            assert until == 40
    assert len(tried) == 2
