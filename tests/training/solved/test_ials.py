"""Alternating least squares: every step lowers the loss, and content carries over to new items."""

import numpy as np

from palate.models.ials import IalsFacts, penalty_of
from palate.training.solved.histories import from_lists
from palate.training.solved.ials import fit
from palate.training.solved.stage import factors

DICE = np.random.Generator(np.random.PCG64(11))
GROUPS, EACH, USERS = 4, 12, 80
ITEMS = GROUPS * EACH
HIDDEN = np.arange(0, ITEMS, EACH) + EACH - 1
"""The last item of each group is taken by nobody in training."""
LISTS = [
    (DICE.permutation(EACH - 1)[:6] + EACH * (user % GROUPS)).astype(np.int32)
    for user in range(USERS)
]
HISTORIES = from_lists(LISTS, ITEMS)
FACTS = IalsFacts(dim=8, unobserved=0.3, regularization=0.1, exponent=0.5)
NO_CONTENT = np.zeros((ITEMS, 64), np.float32)
CONTENT = np.zeros((ITEMS, 64), np.float32)
CONTENT[np.arange(ITEMS), np.arange(ITEMS) // EACH] = 1.0


def loss(epochs: int) -> float:
    model = fit(HISTORIES, NO_CONTENT, FACTS, epochs)
    items = model.table.vectors.astype(np.float64)
    total = 0.0
    for taken in LISTS:
        user = model.user_vector(taken[::-1])
        assert user is not None
        scores = items @ user
        total += ((1 - scores[taken]) ** 2).sum() + FACTS.unobserved * (scores**2).sum()
        away = user - model.table.average
        total += penalty_of(FACTS, len(taken), ITEMS) * (away @ away)
    counts = HISTORIES.counts()
    penalties = [penalty_of(FACTS, int(n), USERS) for n in counts]
    return float(total + (np.array(penalties) * (items**2).sum(axis=1)).sum())


def test_more_epochs_lower_the_loss() -> None:
    losses = [loss(epochs) for epochs in (1, 2, 4, 8)]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.9 * losses[0]


def test_a_taste_finds_the_rest_of_its_group() -> None:
    model = fit(HISTORIES, NO_CONTENT, FACTS)
    scores = model.score(np.array([0, 1], np.int32))
    assert set(np.argsort(-scores)[: EACH - 1].tolist()) == set(range(EACH - 1))


def test_items_that_nobody_took_are_found_through_content_and_only_through_it() -> None:
    """The checkerboard's promise for new items: right group first, against lots of one in four."""
    without = fit(HISTORIES, NO_CONTENT, FACTS)
    model = fit(HISTORIES, CONTENT, FACTS)
    assert not without.table.vectors[HIDDEN].any()
    for group in range(GROUPS):
        history = np.arange(3, dtype=np.int32) + EACH * group
        hidden = model.score(history)[HIDDEN]
        assert int(np.argmax(hidden)) == group
        assert hidden[group] > 2 * np.delete(hidden, group).max()


def test_the_same_seed_gives_the_same_factors() -> None:
    once, again = (fit(HISTORIES, CONTENT, FACTS).table.vectors for _ in range(2))
    np.testing.assert_array_equal(once, again)


def test_what_is_tried_finds_tastes_in_data_of_any_density() -> None:
    """Five of 3,000 items each, as in a shop: weights that fit films found nothing at all here."""
    dice, groups, each = np.random.Generator(np.random.PCG64(3)), 100, 30
    lists = [
        (dice.permutation(each)[:5] + each * (user % groups)).astype(np.int32)
        for user in range(900)
    ]
    past, nothing = from_lists(lists, groups * each), np.zeros((groups * each, 64), np.float32)
    found = []
    for facts in factors(past, 32):
        model, alike = fit(past, nothing, facts), []
        for taken in lists[:200]:
            scores = model.score(taken[::-1])
            scores[taken] = -np.inf
            alike.append(np.mean(np.argsort(-scores)[: each - 5] // each == taken[0] // each))
        found.append(np.mean(alike))
    assert min(found) > 0.5


def test_what_is_tried_on_dense_data_is_tried_once() -> None:
    tried = factors(HISTORIES, 8)
    assert tried[0].unobserved == 1.0
    assert len(tried) == len({facts.unobserved for facts in tried}) == 2
