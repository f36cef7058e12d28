"""What was drawn by lot gets onto a full page by exploration alone, so the record is true."""

from collections import Counter
from dataclasses import replace

import numpy as np
from tests.funnel.parts import Says, Scores

from palate.arrays import Floats
from palate.funnel.engine import Funnel
from palate.funnel.merge import merge
from palate.funnel.types import Candidates, Pool, Query
from palate.retrieval.anything import Anything
from palate.surfaces import funnel
from palate.surfaces.overrides import certain, overridden
from palate.testing.tiny import tiny_stores, tiny_world, waited

KNOWN = tuple(range(0, 60, 5))
DRAWS, PAGE = 150, 8


class Unheard(Scores):
    """A ranker that prefers what generators know least."""

    def score(self, query: Query, pool: Pool, features: Floats) -> Floats:
        return (-(pool.ranks > 0).sum(axis=1) + (pool.rows % 5) / 5).astype(np.float32)


def home(epsilon: float = 0.1) -> Funnel:
    """Home with a pool of half the catalogue, of which generators know little."""
    changes = {"pool": 30, "explore.epsilon": epsilon}
    whole = replace(funnel("home", tiny_stores()), quotas={})
    knows = (Says(KNOWN), Anything(tiny_stores().columns, share=0.5))
    return replace(overridden(whole, "home", changes), generators=knows, ranker=Unheard())


def query(draw: int) -> Query:
    return replace(tiny_world().query(size=PAGE), draw=draw)


def test_without_exploration_the_page_is_the_same_whatever_the_draw() -> None:
    whole = overridden(funnel("home", tiny_stores()), "home", {"pool": 30})
    whole = replace(whole, ranker=Unheard())
    for each in (certain(home()), certain(whole)):
        pages = {tuple(waited(each.answer(query(n))).slate.rows.tolist()) for n in range(DRAWS)}
        assert len(pages) == 1


def test_what_is_logged_as_certain_stands_there_on_every_page() -> None:
    stood: Counter[tuple[int, int]] = Counter()
    lots, explored = set(), 0
    for draw in range(DRAWS):
        slate = waited(home().answer(query(draw))).slate
        assert slate.propensity is not None
        assert slate.explore is not None
        stood.update(
            (place, int(slate.rows[place])) for place in np.flatnonzero(slate.propensity == 1)
        )
        explored += int(slate.explore.sum())
        lots |= set(slate.rows[slate.explore].tolist()) - set(KNOWN)
        assert set(slate.rows[~slate.explore].tolist()) <= set(KNOWN)
    assert set(stood.values()) == {DRAWS}
    assert explored
    assert len(lots) > 20, "whatever is in the catalogue gets its chance"


def test_a_short_page_is_filled_by_lot() -> None:
    short = replace(home(), generators=(Says((1, 2)), Anything.default(tiny_stores())))
    slate = waited(short.answer(replace(query(1), size=4))).slate
    assert len(slate) == 4


def test_the_lot_changes_nothing_of_what_others_propose() -> None:
    names = ["popular", "anything"]
    dice = np.random.default_rng(1)
    board = Candidates(np.arange(200, dtype=np.int32), np.ones(200, np.float32))
    for _ in range(20):
        drawn = dice.permutation(400).astype(np.int32)[:40]
        pool = merge(names, [board, Candidates(drawn, np.ones(40, np.float32))], 100)
        assert pool.rows[:98].tolist() == list(range(98))
        assert len(pool) == 100
        assert set(pool.rows[98:].tolist()) <= set(drawn.tolist())
