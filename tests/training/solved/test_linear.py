"""What the item filter learns, against the equations written out."""

import numpy as np
import pytest

from palate.training.solved import linear as learning
from palate.training.solved.histories import from_lists
from palate.training.solved.linear import LinearPlan, ease, fit, recent, rp3beta, together

DICE = np.random.Generator(np.random.PCG64(5))
ITEMS = 12
LISTS = [DICE.permutation(ITEMS)[: DICE.integers(1, 7)].astype(np.int32) for _ in range(40)]
HISTORIES = from_lists(LISTS, ITEMS)
TAKEN = np.zeros((len(LISTS), ITEMS))
for user, taken in enumerate(LISTS):
    TAKEN[user, taken] = 1.0


def test_ease_is_the_inverse_of_the_regularised_gram_over_its_diagonal() -> None:
    inverse = np.linalg.inv(TAKEN.T @ TAKEN + 3.0 * np.eye(ITEMS))
    expected = -inverse / np.diag(inverse)[None, :]
    np.fill_diagonal(expected, 0.0)
    np.testing.assert_allclose(ease(HISTORIES, 3.0), expected, atol=1e-5)


def test_rp3beta_is_a_walk_of_three_steps_that_holds_popular_items_down() -> None:
    counts, lengths = TAKEN.sum(axis=0), TAKEN.sum(axis=1)
    walk = (TAKEN / counts).T @ (TAKEN / lengths[:, None]) / counts[None, :] ** 0.4
    np.fill_diagonal(walk, 0.0)
    np.testing.assert_allclose(dense(rp3beta(HISTORIES, 0.4, ITEMS)), walk, atol=1e-6)


@pytest.mark.parametrize("cells", [1 << 25, 5 * ITEMS])
def test_together_counts_people_who_took_both(cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "CELLS", cells)
    counts = TAKEN.sum(axis=0)
    both = TAKEN.T @ TAKEN / (np.outer(counts, counts) ** 0.2 + 10.0)
    np.fill_diagonal(both, 0.0)
    np.testing.assert_allclose(dense(together(HISTORIES, 0.2, ITEMS)), both, atol=1e-6)


def dense(table: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """The table as a matrix."""
    out = np.zeros((ITEMS, ITEMS))
    for row, (others, weights) in enumerate(zip(*table, strict=True)):
        out[row, others[others >= 0]] = weights[others >= 0]
    return out


def test_the_average_user_is_the_mean_of_all_users_scores() -> None:
    model = fit(HISTORIES, LinearPlan("ease", 3.0))
    mean = np.mean([model.score(taken) for taken in LISTS], axis=0)
    np.testing.assert_allclose(model.table.average, mean, atol=1e-5)


def test_only_the_weightiest_neighbours_are_kept() -> None:
    whole = ease(HISTORIES, 3.0)
    held = fit(HISTORIES, LinearPlan("ease", 3.0), neighbours=4).table
    for row in range(ITEMS):
        strongest = np.sort(np.abs(whole[row]))[::-1][:4]
        assert np.abs(held.weights[row]).tolist() == pytest.approx(strongest.tolist())


def test_the_longest_histories_are_cut_to_their_newest_items() -> None:
    cut = recent(from_lists([np.arange(5, dtype=np.int32), np.array([7], np.int32)], 9), 3)
    assert [cut.of(0).tolist(), cut.of(1).tolist()] == [[2, 3, 4], [7]]
