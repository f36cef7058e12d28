"""Network and trees together: one mean, the same in training and as it is served."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
from tests.training.ranking.test_network import NAMES, NOTHING, VOTES, history, quietly

from palate.models.ranker import HEADS, RankerFacts, RankerModel
from palate.settings import Settings, TrainingSettings
from palate.training.ranking.blend import Blend
from palate.training.ranking.export import export_ranker
from palate.training.ranking.fitting import Recipe
from palate.training.ranking.folds import kinds, learn_all
from palate.training.ranking.forms.quantise import Reading, quantise
from palate.training.ranking.importance import measure
from palate.training.ranking.lists import ndcg

SETTINGS = TrainingSettings(ranker_candidates=30)
FACTS = RankerFacts(features=NAMES, means=(0.0,) * len(NAMES), knots={}, heads=HEADS)


@cache
def learnt() -> Blend:
    past, recipe = history()[:50], Recipe(VOTES, NOTHING)
    found = learn_all(["blend"], past, [], recipe, SETTINGS, quietly)
    assert list(found) == ["blend"]
    blend = found["blend"]
    assert isinstance(blend, Blend)
    return blend


def test_a_blend_serves_what_it_was_judged_by(tmp_path: Path) -> None:
    facts = export_ranker(tmp_path, learnt(), FACTS)
    columns = [NAMES.index(name) for name in facts.features]
    late = history()[50:]
    rows = np.concatenate([each.features for each in late])[:, columns]
    served = RankerModel.load(tmp_path).predict(rows)
    np.testing.assert_allclose(served, learnt().raw(late), atol=1e-3)
    assert served[:, 0].std() > 0.005


def test_columns_that_only_the_trees_read_come_behind_the_networks(tmp_path: Path) -> None:
    blend, only = learnt(), NAMES.index("shown_before")
    assert only not in blend.network.reads
    feature = blend.trees.feature.copy()
    feature[np.flatnonzero(feature >= 0)[0]] = only
    turned = Blend(blend.network, replace(blend.trees, feature=feature), blend.mix)
    facts = export_ranker(tmp_path, turned, FACTS)
    width = len(blend.network.reads)
    assert facts.features[:width] == tuple(NAMES[at] for at in blend.network.reads)
    assert "shown_before" in facts.features[width:]
    columns = [NAMES.index(name) for name in facts.features]
    rows = np.concatenate([each.features for each in history()[50:]])
    rows[::2, only] = 9.0
    told = RankerModel.load(tmp_path).predict(rows[:, columns])
    expected = turned.trees(rows)
    np.testing.assert_array_equal(turned.trees.reading(columns)(rows[:, columns]), expected)
    assert np.isfinite(told).all()


def test_both_speak_on_one_scale_and_what_follows_a_click_keeps_its_chance() -> None:
    late, blend = history()[50:], learnt()
    alone, both = blend.network.raw(late), blend.raw(late)
    scores = blend.trees(np.concatenate([each.features for each in late]))
    logit, mixed = (np.log(p[:, 0] / (1 - p[:, 0])) for p in (alone, both))
    share = blend.mix.share
    told = (1 - share) * logit + share * (blend.mix.scale * scores + blend.mix.shift)
    np.testing.assert_allclose(mixed, told, atol=1e-4)
    np.testing.assert_allclose(both[:, 1] / both[:, 0], alone[:, 1] / alone[:, 0], rtol=1e-4)
    np.testing.assert_array_equal(both[:, 3], alone[:, 3])
    assert ndcg(late, both[:, 0]).mean() > 0.6


def test_eight_bits_are_judged_with_the_trees_beside_them(tmp_path: Path) -> None:
    facts = export_ranker(tmp_path, learnt(), FACTS)
    columns = [NAMES.index(name) for name in facts.features]
    read = Reading(columns, Settings().ranking.value)
    told = quantise(tmp_path, learnt().network, history()[50:], read)
    assert abs(told["ranker/int8/loss"]) < 0.1


def test_a_blend_knows_what_each_feature_is_worth() -> None:
    found = measure(learnt(), history()[50:], NAMES, Settings())
    worth = {name: each.importance or 0.0 for name, each in found.items()}
    assert max(worth, key=worth.__getitem__) == "content_last"


def test_the_wish_is_tried_everywhere_and_the_others_on_the_last_part() -> None:
    assert kinds(TrainingSettings(), last=False) == ("blend",)
    assert kinds(TrainingSettings(ranker="network"), last=True)[0] == "network"
    assert set(kinds(TrainingSettings(ranker="auto"), last=False)) == {
        "network",
        "lambdamart",
        "blend",
    }
