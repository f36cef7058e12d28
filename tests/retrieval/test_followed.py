"""Makers one follows, and the region one is in."""

from dataclasses import replace

import numpy as np

from palate.features.segments import region_of
from palate.retrieval.followed import Followed
from palate.retrieval.popular_in_region import PopularInRegion
from palate.settings import Settings
from palate.testing.generators import proposed
from palate.testing.tiny import tiny_names, tiny_row, tiny_stores, tiny_world

STORES = tiny_stores()
COMEDY, NOBODY = tiny_world().query("u1"), tiny_world().query()
STUDIO = STORES.columns.creator_code("space-studio-0")
FAN = replace(NOBODY, follows=np.array([STUDIO], np.int32))


def test_a_followed_maker_brings_all_of_its_items_and_no_others() -> None:
    found = set(tiny_names(proposed(Followed.default(STORES), FAN, 60).rows))
    assert found == {f"space-{n}" for n in (0, 2, 4, 6, 8)}


def test_somebody_who_likes_and_follows_nobody_gets_nothing() -> None:
    assert len(proposed(Followed.default(STORES), NOBODY, 60)) == 0


def test_the_makers_of_liked_items_count_less_than_followed_ones() -> None:
    both = replace(COMEDY, follows=FAN.follows)
    found = tiny_names(proposed(Followed.default(STORES), both, 60).rows)
    assert {name.partition("-")[0] for name in found} == {"comedy", "space"}
    liked = tiny_names(proposed(Followed.default(STORES), COMEDY, 60).rows)
    assert {name.partition("-")[0] for name in liked} == {"comedy"}


def test_the_reason_names_the_maker_or_what_was_liked() -> None:
    followed = Followed.default(STORES).explain(FAN, tiny_row("space-2"))
    assert (followed.kind, followed.trait) == ("followed", "space-studio-0")
    row = int(proposed(Followed.default(STORES), COMEDY, 1).rows[0])
    liked = Followed.default(STORES).explain(COMEDY, row)
    assert liked.kind == "because_of_items"
    assert len(liked.rows) >= 1
    assert STORES.columns.creator[list(liked.rows)].tolist() == [STORES.columns.creator[row]] * len(
        liked.rows
    )


def test_a_catalogue_too_large_to_scan_is_searched_by_its_boards() -> None:
    part = replace(Followed.default(STORES), scan=10)
    found = set(tiny_names(proposed(part, FAN, 60).rows))
    assert found == {f"space-{n}" for n in (0, 2, 4, 6, 8)}


def test_the_region_of_the_request_wins_over_the_profile_and_nowhere_has_no_board() -> None:
    part = PopularInRegion.default(STORES)
    usual = proposed(part, replace(COMEDY, region=""), 60)  # u1 lives in the US
    named = proposed(part, replace(COMEDY, region="us"), 60)
    assert usual.rows.tolist() == named.rows.tolist()
    assert len(usual) > 0
    abroad = proposed(part, replace(COMEDY, region="FR"), 60)
    assert abroad.rows.tolist() != usual.rows.tolist()
    assert len(proposed(part, replace(NOBODY, region=""), 60)) == 0


def test_region_counts_are_those_of_its_people() -> None:
    column = region_of("DE", Settings().features)
    states = STORES.states
    own = states.records(np.arange(60))["segments"][:, column]
    expected = np.zeros(60)
    for n in range(0, 48, 3):
        user = tiny_world().user(f"u{n}")
        engaged = user.history[(user.signals & 4) > 0]
        np.add.at(expected, engaged, 1.0)
    assert ((own > 0) == (expected > 0)).all()
    assert STORES.states.first_region <= column
