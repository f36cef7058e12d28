"""The solved generators on the tiny world, where the right answers are known."""

from dataclasses import replace
from functools import cache
from typing import TypeAlias

import numpy as np
import pytest

from palate.funnel.types import Query
from palate.index.matching import Matching
from palate.models.ials import IalsFacts
from palate.releases.manifest import Manifest
from palate.releases.release import Release
from palate.retrieval.ials import Ials
from palate.retrieval.linear import Linear
from palate.retrieval.together import Together
from palate.stores import Stores, with_release
from palate.testing.generators import proposed
from palate.testing.tiny import SIZE, USERS, tiny_names, tiny_row, tiny_stores, tiny_world
from palate.training.solved import ials, linear
from palate.training.solved.histories import from_lists
from palate.training.solved.linear import LinearPlan

NEW = tiny_row("romance-3")
"""As if nobody had taken it before the training."""
COMEDY = tiny_world().query("u1")
NOBODY = tiny_world().query()
Part: TypeAlias = type[Linear | Ials | Together]
LEARNT = pytest.mark.parametrize("part", [Linear, Ials, Together])


@cache
def stores() -> Stores:
    """The tiny world with both models learnt from all of it."""
    lists = [tiny_world().user(f"u{n}").engaged(200)[::-1] for n in range(USERS)]
    lists = [taken[taken != NEW] for taken in lists]
    histories = from_lists(lists, SIZE)
    facts = IalsFacts(dim=8, unobserved=0.3, regularization=0.1, exponent=0.5)
    content = tiny_stores().columns.read(np.arange(SIZE), ("content",))["content"]
    release = Release(
        "tiny",
        Manifest(created=0.0, version="0"),
        linear=linear.fit(histories, LinearPlan("ease", 5.0)),
        ials=ials.fit(histories, content, facts),
        together=linear.fit(histories, LinearPlan("together", 0.1)),
    )
    return with_release(tiny_stores(), release)


def names(part: Part, query: Query, limit: int = 60) -> list[str]:
    return tiny_names(proposed(part.default(stores()), query, limit).rows)


@LEARNT
def test_who_keeps_to_a_genre_is_shown_the_rest_of_it_first(
    part: Part,
) -> None:
    unseen = replace(COMEDY, excluded=np.sort(COMEDY.user.seen))
    first = names(part, unseen, 3)
    assert {name.partition("-")[0] for name in first} == {"comedy"}
    assert not set(first) & set(tiny_names(COMEDY.user.seen))


@LEARNT
def test_nobody_and_a_site_without_a_release_get_nothing(
    part: Part,
) -> None:
    assert names(part, NOBODY) == []
    assert len(proposed(part.default(tiny_stores()), COMEDY, 9)) == 0


@LEARNT
def test_a_seed_item_counts_instead_of_the_history(part: Part) -> None:
    seeded = replace(COMEDY, seed_item=tiny_row("space-1"))
    first = [name for name in names(part, seeded, 4) if name != "space-1"]
    assert {name.partition("-")[0] for name in first[:3]} == {"space"}
    reason = part.default(stores()).explain(seeded, tiny_row("space-2"))
    assert (reason.kind, reason.rows) == ("similar_to_item", (tiny_row("space-1"),))


@pytest.mark.parametrize("part", [Linear, Together])
def test_a_filter_says_how_much_each_item_of_the_history_gave(
    part: type[Linear | Together],
) -> None:
    unseen = replace(COMEDY, excluded=np.sort(COMEDY.user.seen))
    found = proposed(part.default(stores()), unseen, 1)
    reason = part.default(stores()).explain(unseen, int(found.rows[0]))
    assert reason.kind == "because_of_items"
    assert set(reason.rows) <= set(COMEDY.user.history.tolist())
    assert 0 < sum(reason.weights) <= float(found.scores[0]) + 1e-5


def test_factors_name_the_nearest_of_what_was_taken_in() -> None:
    reason = Ials.default(stores()).explain(COMEDY, tiny_row("comedy-1"))
    assert reason.kind == "taste"
    assert {name.partition("-")[0] for name in tiny_names(list(reason.rows))} == {"comedy"}


def test_an_item_that_nobody_took_is_found_through_its_content() -> None:
    model = stores().release.ials  # type: ignore[union-attr]
    assert model is not None
    assert model.table.known[NEW]
    romance = tiny_world().query("u4")
    unseen = replace(romance, excluded=np.setdiff1d(romance.user.seen, [NEW]).astype(np.int32))
    assert "romance-3" in names(Ials, unseen, 12)
    assert "romance-3" not in names(Ials, COMEDY, 12)


@LEARNT
def test_the_requests_filter_is_obeyed_before_the_limit(
    part: Part,
) -> None:
    columns = tiny_stores().columns
    everything = names(part, COMEDY)
    passed = np.array([tiny_row(everything[-1])], np.int32)
    mask = np.zeros(columns.capacity, np.bool_)
    mask[passed] = True
    for rows in (passed, None):
        assert names(part, replace(COMEDY, matching=Matching(mask, rows)), 1) == [everything[-1]]
