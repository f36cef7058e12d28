"""Exploration: the propensities on record are the probabilities it has."""

from dataclasses import replace

import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from palate.funnel.types import Query, Slate
from palate.reranking.explore import Explore
from palate.settings_loop import ExploreSettings
from palate.testing.queries import shared
from palate.testing.tiny import tiny_stores, tiny_world

SLATE = Slate(
    np.arange(30, dtype=np.int32),
    np.linspace(1, 0, 30, dtype=np.float32),
    {"creator": np.arange(30, dtype=np.int32)},
)
PAGE = 10


def query(draw: int) -> Query:
    return replace(tiny_world().query(size=PAGE), draw=draw)


def test_the_propensity_on_record_is_how_often_it_happens() -> None:
    rule, draws = Explore(epsilon=0.4, first=2, every=3), 6000
    stood = np.zeros((PAGE, 30))
    recorded = np.full((PAGE, 30), np.nan)
    for draw in range(draws):
        page = rule.apply(query(draw), SLATE).top(PAGE)
        assert page.propensity is not None
        stood[np.arange(PAGE), page.rows] += 1
        recorded[np.arange(PAGE), page.rows] = page.propensity
    seen = ~np.isnan(recorded)
    share = stood[seen] / draws
    sigma = np.sqrt(recorded[seen] * (1 - recorded[seen]) / draws) + 1e-9
    assert (np.abs(share - recorded[seen]) < 5 * sigma).all()
    assert seen[1].sum() == 21, "its owner, or any of the twenty that were not on the page"
    assert seen[0].sum() == 1, "a slot that may not explore is certain"


@shared
@given(draw=st.integers(0, 2**63 - 1))
def test_an_explored_item_changes_places_and_nobody_is_lost(draw: int) -> None:
    page = Explore(epsilon=0.5).apply(query(draw), SLATE)
    assert sorted(page.rows.tolist()) == SLATE.rows.tolist()
    assert page.explore is not None
    explored = np.flatnonzero(page.explore)
    assert (page.rows[explored] >= PAGE).all()
    assert set(explored.tolist()) <= {3, 7}
    moved = np.flatnonzero(page.rows != SLATE.rows)
    assert len(moved) == 2 * len(explored)


def test_without_epsilon_or_anything_to_explore_nothing_changes() -> None:
    assert Explore(epsilon=0.0).apply(query(1), SLATE) is SLATE
    short = SLATE.top(PAGE)
    assert Explore(epsilon=1.0).apply(query(1), short) is short
    one = Explore(epsilon=0.9).apply(query(3), SLATE.top(PAGE + 1))
    assert one.propensity is not None
    assert one.propensity[3] in {np.float32(0.9), np.float32(1) - np.float32(0.9)}
    assert one.propensity[7] == 1.0, "one item cannot explore two slots"


def test_the_same_request_explores_the_same() -> None:
    rule = Explore(epsilon=0.5)
    once, again = rule.apply(query(5), SLATE), rule.apply(query(5), SLATE)
    np.testing.assert_array_equal(once.rows, again.rows)
    others = {tuple(rule.apply(query(draw), SLATE).rows.tolist()) for draw in range(20)}
    assert len(others) > 5


def test_either_method_explores_the_share_of_the_settings() -> None:
    for method in ("greedy", "thompson"):
        for share in (0.1, 0.2):
            asked = ExploreSettings(method=method, share=share)
            settings = msgspec.structs.replace(tiny_stores().settings, explore=asked)
            rule = Explore.default(replace(tiny_stores(), settings=settings))
            odds = rule.epsilon if method == "greedy" else 1.0
            assert odds / rule.every == share
    none = msgspec.structs.replace(tiny_stores().settings, explore=ExploreSettings(share=0.0))
    assert Explore.default(replace(tiny_stores(), settings=none)).epsilon == 0.0
