"""Each generator finds what it is there for, in a world whose right answers are known."""

from copy import copy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from palate.catalog.alike import Alike
from palate.events.kinds import Signal
from palate.funnel.types import Query, Reason
from palate.models import covisit
from palate.retrieval.anything import Anything
from palate.retrieval.content import Content
from palate.retrieval.covisit import Covisit
from palate.retrieval.fresh import Fresh
from palate.retrieval.popular import Popular
from palate.retrieval.popular_in_genre import PopularInGenre
from palate.retrieval.popular_in_segment import PopularInSegment
from palate.retrieval.trending import Trending
from palate.retrieval.two_tower import TwoTower
from palate.settings import CovisitSettings
from palate.testing.generators import proposed
from palate.testing.tiny import GENRES, tiny_names, tiny_row, tiny_stores, tiny_world
from palate.training.content.alike import nearest

STORES = tiny_stores()
COMEDY = tiny_world().query("u1")
"""User u1 takes in comedies and nothing else."""
NOBODY = tiny_world().query()


def names(part: Any, query: Query, limit: int = 60) -> list[str]:
    return tiny_names(proposed(part.default(STORES), query, limit).rows)


def genres(part: Any, query: Query, limit: int = 60) -> set[str]:
    return {name.partition("-")[0] for name in names(part, query, limit)}


def why(part: Any, query: Query, item: str) -> Reason:
    reason: Reason = part.default(STORES).explain(query, tiny_row(item))
    return reason


@pytest.mark.parametrize("part", [Covisit, PopularInGenre])
def test_what_others_of_that_taste_took_in_is_of_the_same_genre(part: Any) -> None:
    assert genres(part, COMEDY) == {"comedy"}
    assert names(part, NOBODY) == []


def test_content_puts_what_reads_alike_first() -> None:
    assert genres(Content, COMEDY, 9) == {"comedy"}
    assert names(Content, NOBODY) == []


@pytest.mark.parametrize("scan", [20_000, 0])
def test_content_trusts_words_that_were_compared_more_than_vectors(scan: int) -> None:
    rows = np.full((STORES.columns.size, 2), -1, np.int32)
    cosines = np.zeros(rows.shape, np.float32)
    seed, other, hidden = tiny_row("space-1"), tiny_row("romance-1"), STORES.columns.size + 3
    rows[seed], cosines[seed] = (other, hidden), (0.5, 0.4)
    view = copy(STORES.columns)
    view.alike = Alike(rows, cosines)
    part = replace(Content.default(replace(STORES, columns=view)), scan=scan)
    query = replace(NOBODY, seed_item=seed)
    found = proposed(part, query, 60)
    assert found.rows[0] == other
    assert len(set(found.rows.tolist())) == len(found.rows)
    assert part.explain(query, other).weights == (0.5,)
    near = tiny_row("space-2")
    one, two = STORES.columns.content_vectors[[seed, near]]
    assert part.explain(query, near).weights[0] == pytest.approx(one @ two, abs=1e-6)
    without = proposed(part, replace(query, excluded=np.array([other], np.int32)), 60)
    assert other not in without.rows


def test_content_takes_what_nobody_has_compared_yet_by_its_vector() -> None:
    seed, new = tiny_row("space-1"), tiny_row("space-2")
    about = float(np.dot(*STORES.columns.content_vectors[[seed, new]]))

    def worth(compared: int) -> float:
        view = copy(STORES.columns)
        view.alike = Alike(
            np.full((compared, 1), -1, np.int32), np.zeros((compared, 1), np.float32)
        )
        part = Content.default(replace(STORES, columns=view))
        found = proposed(part, replace(NOBODY, seed_item=seed), 60)
        return float(found.scores[found.rows == new][0])

    assert worth(new + 1) == pytest.approx(0.2 * about, rel=1e-3)
    assert worth(new) == pytest.approx(0.2 * about + about**8, rel=1e-3)
    assert worth(0) == pytest.approx(0.2 * about, rel=1e-3)  # nothing was compared with anything


@pytest.mark.parametrize("part", [Covisit, Content, PopularInGenre])
def test_a_seed_item_counts_instead_of_the_history(part: Any) -> None:
    seeded = replace(COMEDY, seed_item=tiny_row("space-1"))
    assert genres(part, seeded, 6) == {"space"}


@pytest.mark.parametrize("part", [Covisit, Content])
def test_beside_a_seed_item_likeness_is_the_reason(part: Any) -> None:
    seeded = replace(NOBODY, seed_item=tiny_row("space-1"))
    assert why(part, seeded, "space-2").kind == "similar_to_item"
    assert why(part, seeded, "space-2").rows == (tiny_row("space-1"),)


def test_covisit_says_because_of_which_items_and_how_much_each_gave() -> None:
    found = proposed(Covisit.default(STORES), COMEDY, 60)
    row, past = int(found.rows[0]), STORES.covisit.scaled(COMEDY.about(20))
    [(rows, parts)] = STORES.covisit.shares(past, found.rows[:1], 20)
    reason = Covisit.default(STORES).explain(COMEDY, row)
    assert reason.kind == "because_of_items"
    assert set(reason.rows) <= set(COMEDY.user.history.tolist())
    assert list(reason.weights) == sorted(reason.weights, reverse=True)
    assert sum(parts) == pytest.approx(1.0)
    assert (reason.rows, reason.weights) == (rows[:3], parts[:3])


def test_content_names_the_nearest_of_the_last_items() -> None:
    reason = why(Content, COMEDY, "comedy-1")
    near = COMEDY.about(5)
    content = STORES.columns.content_vectors
    likeness = content[near] @ content[tiny_row("comedy-1")]
    assert reason.rows == (int(near[np.argmax(likeness)]),)


def test_popularity_is_the_same_for_everybody_but_for_the_segment() -> None:
    assert names(Popular, COMEDY) == names(Popular, NOBODY)
    assert names(PopularInSegment, NOBODY) == []
    counted = set(names(PopularInSegment, COMEDY))
    of_segment, _ = STORES.boards.segment(COMEDY.user.segment, 60)
    assert counted == set(tiny_names(of_segment))


def test_popular_in_genre_names_the_genre() -> None:
    assert why(PopularInGenre, COMEDY, "comedy-1").trait == "comedy"
    assert why(PopularInGenre, COMEDY, "space-1").trait == ""


def test_popular_in_genre_follows_as_many_genres_as_it_is_told_strongest_first() -> None:
    rows = np.array([tiny_row(n) for n in ("space-1", "comedy-1", "comedy-2")], np.int32)
    signals = np.full(3, int(Signal.ENGAGED), np.uint8)
    both = replace(NOBODY, user=replace(NOBODY.user, history=rows, signals=signals))
    part = PopularInGenre.default(STORES)
    found = [name.partition("-")[0] for name in tiny_names(proposed(part, both, 60).rows)]
    assert set(found) == {"comedy", "space"}
    assert found[0] == "comedy"
    one = proposed(replace(part, genres=1), both, 60).rows
    assert {name.partition("-")[0] for name in tiny_names(one)} == {"comedy"}


def test_trending_is_a_board() -> None:
    rows, _ = STORES.boards.top("trending", 60)
    assert names(Trending, NOBODY) == tiny_names(rows)


def test_fresh_items_come_newest_first_but_by_taste_where_there_is_one() -> None:
    newest_first = names(Fresh, NOBODY)
    published = STORES.columns.published[[tiny_row(name) for name in newest_first]]
    assert (np.diff(published) <= 0).all()
    assert [name.partition("-")[0] for name in names(Fresh, COMEDY, 20)[:5]] == ["comedy"] * 5
    assert "drama-9" not in newest_first, "it is not published yet"


def test_anything_reaches_every_servable_item_of_a_small_catalogue() -> None:
    assert len(names(Anything, NOBODY)) == 58
    assert {name.partition("-")[0] for name in names(Anything, NOBODY)} == set(GENRES)


def test_anything_draws_a_share_of_a_large_catalogue_without_favourites() -> None:
    counts = np.zeros(60)
    for draw in range(600):
        query = replace(NOBODY, given=draw)
        found = proposed(Anything.default(STORES), query, 50)
        assert len(found) <= 5
        counts[found.rows] += 1
    drawn = counts[STORES.columns.servable[:60] != 0]
    assert drawn.min() > 0.5 * drawn.mean()
    assert drawn.max() < 1.6 * drawn.mean()


def test_content_of_a_catalogue_too_large_to_scan_looks_where_it_may_find_something() -> None:
    part = replace(Content.default(STORES), scan=10)
    found = {name.partition("-")[0] for name in tiny_names(proposed(part, COMEDY, 6).rows)}
    assert found == {"comedy"}


def test_content_of_a_large_catalogue_leaves_out_what_is_excluded() -> None:
    part = replace(Content.default(STORES), scan=10)
    first = proposed(part, COMEDY, 60).rows
    without = replace(COMEDY, excluded=np.sort(first[:3]))
    assert proposed(part, without, 60).rows.tolist() == first[3:].tolist()


def test_without_a_release_the_two_tower_keeps_silent() -> None:
    assert names(TwoTower, COMEDY) == []


def test_what_is_excluded_makes_room_for_what_comes_next() -> None:
    best = proposed(Popular.default(STORES), NOBODY, 5)
    without = replace(NOBODY, excluded=np.sort(best.rows))
    assert len(proposed(Popular.default(STORES), without, 5)) == 5


def test_covisit_says_of_what_nobody_chose_beside_the_seed_that_it_is_described_alike() -> None:
    columns = tiny_world().replay.columns
    seed, other = tiny_row("space-1"), tiny_row("space-2")
    nothing = covisit.Covisit.in_memory(CovisitSettings(content_weight=1.0))
    alike = nearest(columns.content_vectors, 1)
    view = copy(columns)
    view.alike = alike
    part = Covisit(nothing, view)
    query = replace(NOBODY, seed_item=seed)
    assert proposed(part, query, 60).rows[0] == alike.rows[seed, 0]
    reason = part.explain(query, other).by("covisit")
    assert (reason.kind, reason.generator) == ("similar_to_item", "content")
    content = columns.content_vectors
    assert reason.weights[0] == pytest.approx(float(content[seed] @ content[other]))
    counted = Covisit.default(STORES)
    together = int(proposed(counted, query, 1).rows[0])
    assert counted.explain(query, together).by("covisit").generator == "covisit"
