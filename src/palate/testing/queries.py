"""Requests and slates of the tiny world, as Hypothesis strategies."""

from dataclasses import replace

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from msgspec import structs

from palate.funnel.stages import Rule
from palate.funnel.types import Pool, Query, Slate
from palate.index.matching import Matching
from palate.testing.tiny import SIZE, USERS, tiny_stores, tiny_world

WORLD_SIZE = SIZE

shared = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
)
"""One property, many components: every subclass runs it, which Hypothesis flags by default."""

rows = st.lists(st.integers(0, SIZE - 1), unique=True, max_size=40)


@st.composite
def matchings(draw: st.DrawFn) -> Matching:
    """Some request's filter: what passes is few (told row by row) or many (as a mask only)."""
    columns = tiny_stores().columns
    passed = np.array(sorted(draw(rows)), np.int32)
    mask = np.zeros(columns.capacity, np.bool_)
    mask[passed[columns.servable[passed] != 0]] = True
    few = draw(st.booleans())
    return Matching(mask, np.flatnonzero(mask).astype(np.int32) if few else None)


@st.composite
def queries(draw: st.DrawFn) -> Query:
    """Anybody, known or not, on any item, on any page."""
    user = draw(st.sampled_from(["", *(f"u{n}" for n in range(USERS))]))
    return replace(
        tiny_world().query(user, size=draw(st.integers(1, 20))),
        draw=draw(st.integers(0, 2**63 - 1)),
        seed_item=draw(st.just(-1) | st.integers(0, SIZE - 1)),
        excluded=np.array(sorted(draw(rows)), np.int32),
        matching=draw(st.none() | matchings()),
        region=draw(st.sampled_from(["", "DE", "US", "nowhere"])),
        age=draw(st.none() | st.integers(0, 99)),
    )


@st.composite
def slates(draw: st.DrawFn) -> Slate:
    """Ranked rows without columns yet; scores fall, ties included."""
    found = draw(rows)
    falls = draw(st.lists(st.sampled_from([0.0, 0.1, 1.0]), min_size=40, max_size=40))
    scores = -np.cumsum(falls[: len(found)])
    return Slate(np.array(found, np.int32), scores.astype(np.float32))


@st.composite
def pools(draw: st.DrawFn) -> Pool:
    """Merged candidates of three generators, any of which may have missed an item."""
    found = draw(rows)
    ranks = draw(st.lists(st.integers(0, 40), min_size=120, max_size=120))
    table = np.array(ranks[: 3 * len(found)], np.int16).reshape(-1, 3)
    scores = np.where(table > 0, 1.0 / np.maximum(table, 1), np.nan).astype(np.float32)
    return Pool(np.array(found, np.int32), scores, table, ("covisit", "popular", "content"))


def with_columns(rule: Rule, slate: Slate) -> Slate:
    """The slate as the engine hands it to the rule."""
    return structs.replace(slate, columns=tiny_stores().columns.read(slate.rows, rule.reads))
