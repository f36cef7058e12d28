"""The linear filter as it serves: additive, mapped, and silent about what it does not know."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palate.models.linear import Linear, LinearFacts, LinearTable

TABLE = LinearTable(
    np.array([[1, 2], [0, 2], [3, -1], [2, 0]], np.int32),
    np.array([[0.5, 0.25], [0.4, -0.2], [1.0, 0.0], [0.3, 0.1]], np.float32),
    np.array([0.1, 0.2, 0.3, 0.4], np.float32),
)
HALVED = Linear(LinearFacts(fade=0.5), TABLE)
OPEN = np.ones(4, np.uint8)
NOTHING = np.empty(0, np.int32)


def rows(*given: int) -> np.ndarray:
    return np.array(given, np.int32)


def test_each_item_of_the_history_adds_its_weights_faded_by_step() -> None:
    assert HALVED.score(rows(0, 3)).tolist() == pytest.approx([0.05, 0.5, 0.25 + 0.15, 0.0])


def test_the_average_user_speaks_too_where_the_facts_say_so() -> None:
    leaning = Linear(LinearFacts(fade=0.5, prior=2.0), TABLE)
    expected = HALVED.score(rows(0, 3)) + 2.0 * TABLE.average
    assert leaning.score(rows(0, 3)).tolist() == pytest.approx(expected.tolist())
    assert not leaning.score(NOTHING).any(), "of nobody nothing is known"


def test_rows_that_came_after_the_training_say_nothing_but_keep_their_step() -> None:
    late = HALVED.score(rows(99, 0))
    assert late.tolist() == pytest.approx((HALVED.score(rows(0)) * 0.5).tolist())


def test_only_what_is_spoken_for_servable_and_not_excluded_is_proposed() -> None:
    found, scores = HALVED.candidates(rows(0, 3), OPEN, NOTHING, 9)
    assert found.tolist() == [1, 2, 0]
    assert (np.diff(scores) <= 0).all()
    closed = np.array([1, 0, 1, 1], np.uint8)
    assert HALVED.candidates(rows(0, 3), closed, rows(2), 9)[0].tolist() == [0]
    assert HALVED.candidates(rows(0, 3), OPEN, NOTHING, 1)[0].tolist() == [1]


@settings(deadline=None)
@given(st.lists(st.integers(0, 3), max_size=6), st.integers(0, 3))
def test_the_reasons_add_up_to_the_score(history: list[int], row: int) -> None:
    found, parts = HALVED.reasons(rows(*history), row, limit=9)
    positive = [
        0.5**step * weight
        for step, item in enumerate(history)
        for other, weight in zip(TABLE.rows[item], TABLE.weights[item], strict=True)
        if other == row and weight > 0
    ]
    assert sum(parts.tolist()) == pytest.approx(sum(positive), abs=1e-6)
    assert set(found.tolist()) <= set(history)


def test_what_was_saved_scores_the_same(tmp_path: Path) -> None:
    HALVED.save(tmp_path / "linear")
    again = Linear.load(tmp_path / "linear")
    assert again.facts == HALVED.facts
    assert again.score(rows(1, 2)).tolist() == HALVED.score(rows(1, 2)).tolist()


@pytest.mark.parametrize("prior", [0.0, 0.7])
def test_a_large_catalogue_is_not_looked_through_and_the_answer_is_the_same(
    monkeypatch: pytest.MonkeyPatch, prior: float
) -> None:
    dice, items = np.random.Generator(np.random.PCG64(4)), 2_000
    table = LinearTable(
        dice.integers(-1, items, (items, 12)).astype(np.int32),
        dice.normal(0.3, 0.5, (items, 12)).astype(np.float32),
        dice.normal(0.0, 0.3, items).astype(np.float32),
    )
    facts = LinearFacts(fade=0.9, prior=prior)
    servable = (dice.random(items) < 0.7).astype(np.uint8)
    dense = Linear(facts, table)
    monkeypatch.setattr("palate.models.linear.DENSE", 100)
    monkeypatch.setattr("palate.models.linear.HEAD", 700)
    sparse = Linear(facts, table)
    for _ in range(20):
        history = dice.integers(0, items + 50, 9).astype(np.int32)
        excluded = np.sort(dice.choice(items, 80, replace=False)).astype(np.int32)
        given = history, servable, excluded, 60
        rows, scores = sparse.candidates(*given)
        monkeypatch.setattr("palate.models.linear.DENSE", items)
        expected, worth = dense.candidates(*given)
        monkeypatch.setattr("palate.models.linear.DENSE", 100)
        assert rows.tolist() == expected.tolist()
        np.testing.assert_allclose(scores, worth, rtol=1e-5)
    assert not len(sparse.candidates(NOTHING, servable, NOTHING, 9)[0])
