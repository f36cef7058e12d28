"""`palate why`: an item is found at the stage where it was lost."""

from dataclasses import replace
from typing import Any

import numpy as np
from tests.funnel.parts import Rearranges, Rejects, Says, Scores

from palate.features.record import UserState
from palate.funnel.engine import Funnel
from palate.funnel.fate import Fate
from palate.funnel.whereabouts import Whereabouts, locate
from palate.retrieval.anything import Anything
from palate.settings import Settings
from palate.surfaces import funnel as surface
from palate.surfaces.overrides import certain
from palate.testing.tiny import TinyWorld, tiny_row, tiny_stores, tiny_world, waited


def lost(row: int, size: int = 2, **changes: Any) -> Fate:
    return followed(row, size, **changes).fate


def followed(row: int, size: int = 2, user: UserState | None = None, **changes: Any) -> Whereabouts:
    plain = Funnel(
        stores=tiny_stores(),
        generators=(Says((1, 2, 3, 4, 5, 6, 7, 8)),),
        filters=(Rejects((2,)),),
        ranker=Scores(),
        rules=(),
    )
    query = replace(tiny_world().query("u1", size=size), excluded=np.array([8], np.int32))
    query = replace(query, user=user or query.user)
    return waited(locate(replace(plain, **changes), query, row))


def test_an_item_that_is_shown_has_its_position() -> None:
    found = followed(1)
    assert (found.fate.stage, found.fate.position, found.fate.ranked) == ("shown", 1, 1)
    assert (found.votes[0].generator, found.votes[0].rank) == ("says", 1)


def test_an_item_that_the_catalogue_does_not_know_or_hides() -> None:
    assert lost(tiny_row("space-9")).stage == "catalogue"
    assert lost(tiny_row("action-9")).stage == "catalogue"
    assert lost(-1).stage == "catalogue"


def test_an_item_that_the_request_leaves_out() -> None:
    assert lost(8).stage == "excluded"


def test_an_item_that_a_filter_took_out() -> None:
    found = lost(2)
    assert (found.stage, found.part) == ("filter", "rejects")


def test_an_item_that_nobody_proposes() -> None:
    assert lost(30).stage == "generate"


def test_an_item_that_did_not_fit_into_the_pool() -> None:
    found = followed(7, pool=3)
    assert (found.fate.stage, found.place) == ("pool", 7)
    assert found.fate.sentence == "it is at place 7 of all that was proposed, and the pool holds 3"
    assert (found.votes[0].heard, found.votes[0].needed) == (7, 3)
    assert found.cure.startswith("rank 3 or better at says")
    assert found.then is not None
    assert found.then.stage == "rank"


def test_an_item_that_ranked_too_low_for_the_page() -> None:
    found = lost(4)
    assert (found.stage, found.ranked) == ("rank", 3)


def test_an_item_that_ranked_too_low_for_the_rules() -> None:
    found = lost(7, size=1, shortlist=3, rules=(Rearranges(),))
    assert (found.stage, found.ranked) == ("shortlist", 6)


def test_an_item_that_a_rule_moved_off_the_page() -> None:
    found = lost(1, rules=(Rearranges(),))
    assert (found.stage, found.part) == ("rule", "rearranges")
    assert found.moves["rearranges"] == (1, 6)
    assert lost(1, rules=(Rearranges("drop"),)).stage == "rule"


def test_what_somebody_watched_is_lost_to_hide_seen() -> None:
    world = tiny_world()
    row = int(world.user("u1").history[0])
    found = waited(locate(certain(surface("home", world.stores)), world.query("u1"), row)).fate
    assert (found.stage, found.part) == ("filter", "hide_seen")


def test_what_goes_by_lot_is_nearest_to_nothing() -> None:
    lot = Anything(tiny_stores().columns, share=0.1)
    told = set()
    for visitor in range(1, 12):
        who = replace(tiny_world().user("u1"), key=visitor)
        found = followed(45, generators=(lot, Says(tuple(range(10, 40)))), pool=20, user=who)
        if found.fate.stage == "generate":
            told.add(found.fate.sentence)
            assert found.votes[0].needed == 0
            assert "says" in found.cure, "what would let it in is not luck"
    assert told == {"no generator knows it, however far down; only a lot may bring it"}


def test_the_nearest_generator_is_the_same_with_every_lot() -> None:
    world = TinyWorld(Settings(), None, 1_000)
    home = replace(certain(surface("home", world.stores)), pool=100)
    asked, row = world.query("u1"), world.stores.columns.size - 7
    told = set()
    for visitor in range(1, 5):
        query = replace(asked, user=replace(asked.user, key=visitor))
        found = waited(locate(home, query, row))
        told |= {found.fate.sentence} if found.fate.stage == "generate" else set()
    [one] = told
    assert "the nearest is" in one
    assert "anything" not in one
