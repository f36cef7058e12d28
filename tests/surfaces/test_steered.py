"""Funnels under operators' rules, when parts of them are broken or missing."""

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from tests.funnel.parts import Breaks, Scores

from palate.funnel.engine import Funnel
from palate.funnel.types import Answer, Query
from palate.rules.decode import rules
from palate.surfaces import funnel, names
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
