"""Importance: what decides is worth more than what does not."""

from dataclasses import replace

import numpy as np
from tests.training.ranking.test_network import NAMES as SHARED
from tests.training.ranking.test_network import NOTHING, VOTES, history, quietly

from palate.features.vector import defaults, offered
from palate.models.ranker import HEADS
from palate.settings import Settings, TrainingSettings
from palate.training.ranking.fitting import Recipe, fit_ranker
from palate.training.ranking.importance import ITEMS, LISTS, _cut, _network, measure
from palate.training.ranking.lambdamart import fit_trees
from palate.training.ranking.lists import RankedList

NAMES = offered(("covisit",))
DECIDES, EMPTY = NAMES.index("content_last"), NAMES.index("shown_before")


def lists(count: int = 160, items: int = 40) -> list[RankedList]:
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
    past, settings = lists(), Settings()
    trees = fit_trees(past, settings.training)
    found = measure(trees, past, NAMES, settings)
    worth = {name: each.importance for name, each in found.items()}
    assert len(past) > LISTS
    assert max(worth, key=lambda name: worth[name] or 0.0) == "content_last"
    assert (worth["content_last"] or 0.0) > 0.3
    assert worth["shown_before"] == 0.0
    assert found["shown_before"].missing == 1.0
    assert found["content_last"].missing == 0.0


def test_who_took_much_is_asked_about_as_few_candidates_as_anybody() -> None:
    [each] = lists(1, 120)
    each.labels[:100, 0] = 1.0
    cut = _cut(each, np.random.default_rng(1))
    assert len(cut.rows) == len(cut.features) == len(cut.kept) == ITEMS
    assert cut.relevant == cut.labels[:, 0].sum() == ITEMS // 2
    np.testing.assert_array_equal(cut.features, each.features[cut.rows])


def test_a_network_reads_a_shuffled_column_as_if_the_lists_had_it_so() -> None:
    made = history()[50:]
    fitted = fit_ranker(history()[:50], [], Recipe(VOTES, NOTHING), TrainingSettings(), quietly)
    rows = np.concatenate([each.features for each in made])
    order = np.random.default_rng(2).permutation(len(rows))
    ends = np.cumsum([len(each.kept) for each in made])[:-1]
    scored = _network(fitted, made)
    for at in (*VOTES, SHARED.index("content_last"), SHARED.index("shown_before")):
        changed = rows.copy()
        changed[:, at] = rows[order, at]
        told = [
            replace(each, features=part)
            for each, part in zip(made, np.split(changed, ends), strict=True)
        ]
        np.testing.assert_allclose(scored(at, order), fitted.raw(told), atol=1e-5)


def test_without_lists_nothing_is_measured() -> None:
    assert measure(fit_trees(lists(20), Settings().training), [], NAMES, Settings()) == {}
