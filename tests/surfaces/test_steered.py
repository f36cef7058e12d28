"""Funnels under operators' rules, when parts of them are broken or missing."""

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from tests.funnel.parts import Breaks, Says, Scores

from palate.funnel.engine import Funnel
from palate.funnel.types import Answer, Query
from palate.reranking.editorial.where import Where
from palate.rules.decode import rules
from palate.surfaces import funnel, names
from palate.surfaces.steered.best import KEPT, Best
from palate.surfaces.steered.leaving import Leaves
from palate.surfaces.steered.program import Program
from palate.testing.tiny import GENRES, tiny_names, tiny_row, tiny_stores, tiny_world, waited


def under(documents: list[dict[str, Any]], query: Query, surface: str = "home") -> Funnel:
    told = [{"id": f"r{n}", **each} for n, each in enumerate(documents)]
    found = {f"/{n}": each for n, each in enumerate(rules(told))}
    return Program.checked(found, tiny_stores()).steer(funnel(surface, tiny_stores()), query)


def shown(built: Funnel, query: Query) -> Answer:
    return waited(built.answer(query))


@pytest.mark.parametrize("surface", names())
@pytest.mark.parametrize("kind", ["diversity", "freshness"])
def test_a_number_acts_on_surfaces_that_have_no_such_part(surface: str, kind: str) -> None:
    query = replace(tiny_world().query("u1", surface), seed_item=3)
    number = {"strength": 0.3} if kind == "diversity" else {"lift": 0.3}
    built = under([{"kind": kind, **number}], query, surface)
    assert shown(built, query).step in {"full", "static"}
    kinds = [type(each).__name__ for each in built.rules]
    assert kinds.count("Diversify" if kind == "diversity" else "BoostFresh") == 1


@dataclass(frozen=True)
class Rung:
    step: str
    broken: dict[str, Any]


RUNGS = [
    Rung("retrieval", {"ranker": Scores(broken=True)}),
    Rung("last_slate", {"ranker": Scores(broken=True), "generators": (Breaks(()),)}),
    Rung("popular", {"ranker": Scores(broken=True), "generators": (Breaks(()),)}),
]


@pytest.mark.parametrize("rung", RUNGS, ids=lambda rung: rung.step)
def test_what_operators_ask_of_a_page_holds_on_every_rung(rung: Rung) -> None:
    query = replace(tiny_world().query("u1"), size=6)
    pinned = tiny_row("romance-5")
    asked = [
        {"kind": "pin", "items": ["romance-5"], "slots": [1], "sponsored": True},
        {"kind": "block", "where": '"space" in categories'},
        {"kind": "at_most", "of": "categories", "cap": 1, "window": 2},
    ]
    built = replace(under(asked, query), **rung.broken)
    if rung.step == "last_slate":
        last = np.array([tiny_row(f"{g}-{n}") for g in GENRES for n in (7, 8)], np.int32)
        built = replace(built, last_slate=lambda _: last)
    answer = shown(built, query)
    assert answer.step == rung.step
    assert answer.slate.rows[0] == pinned
    assert answer.reasons[0].kind == "sponsored"
    genres = [name.partition("-")[0] for name in tiny_names(answer.slate.rows)]
    assert "space" not in genres
    assert all(a != b for a, b in pairwise(genres))


def test_a_pin_alone_is_no_last_slate() -> None:
    query = tiny_world().query("u1")
    built = under([{"kind": "pin", "items": ["romance-5"], "slots": [1]}], query)
    broken = replace(built, ranker=Scores(broken=True), generators=(Breaks(()),))
    assert shown(broken, query).step == "popular"


def test_generators_are_told_of_what_much_is_hidden_by() -> None:
    query = tiny_world().query("u1")
    few = under([{"kind": "block", "items": ["comedy-1"]}], query)
    assert waited(few.allowed(query)) is None, "the filter alone sees to that"
    most = under([{"kind": "block", "where": 'not "horror" in categories'}], query)
    found = waited(most.allowed(query))
    assert found is not None
    assert {n.partition("-")[0] for n in tiny_names(found.rows)} == {"horror"}
    assert waited(most.allowed(query)) is found, "one answer serves many requests"


def test_whom_a_restriction_admits_is_told_nothing() -> None:
    rule = {"kind": "restrict", "where": "true", "min_age": 18}
    old, young = (replace(tiny_world().query("u1"), age=age) for age in (40, 12))
    built = under([rule], old)
    assert isinstance(built.allowed, Leaves)
    assert waited(built.allowed(old)) is None
    assert len(waited(built.allowed(young)).rows) == 0


HORROR = '"horror" in categories'


@pytest.mark.parametrize(
    ("rule", "wanted"),
    [
        ({"kind": "at_least", "where": HORROR, "count": 3}, 3),
        ({"kind": "at_least", "where": f'{HORROR} and user.plan == "free"', "share": 0.5}, 3),
        ({"kind": "promote", "where": f"{HORROR} and published_at < now", "slots": [1, 2]}, 2),
        ({"kind": "promote", "where": f'{HORROR} or user.plan == "plus"', "slots": [1]}, 1),
    ],
)
def test_what_nobody_proposes_is_brought_where_a_rule_wants_it(
    rule: dict[str, Any], wanted: int
) -> None:
    query = replace(tiny_world().query("u1"), size=6, values={"user.plan": "free"})
    few = replace(funnel("home", tiny_stores()), generators=(Says(tuple(range(8))),))
    told = rules([{"id": "r", **rule}])
    built = Program.checked({"/0": told[0]}, tiny_stores()).steer(few, query)
    answer = shown(built, query)
    horror = [name for name in tiny_names(answer.slate.rows) if name.startswith("horror")]
    assert len(horror) == wanted
    assert not answer.slate.relaxed
    kinds = {r.kind for r, n in zip(answer.reasons, tiny_names(answer.slate.rows), strict=True)
             if n.startswith("horror")}  # fmt: skip
    assert "editorial" in kinds
    assert kinds <= {"editorial", "explore"}, "no generator is named that did not propose it"


def test_the_best_are_found_once_a_minute_for_each_set_of_values() -> None:
    condition = Where.of(f"{HORROR} and user.age > min_age", tiny_stores().columns.plain)
    best = Best.of(condition, tiny_stores(), 4)
    assert {n.partition("-")[0] for n in tiny_names(best.rows)} == {"horror"}, "no others"
    old, young = (replace(tiny_world().query("u1"), values={"user.age": n}) for n in (40, -1))
    assert len(best(old)) == 4
    assert len(best(young)) == 0
    for n in range(3 * KEPT):
        best(replace(old, values={"user.age": n}))
    assert len(best._known) <= KEPT
