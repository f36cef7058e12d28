"""Thompson sampling: what is on record is how often it happens, and evidence decides."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.features.counters import tell

from palate.features.folds import FIRST_AT
from palate.features.items import ItemStates
from palate.funnel.types import Query, Slate
from palate.reranking.explore import Explore, counts_of
from palate.reranking.thompson import WORLDS, Counts, decided, policy, posterior
from palate.testing.queries import shared
from palate.testing.tiny import NOW, tiny_world

SIZE, PAGE = 60, 20
OLD = NOW - 400 * 86_400.0


def states(shown: dict[int, float], clicked: dict[int, float]) -> ItemStates:
    """Counters that say so."""
    made = ItemStates.in_memory(SIZE)
    for name, told in (("shown_30d", shown), ("clicked_30d", clicked)):
        for row, value in told.items():
            tell(made, row, times=[NOW] * FIRST_AT + [0.0, 0.0], **{name: value})
    return made


def slate(creators: int = SIZE) -> Slate:
    dice = np.random.Generator(np.random.PCG64(3))
    content = dice.standard_normal((SIZE, 8)).astype(np.float32)
    content /= np.linalg.norm(content, axis=1, keepdims=True)
    creator = (np.arange(SIZE) % creators).astype(np.int32)
    scores = np.linspace(1, 0, SIZE, dtype=np.float32)
    columns = {"creator": creator, "content": content, "published": np.full(SIZE, OLD)}
    return Slate(np.arange(SIZE, dtype=np.int32), scores, columns)


def query(draw: int, size: int = PAGE) -> Query:
    return replace(tiny_world().query(size=size), draw=draw)


def rule(epsilon: float = 0.2, counters: ItemStates | None = None) -> Explore:
    return Explore(epsilon, first=4, every=10, states=counters or states({}, {}))


def test_the_propensity_on_record_is_how_often_it_happens() -> None:
    draws, each = 6000, rule()
    stood, recorded = np.zeros((PAGE, SIZE)), np.full((PAGE, SIZE), np.nan)
    for draw in range(draws):
        page = each.apply(query(draw), slate()).top(PAGE)
        assert page.propensity is not None
        stood[np.arange(PAGE), page.rows] += 1
        recorded[np.arange(PAGE), page.rows] = page.propensity
    seen = ~np.isnan(recorded)
    share, told = stood[seen] / draws, recorded[seen]
    sigma = np.sqrt(told * (1 - told) / draws) + 1e-9
    assert (np.abs(share - told) < 5 * sigma).all()
    slots = [3, 13]
    assert np.allclose([np.nansum(recorded[slot]) for slot in slots], 1.0, atol=1e-3)
    certain = np.setdiff1d(np.arange(PAGE), slots)
    assert (seen[certain].sum(axis=1) == 1).all(), "all other places are certain"
    pool = SIZE - PAGE
    assert np.nanmin(recorded) >= 0.2 / pool - 1e-6


@shared
@given(draw=st.integers(0, 2**63 - 1), size=st.integers(1, 30))
def test_what_stood_in_a_slot_moves_down_and_nobody_is_lost(draw: int, size: int) -> None:
    page = rule().apply(query(draw, size), slate())
    assert sorted(page.rows.tolist()) == list(range(SIZE))
    if page.explore is not None:
        explored = set(np.flatnonzero(page.explore).tolist())
        assert explored == {at for at in (3, 13, 23) if at < size}
        rest = [row for at, row in enumerate(page.rows[:size].tolist()) if at not in explored]
        assert rest == list(range(len(rest))), "the best, in their order"
        assert all(page.rows[at] >= size for at in explored)


def test_a_promising_item_is_drawn_more_often_and_a_bad_one_less() -> None:
    good, bad = 30, 31
    told = states({good: 40, bad: 40, **dict.fromkeys(range(PAGE), 200)},
                  {good: 9, bad: 0, **dict.fromkeys(range(PAGE), 30)})  # fmt: skip
    each, drawn = rule(counters=told), np.zeros(SIZE)
    for draw in range(400):
        page = each.apply(query(draw), slate())
        assert page.explore is not None
        drawn[page.rows[page.explore]] += 1
    assert drawn[good] > 1.3 * drawn[[27, 28, 29, 33, 34]].mean(), "of those that rank as high"
    assert drawn[bad] < 0.2 * drawn[PAGE:].mean()


def test_new_items_get_their_share_of_the_draws_until_they_were_shown_enough() -> None:
    whole, new = slate(), [40, 50, 55]
    whole.columns["published"][new] = NOW - 86_400.0
    draws, each = 4000, replace(rule(), every=100)
    stood, told = np.zeros(SIZE), np.full(SIZE, np.nan)
    for draw in range(draws):
        page = each.apply(query(draw), whole).top(PAGE)
        assert page.propensity is not None
        assert page.policy.endswith("trial=3")
        stood[page.rows[3]] += 1
        told[page.rows[3]] = page.propensity[3]
    assert stood[new].sum() / draws > 0.7 * 0.8
    known = ~np.isnan(told)
    sigma = np.sqrt(told[known] * (1 - told[known]) / draws)
    assert (np.abs(stood[known] / draws - told[known]) < 5 * sigma).all()
    tried = replace(each, states=states(dict.fromkeys(new, 31.0), dict.fromkeys(new, 3.0)))
    assert tried.apply(query(1), whole).policy.endswith("trial=0")
    assert replace(each, newcomers=0.0).apply(query(1), whole).policy.endswith("trial=0")


def test_without_a_date_an_item_is_new_until_long_after_the_first_act_on_it() -> None:
    whole = slate()
    whole.columns["published"][:] = np.nan
    met = states({}, {})
    for row in range(SIZE):
        first = {45: NOW - 86_400.0, 46: 0.0}.get(row, OLD)
        tell(met, row, times=[0.0] * FIRST_AT + [first, first])
    assert rule(counters=met).apply(query(1), whole).policy.endswith("trial=2")


def test_what_is_decided_is_not_explored_any_more() -> None:
    counts = Counts(
        *(np.array(each, np.float32) for each in ([500, 500, 0, 10], [100, 0, 0, 1], [0, 0, 0, 0]))
    )
    found = posterior(counts, np.zeros((4, 2), np.float32), np.ones(4, np.float32))
    assert decided(found, counts, 0.1).tolist() == [True, True, False, False]
    famous = counts._replace(engaged=np.array([0, 0, 300, 0], np.float32))
    assert decided(found, famous, 0.1).tolist() == [True, True, True, False]


def test_the_likes_of_what_was_taken_are_hopeful() -> None:
    content = np.array([[1, 0], [1, 0], [0, 1], [0, 1]], np.float32)
    counts = Counts(
        *(np.array(each, np.float32) for each in ([300, 0, 300, 0], [90, 0, 3, 0], [0] * 4))
    )
    found = posterior(counts, content, np.ones(4, np.float32)).mean
    assert found[1] > 3 * found[3]


def test_one_creator_has_at_most_two_of_the_slots() -> None:
    each = Explore(1.0, first=2, every=2, states=states({}, {}))
    for draw in range(20):
        page = each.apply(query(draw), slate(creators=12))
        assert page.explore is not None
        makers = np.bincount(page.columns["creator"][page.explore])
        assert page.explore.sum() == 10
        assert makers.max() <= 2


def test_an_ensemble_is_the_same_for_everybody_and_sharpens_with_evidence() -> None:
    rows = np.arange(40, dtype=np.int32)

    def leader(weight: float) -> float:
        counts = np.full(40, weight, np.float32)
        taken = counts * np.linspace(0.05, 0.3, 40, dtype=np.float32)
        told = Counts(counts, taken, np.zeros(40, np.float32))
        found = posterior(told, np.zeros((40, 2), np.float32), np.ones(40, np.float32))
        made = policy(rows, found, 2)
        assert np.allclose(made.share.sum(axis=1), 1.0)
        assert made.best.shape == (WORLDS, 2)
        return float(made.share[0, -4:].sum())

    assert leader(20) < leader(200) < leader(20_000)
    assert leader(20_000) == pytest.approx(1.0)


def test_rows_that_the_counters_do_not_reach_have_no_counts() -> None:
    known = states({3: 5.0}, {3: 9.0})
    found = counts_of(known, np.array([3, known.capacity + 7], np.int32), NOW)
    assert found.shown.tolist() == [5.0, 0.0]
    assert found.taken.tolist() == [5.0, 0.0]


def test_nothing_changes_without_epsilon_or_anything_to_explore() -> None:
    whole = slate()
    assert rule(epsilon=0.0).apply(query(1), whole) is whole
    short = whole.top(PAGE)
    assert rule().apply(query(1), short) is short
    famous = states(dict.fromkeys(range(SIZE), 900.0), dict.fromkeys(range(PAGE), 300.0))
    assert rule(counters=famous).apply(query(1), whole) is whole
