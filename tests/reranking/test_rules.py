"""What each rule does to a page."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from palate.funnel.types import Query, Slate
from palate.reranking.at_most import AtMost
from palate.reranking.boost_fresh import BoostFresh
from palate.reranking.diversify import Diversify
from palate.testing.queries import shared, slates, with_columns
from palate.testing.tiny import DAY, NOW, tiny_row, tiny_stores, tiny_world


def query(size: int = 10) -> Query:
    return tiny_world().query(size=size)


def slate_of(*items: str) -> Slate:
    rows = np.array([tiny_row(item) for item in items], np.int32)
    return Slate(rows, np.linspace(1, 0.5, len(rows), dtype=np.float32))


def genres(slate: Slate) -> list[int]:
    """Codes of each one's first category; -1 for none."""
    codes: list[int] = slate.columns["categories"][:, 0].tolist()
    return codes


ACTION_FIRST = slate_of(*(f"action-{n}" for n in range(8)), "drama-1", "space-1", "comedy-1")


def test_diversify_mixes_what_is_alike() -> None:
    rule = Diversify(strength=2.0)
    page = rule.apply(query(6), with_columns(rule, ACTION_FIRST))
    assert page.rows[0] == ACTION_FIRST.rows[0], "the best stays the best"
    assert len(set(genres(page.top(6)))) == 4


def test_diversify_without_strength_changes_nothing() -> None:
    rule = Diversify(strength=0.0)
    page = rule.apply(query(6), with_columns(rule, ACTION_FIRST))
    assert page.rows.tolist() == ACTION_FIRST.rows.tolist()


def test_diversify_forgets_what_has_left_its_window() -> None:
    rule = Diversify(strength=0.5, window=1)
    page = rule.apply(query(8), with_columns(rule, ACTION_FIRST))
    wide = Diversify(strength=0.5, window=8).apply(query(8), with_columns(rule, ACTION_FIRST))
    assert genres(page.top(4)).count(0) > genres(wide.top(4)).count(0)


def test_diversify_goes_by_the_code_of_the_content_where_there_are_no_categories() -> None:
    slate = Slate(np.arange(4, dtype=np.int32), np.linspace(1, 0.5, 4, dtype=np.float32))
    columns = {
        "content": np.zeros((4, 64), np.float32),
        "categories": np.full((4, 8), -1, np.int16),
        "code": np.array([7, 7, 9, -1], np.int16),
    }
    page = Diversify(strength=2.0).apply(query(4), structs.replace(slate, columns=columns))
    assert page.rows.tolist() == [0, 2, 3, 1]
    columns["categories"][1, 0] = 0
    page = Diversify(strength=2.0).apply(query(4), structs.replace(slate, columns=columns))
    assert page.rows.tolist() == [0, 1, 2, 3], "a category says more than a code"


@shared
@given(slate=slates(), size=st.integers(1, 30), strength=st.sampled_from([0.05, 0.3, 2.0]))
def test_every_choice_is_the_best_that_looking_at_everything_finds(
    slate: Slate, size: int, strength: float
) -> None:
    rule = Diversify(strength=strength)
    filled = with_columns(rule, slate)
    page = rule.apply(query(size), filled)
    order = [slate.rows.tolist().index(row) for row in page.rows]
    likeness, merit = _likeness(filled, rule.category_share), _merit(slate, size)
    for step in range(min(size, len(slate))):
        window = order[:step][-rule.window :]
        values = [merit[i] + strength * np.log(_added(likeness, window, i)) for i in order[step:]]
        assert values[0] >= max(values) - 0.02 * strength
    rest = order[min(size, len(slate)) :]
    assert rest == sorted(rest), "beyond the page nothing moves"


def _merit(slate: Slate, size: int) -> np.ndarray:
    page = min(size, len(slate))
    spread = max(float(slate.scores.max() - slate.scores[page - 1]), 1e-9) if page else 1.0
    return slate.scores / spread


def _added(likeness: np.ndarray, window: list[int], item: int) -> float:
    solved = np.linalg.pinv(likeness[np.ix_(window, window)], rcond=1e-5)
    across = likeness[item, window]
    return max(1e-4, 1.0 - float(across @ solved @ across)) if window else 1.0


def _likeness(slate: Slate, share: float) -> np.ndarray:
    categories = np.zeros((len(slate), 32))
    for i, codes in enumerate(slate.columns["categories"]):
        named = codes[codes >= 0]
        np.add.at(categories[i], named % 32, np.sqrt(share / max(len(named), 1)))
    vectors = np.hstack([slate.columns["content"] * np.sqrt(1 - share), categories])
    vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    return vectors @ vectors.T


def test_at_most_so_many_of_a_genre_stand_on_the_first_screen() -> None:
    rule = AtMost("categories", cap=2, screen=5)
    page = rule.apply(query(), with_columns(rule, ACTION_FIRST))
    assert genres(page.top(5)) == [0, 0, 2, 5, 1]
    assert page.rows[5:].tolist() == ACTION_FIRST.rows[2:8].tolist(), "the surplus keeps its order"


def test_at_most_gives_way_when_there_is_nothing_else() -> None:
    rule = AtMost("categories", cap=2, screen=5)
    only = slate_of(*(f"action-{n}" for n in range(6)))
    assert rule.apply(query(), with_columns(rule, only)).rows.tolist() == only.rows.tolist()


@shared
@given(slate=slates(), cap=st.integers(1, 4), screen=st.integers(1, 12))
def test_at_most_is_kept_wherever_it_can_be(slate: Slate, cap: int, screen: int) -> None:
    rule = AtMost("categories", cap=cap, screen=screen)
    filled = with_columns(rule, slate)
    page = rule.apply(query(), filled)
    free = sum(genre < 0 for genre in genres(filled))
    could = free + np.minimum(counted(filled), cap).sum()
    if could >= min(screen, len(slate)):
        assert counted(page.top(screen)).max() <= cap


def counted(slate: Slate) -> np.ndarray:
    """How many there are of each genre."""
    return np.bincount([genre for genre in genres(slate) if genre >= 0], minlength=6)


def test_what_is_new_is_lifted_and_what_has_no_date_is_not() -> None:
    published = np.array([NOW - 300 * DAY, np.nan, NOW - DAY])
    rows, scores = np.array([1, 2, 3], np.int32), np.array([1.0, 0.9, 0.8], np.float32)
    slate = Slate(rows, scores, {"published": published})
    page = BoostFresh(lift=2.0).apply(query(), slate)
    assert page.rows.tolist() == [3, 1, 2]
    assert page.scores[1:].tolist() == scores[:2].tolist()
    assert BoostFresh(lift=0.0).apply(query(), slate).rows.tolist() == [1, 2, 3]


def test_a_date_in_the_future_is_no_newer_than_now() -> None:
    published = np.array([NOW, NOW + 70 * DAY, np.nan])
    slate = Slate(
        np.array([1, 2, 3], np.int32),
        np.array([1.0, 0.5, 0.0], np.float32),
        {"published": published},
    )
    page = BoostFresh(lift=1.0).apply(query(), slate)
    assert page.scores.tolist() == [2.0, 1.5, 0.0]


def test_newness_fades_with_its_half_life() -> None:
    published = np.array([np.nan, NOW - 7 * DAY])
    slate = Slate(
        np.array([1, 2], np.int32), np.array([1.0, 0.0], np.float32), {"published": published}
    )
    page = BoostFresh(lift=1.0, half_life_days=7.0).apply(query(), slate)
    assert page.scores[page.rows == 2][0] == np.float32(0.5)


def test_rules_read_columns_that_there_are() -> None:
    for rule in (Diversify(), AtMost(), BoostFresh()):
        assert tiny_stores().columns.read(np.array([0], np.int32), rule.reads)
    assert replace(query(), size=1).size == 1
