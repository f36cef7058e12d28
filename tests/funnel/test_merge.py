"""Merging keeps everything that was said, repeats nothing and starves nobody."""

from dataclasses import replace
from math import inf

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from palate.funnel.lifting import needed, place_of
from palate.funnel.merge import Admission, merge, shortlisted
from palate.funnel.types import Candidates, Pool
from palate.funnel.worth import POOLED, leaning
from palate.retrieval.popular import Popular
from palate.retrieval.two_tower import TwoTower
from palate.surfaces import funnel
from palate.testing.tiny import tiny_stores, tiny_world

lists = st.lists(st.lists(st.integers(0, 60), unique=True, max_size=30), max_size=5)


def candidates(rows: list[int]) -> Candidates:
    return Candidates(np.array(rows, np.int32), np.array(rows, np.float32) / 7)


def names(count: int) -> list[str]:
    return [f"g{n}" for n in range(count)]


@given(proposed=lists, limit=st.integers(1, 80))
def test_takes_distinct_proposed_rows_as_many_as_there_are(
    proposed: list[list[int]], limit: int
) -> None:
    pool = merge(names(len(proposed)), [candidates(rows) for rows in proposed], limit)
    everything = {row for rows in proposed for row in rows}
    assert len(pool) == min(limit, len(everything)) == len(set(pool.rows.tolist()))
    assert set(pool.rows.tolist()) <= everything


@given(proposed=lists, limit=st.integers(1, 80))
def test_keeps_every_generators_score_and_rank(proposed: list[list[int]], limit: int) -> None:
    pool = merge(names(len(proposed)), [candidates(rows) for rows in proposed], limit)
    for entry, row in enumerate(pool.rows.tolist()):
        for g, rows in enumerate(proposed):
            if row in rows:
                assert pool.ranks[entry, g] == rows.index(row) + 1
                assert pool.scores[entry, g] == np.float32(row) / np.float32(7)
            else:
                assert pool.ranks[entry, g] == 0
                assert np.isnan(pool.scores[entry, g])


@given(proposed=lists, limit=st.integers(1, 80))
def test_nobody_brings_more_than_twice_an_even_share_while_others_have_more(
    proposed: list[list[int]], limit: int
) -> None:
    pool = merge(names(len(proposed)), [candidates(rows) for rows in proposed], limit)
    taken = set(pool.rows.tolist())
    spoke = sum(1 for rows in proposed if rows)
    quota = max(1, -(-2 * limit // max(spoke, 1)))
    for g, rows in enumerate(proposed):
        others = proposed[:g] + proposed[g + 1 :]
        alone = (taken & set(rows)) - {row for other in others for row in other}
        if len(alone) > quota:
            assert all(set(other) <= taken or len(set(other) & taken) >= quota for other in others)


def test_a_long_list_leaves_room_for_what_others_have_further_down() -> None:
    long = candidates(list(range(20)))
    other = candidates([0, 1, 2, 3, 50, 51, 52, 53])
    pool = merge(names(4), [long, other, other, other], 8)
    assert pool.rows.tolist() == [0, 1, 2, 3, 50, 51, 52, 53]


def test_first_choices_come_first_then_second_choices() -> None:
    pool = merge(["a", "b"], [candidates([1, 2, 3]), candidates([4, 1, 5])], 10)
    assert pool.rows.tolist() == [1, 4, 2, 3, 5]
    assert pool.generators == ("a", "b")


def test_a_repeated_row_counts_once_at_its_first_rank() -> None:
    pool = merge(["a"], [candidates([3, 3, 2])], 10)
    assert pool.rows.tolist() == [3, 2]
    assert pool.ranks.tolist() == [[1], [3]]


def test_nobody_proposing_anything_is_an_empty_pool() -> None:
    assert len(merge(["a"], [Candidates.none()], 10)) == 0
    assert len(merge([], [], 10)) == 0


def test_the_thinner_the_history_the_more_of_the_pool_is_what_everybody_takes() -> None:
    mine, all_ = list(range(40)), list(range(100, 140))
    shares = []
    for known in (0.0, 5.0, 50.0, inf):
        pool = merge(["ials", "popular"], [candidates(mine), candidates(all_)], 40, known)
        shares.append(float((pool.rows >= 100).mean()))
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 0.8
    assert shares[-1] < 0.5


def test_half_of_a_historys_say_is_reached_where_it_is_said() -> None:
    names_ = ("covisit", "popular", "somebody's own")
    halfway = leaning(names_, POOLED.thin, POOLED)
    assert halfway.tolist() == [0.5, 1 + POOLED.lift / 2, 1.0]
    assert leaning(names_, inf, POOLED).tolist() == [1.0, 1.0, 1.0]


@given(proposed=lists, limit=st.integers(1, 80), quota=st.integers(0, 20))
def test_a_quotas_first_are_in_the_pool_before_all_others(
    proposed: list[list[int]], limit: int, quota: int
) -> None:
    said = [candidates(rows) for rows in proposed]
    pool = merge(
        names(len(said)), said, limit, admission=Admission(quotas={"g0": quota, "unheard of": 9})
    )
    seated = proposed[0][:quota] if proposed else []
    assert set(pool.rows[: len(seated)].tolist()) <= set(seated)
    assert len(set(seated) & set(pool.rows.tolist())) == min(len(seated), limit)


@settings(deadline=None)  # the first example compiles
@given(seed=st.integers(0, 10_000), deep=st.booleans())
def test_the_shortlist_has_the_best_a_reserve_and_last_what_came_by_lot(
    *, seed: int, deep: bool
) -> None:
    dice = np.random.default_rng(seed)
    rows = dice.permutation(60).astype(np.int32)
    ranks = dice.integers(0, 5, (60, 3)).astype(np.int16)
    pool = Pool(rows, np.ones((60, 3), np.float32), ranks, ("a", "b", "c"))
    exploring, ranked = np.array([False, True, True]), dice.permutation(rows)
    lots = np.sort(dice.choice(rows, int(dice.integers(0, 9)), replace=False))
    size, reserve = int(dice.integers(1, 70)), int(dice.integers(0, 30))
    last = np.isin(ranked, lots).argsort(kind="stable")
    best = {
        int(row): min((int(r) for r in of[exploring] if r > 0), default=99)
        for row, of in zip(rows, ranks, strict=True)
    }
    rest = sorted(last[size:].tolist(), key=lambda at: best[int(ranked[at])])
    chosen = [at for at in rest if best[int(ranked[at])] < 99][:reserve]
    wanted = [*last[:size], *(at for at in last[size:] if at in chosen)]
    wanted += [at for at in last[size:] if at not in chosen] if deep else []
    found = shortlisted(pool, ranked, lots, exploring, (size, reserve), deep=deep)
    assert found.tolist() == wanted


def test_the_pool_and_what_it_would_take_go_by_the_weights() -> None:
    stores, query = tiny_stores(), tiny_world().query("u0")
    two = (TwoTower.default(stores), Popular.default(stores))
    heavy, light = (
        replace(
            funnel("home", stores),
            generators=two,
            pool=20,
            admission=Admission({"two_tower": weight, "popular": 0.5}),
        )
        for weight in (5.0, 0.05)
    )
    said = [candidates(list(range(30))), candidates(list(range(30, 59)))]
    pools = [
        merge(each.names, said, each.pool, query.known, each.admission).rows
        for each in (heavy, light)
    ]
    assert (pools[0] < 30).sum() > 15
    assert (pools[1] < 30).sum() < 5
    deep, high = (needed(each, query, said, 59)[0] for each in (heavy, light))
    assert deep > high, "a heavier word brings it in from further down"
    places = [place_of(each, query, said, 58) for each in (heavy, light)]
    assert places[0] > places[1] > 0
