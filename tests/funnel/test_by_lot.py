"""What was drawn by lot gets onto a full page by exploration alone, so the record is true.

A lot stands for an hour of a visitor: given who asks, and when, short pages are certain too.
"""

from collections import Counter
from dataclasses import replace

import numpy as np
from tests.funnel.parts import Says, Scores

from palate.arrays import Floats
from palate.funnel.engine import Funnel
from palate.funnel.merge import SENSIBLY, merge
from palate.funnel.types import HOUR, Candidates, Pool, Query
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
    whole = replace(funnel("home", tiny_stores()), admission=SENSIBLY)
    knows = (Says(KNOWN), Anything(tiny_stores().columns, share=0.5))
    return replace(overridden(whole, "home", changes), generators=knows, ranker=Unheard())


def query(draw: int, visitor: int = 0, hours: int = 0) -> Query:
    asked = tiny_world().query(size=PAGE)
    who = replace(asked.user, key=visitor)
    return replace(asked, user=who, draw=draw, now=asked.now + hours * HOUR)


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
        slate = waited(home().answer(query(draw, visitor=draw % 10))).slate
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


def test_a_short_page_is_filled_by_a_lot_that_stands_for_an_hour_of_its_visitor() -> None:
    lot = Anything(tiny_stores().columns, share=0.5)
    short = replace(home(), generators=(Says((1, 2)), lot), rules=(), ranker=Scores())

    def filled(asked: Query) -> tuple[int, ...]:
        return tuple(waited(short.answer(replace(asked, size=6))).slate.rows.tolist())

    pages = {filled(query(draw)) for draw in range(20)}
    assert len(pages) == 1, "it is logged as certain, so it has to be"
    assert {len(page) for page in pages} == {6}
    others = {filled(query(1, visitor)) for visitor in range(20)}
    later = {filled(query(1, hours=hours)) for hours in range(20)}
    further = {filled(replace(query(1), given=given)) for given in range(20)}
    assert min(len(others), len(later), len(further)) > 10, "everything gets its chance"


def test_of_what_the_lot_brought_the_record_says_how_often_it_is_drawn() -> None:
    rounds, epsilon = 600, 0.1
    weights: dict[int, list[float]] = {}
    for draw in range(rounds):
        slate = waited(home(epsilon).answer(query(draw))).slate
        assert slate.propensity is not None
        assert slate.explore is not None
        pool = int(slate.policy.partition("pool=")[2].split()[0])
        for row, likely in zip(
            slate.rows[slate.explore].tolist(),
            slate.propensity[slate.explore].tolist(),
            strict=True,
        ):
            assert likely >= epsilon / pool * 0.999
            weights.setdefault(row, []).append(1.0 / likely)
    assert len(weights.keys() - set(KNOWN)) > 5
    for several in weights.values():
        odds = float(np.mean(several)) - 1.0
        assert abs(sum(several) / rounds - 1.0) < 4.5 * (odds / rounds) ** 0.5


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
