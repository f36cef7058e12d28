"""Fold-in is the exact minimum, and new items stand where their content puts them."""

from pathlib import Path

import numpy as np
import pytest

from palate.catalog.columns import ItemColumns
from palate.catalog.item import Item
from palate.catalog.protocol import ItemChange
from palate.models.ials import Ials, IalsFacts, IalsTable, fold_in, penalty_of

DICE = np.random.Generator(np.random.PCG64(3))
DIM, ITEMS = 8, 30
FACTS = IalsFacts(dim=DIM, unobserved=0.2, regularization=0.1, exponent=0.5, fade=0.9)
VECTORS = DICE.normal(0, 0.3, (ITEMS, DIM)).astype(np.float32)
TABLE = IalsTable(
    VECTORS,
    np.ones(ITEMS, bool),
    np.asarray(FACTS.unobserved * VECTORS.T @ VECTORS, np.float32),
    DICE.normal(0, 0.3, (65, DIM)).astype(np.float32),
    DICE.normal(0, 0.3, DIM).astype(np.float32),
)
MODEL = Ials.of(FACTS, TABLE)
HISTORY = np.array([4, 7, 11, 2], np.int32)


def loss(user: np.ndarray) -> float:
    """The training loss in terms of one user, straight from its definition."""
    trust = FACTS.fade ** np.arange(len(HISTORY))
    taken = (trust * (1 - VECTORS[HISTORY] @ user) ** 2).sum()
    away = user - TABLE.average
    everything = FACTS.unobserved * ((VECTORS @ user) ** 2).sum()
    return float(taken + everything + away @ away * penalty_of(FACTS, len(HISTORY), ITEMS))


def test_a_taste_is_the_minimum_of_the_loss_for_this_history() -> None:
    user = MODEL.user_vector(HISTORY)
    assert user is not None
    at = loss(user.astype(np.float64))
    for axis in range(DIM):
        for step in (-0.01, 0.01):
            moved = user.astype(np.float64)
            moved[axis] += step
            assert loss(moved) > at


def test_with_a_prior_and_no_evidence_folding_in_gives_the_prior_shrunk_by_the_gram_alone() -> None:
    prior = DICE.normal(0, 1, DIM).astype(np.float32)
    nobody = np.empty((0, DIM), np.float32)
    free = fold_in(np.zeros((DIM, DIM), np.float32), nobody, np.empty(0, np.float32), 2.0, prior)
    assert free.tolist() == pytest.approx(prior.tolist(), rel=1e-5)


def test_somebody_of_whom_nothing_is_known_has_no_taste() -> None:
    assert MODEL.user_vector(np.array([77], np.int32)) is None
    assert not MODEL.score(np.empty(0, np.int32)).any()


def catalogue(late: int) -> ItemColumns:
    columns = ItemColumns.in_memory()
    columns.write(
        [
            ItemChange(row + 1, row, f"i{row}", Item(item_id=f"i{row}", title=f"tale {row % 3}"))
            for row in range(ITEMS + late)
        ]
    )
    return columns


def test_an_item_that_came_later_is_found_through_its_content() -> None:
    columns = catalogue(late=1)
    vectors, usable = MODEL.item_vectors(np.array([ITEMS, 500], np.int32), columns)
    assert usable.tolist() == [True, False]
    expected = columns.content_vectors[ITEMS] @ TABLE.content[:-1] + TABLE.content[-1]
    assert vectors[0].tolist() == pytest.approx(expected.tolist(), rel=1e-5)
    every, _ = MODEL.candidates(HISTORY, columns, np.empty(0, np.int32), ITEMS + 1)
    taste = MODEL.user_vector(HISTORY, columns)
    assert taste is not None
    assert (ITEMS in every.tolist()) == bool(taste @ expected > 0)


def test_candidates_are_servable_not_excluded_and_best_first() -> None:
    columns = catalogue(late=0)
    columns.servable[3] = 0
    everything, _ = MODEL.candidates(HISTORY, columns, np.empty(0, np.int32), ITEMS)
    excluded = np.sort(everything[:2])
    found, scores = MODEL.candidates(HISTORY, columns, excluded, ITEMS)
    assert found.tolist() == everything[2:].tolist()
    assert 3 not in found
    assert (np.diff(scores) <= 0).all()


def test_what_was_saved_is_the_same_model(tmp_path: Path) -> None:
    MODEL.save(tmp_path / "ials")
    again = Ials.load(tmp_path / "ials")
    assert again.facts == FACTS
    assert again.score(HISTORY).tolist() == MODEL.score(HISTORY).tolist()
