"""Importance: what decides is worth more than what does not."""

import numpy as np

from palate.features.vector import defaults, offered
from palate.models.ranker import HEADS
from palate.settings import Settings
from palate.training.ranking.importance import LISTS, measure
from palate.training.ranking.lambdamart import fit_trees
from palate.training.ranking.lists import RankedList

NAMES = offered(("covisit",))
DECIDES, EMPTY = NAMES.index("content_last"), NAMES.index("shown_before")


def lists(count: int = 100, items: int = 40) -> list[RankedList]:
    """Whoever's content is nearest is taken; nobody was ever shown anything."""
    dice = np.random.default_rng(9)
    made = []
    for user in range(count):
        features = dice.normal(size=(items, len(NAMES))).astype(np.float32)
        features[:, EMPTY] = defaults(NAMES)[EMPTY]
        labels = np.zeros((items, len(HEADS)), np.float32)
        labels[np.argsort(-features[:, DECIDES])[:4], 0] = 1.0
        rows, every = np.arange(items, dtype=np.int32), np.arange(items)
        ranks = np.ones((items, 1), np.int16)
        made.append(RankedList(user, 0.0, rows, ranks, labels, 4, every, features, 1.0))
    return made


def test_what_decides_is_worth_most_and_what_never_varies_nothing() -> None:
    history = lists()
    settings = Settings()
    trees = fit_trees(history, settings.training)
    found = measure(trees, history, NAMES, settings)
    worth = {name: each.importance for name, each in found.items()}
    assert len(history) > LISTS
    assert max(worth, key=lambda name: worth[name] or 0.0) == "content_last"
    assert (worth["content_last"] or 0.0) > 0.3
    assert worth["shown_before"] == 0.0
    assert found["shown_before"].missing == 1.0
    assert found["content_last"].missing == 0.0


def test_without_lists_nothing_is_measured() -> None:
    assert measure(fit_trees(lists(20), Settings().training), [], NAMES, Settings()) == {}
