"""The ranker's network: where it starts from, what it listens to, what it promises."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from palate.arrays import Floats
from palate.features.vector import offered
from palate.funnel.types import Pool
from palate.funnel.worth import SENSIBLE, worth
from palate.models.ranker import HEADS, RankerFacts, RankerModel, unit
from palate.settings import TrainingSettings
from palate.training.ranking.calibration import calibrate
from palate.training.ranking.export import export_ranker
from palate.training.ranking.fitting import Fitted, Recipe, fit_ranker
from palate.training.ranking.forms.served import ByRow, feed_of
from palate.training.ranking.lambdamart import fit_trees, raw_of_trees
from palate.training.ranking.lists import RankedList, ndcg, thinned
from palate.training.ranking.network import RankerNetwork, Shape, spread_of

GENERATORS = tuple(name for name, weight in SENSIBLE.items() if weight > 0)
NAMES = offered(GENERATORS)
VOTES = {NAMES.index(f"{name}_rank"): SENSIBLE[name] for name in GENERATORS}
UNSEEN = ("shown_before", "shown_in_vain", "item_click_rate_7d", "user_shown_30d", "trending_rank")
"""Features that a history of ratings alone does not move."""
NOTHING = np.zeros((0, 0), np.float32)


def quietly(phase: str, fraction: float, text: str) -> None:
    """Progress that nobody watches."""


def ranked(dice: np.random.Generator, n: int = 30) -> tuple[np.ndarray, Floats]:
    """Ranks of n candidates by each generator, and features that say the same."""
    ranks = np.stack([dice.permutation(n) + 1 for _ in GENERATORS], axis=1).astype(np.int16)
    ranks[dice.random(ranks.shape) < 0.3] = 0
    features = dice.normal(size=(n, len(NAMES))).astype(np.float32)
    for at, name in enumerate(GENERATORS):
        close = np.divide(1.0, ranks[:, at], out=np.zeros(n), where=ranks[:, at] > 0)
        features[:, NAMES.index(f"{name}_rank")] = close
    return ranks, features


def history(lists: int = 60) -> list[RankedList]:
    """Lists in which closeness of content decides, and `UNSEEN` never varies."""
    dice = np.random.default_rng(4)
    made = []
    for user in range(lists):
        ranks, features = ranked(dice)
        features[:, [NAMES.index(name) for name in UNSEEN]] = 0.0
        labels = np.zeros((len(ranks), len(HEADS)), np.float32)
        labels[features[:, NAMES.index("content_last")] > 1.0, 0] = 1.0
        rows = np.arange(len(ranks), dtype=np.int32)
        relevant, every = int(labels[:, 0].sum()), np.arange(len(ranks))
        made.append(RankedList(user, 0.0, rows, ranks, labels, relevant, every, features, 1.0))
    return made


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> RankerModel:
    lists = history()
    settings = TrainingSettings(ranker_epochs=5)
    learnt = fit_ranker(lists[:50], lists[50:], Recipe(VOTES, NOTHING), settings, quietly)
    means = np.concatenate([each.features for each in lists]).mean(axis=0)
    facts = RankerFacts(features=NAMES, means=tuple(map(float, means)), knots={}, heads=HEADS)
    folder = tmp_path_factory.mktemp("ranker")
    export_ranker(folder, learnt, facts)
    return RankerModel.load(folder)


def test_before_it_has_learnt_anything_it_orders_as_fusion_does() -> None:
    ranks, features = ranked(np.random.default_rng(1))
    network = RankerNetwork(Shape(len(NAMES)), VOTES).eval()
    torch.nn.init.zeros_(network.heads.weight)
    with torch.inference_mode():
        feed = feed_of(network, features, spread_of(features))
        scores = ByRow(network)(*map(torch.from_numpy, feed.values()))[0].numpy()
    pool = Pool(np.arange(len(ranks), dtype=np.int32), np.zeros_like(features), ranks, GENERATORS)
    fused = worth(pool, SENSIBLE).sum(axis=1)
    for head in map(HEADS.index, ("click", "view", "positive")):
        assert (
            np.argsort(-scores[:, head], kind="stable").tolist()
            == np.argsort(-fused, kind="stable").tolist()
        )


def test_what_it_learnt_and_what_the_generators_say_both_count(served: RankerModel) -> None:
    _, everything = ranked(np.random.default_rng(9))
    features = everything[:, [NAMES.index(name) for name in served.features]]
    plain = served.predict(features)[:, 0]
    for name, value in (("content_last", 3.0), ("two_tower_rank", 1.0)):
        better = features.copy()
        better[:, served.features.index(name)] = value
        assert (served.predict(better)[:, 0] > plain).mean() > 0.9


def test_what_never_varied_in_training_is_not_read(served: RankerModel) -> None:
    assert not set(UNSEEN) & set(served.features)
    assert set(served.features) | set(UNSEEN) == set(NAMES)
    assert len(served.facts.means) == len(served.features)


def test_a_few_lucky_rows_at_the_end_do_not_promise_certainty() -> None:
    dice = np.random.default_rng(6)
    raw = (dice.random(30_000) * 0.5).astype(np.float32)
    labels = (dice.random(len(raw)) < raw * 0.6).astype(np.float32)
    labels[np.argsort(raw)[-5:]] = 1.0
    knots = calibrate(raw, labels, np.ones(len(raw), np.float32))
    assert max(knots.observed) == pytest.approx(0.3, abs=0.05)
    beyond = knots.apply(np.array([0.5, 0.9, 1.0], np.float32))
    assert beyond.max() < 0.36
    assert (np.diff(knots.apply(np.linspace(0, 1, 200, dtype=np.float32))) > 0).all()


def test_a_head_that_foresees_the_contrary_is_only_scaled() -> None:
    raw = np.linspace(0.1, 0.9, 1_000).astype(np.float32)
    labels = (raw < 0.3).astype(np.float32)
    knots = calibrate(raw, labels, np.ones(len(raw), np.float32))
    assert knots.apply(raw).mean() == pytest.approx(labels.mean(), abs=1e-3)
    assert (np.diff(knots.apply(raw)) > 0).all()


def test_trees_serve_what_they_learnt_without_the_library_that_grew_them(
    tmp_path: Path,
) -> None:
    lists = history()
    trees = fit_trees(lists[:50], TrainingSettings(ranker_candidates=30))
    facts = RankerFacts(features=NAMES, means=(0.0,) * len(NAMES), knots={}, heads=HEADS)
    export_ranker(tmp_path, trees, facts)
    model = RankerModel.load(tmp_path)
    late = lists[50:]
    raw = raw_of_trees(trees, late, len(HEADS))
    rows = np.concatenate([each.features for each in late])
    np.testing.assert_allclose(model.predict(rows), raw, atol=1e-3)
    hits = np.concatenate([each.labels[:, 0] for each in late]) > 0
    assert raw[hits, 0].mean() > raw[~hits, 0].mean() + 0.1


def test_the_attention_learns_that_people_go_on_with_what_they_began() -> None:
    """Features are noise; what was taken is near to the history."""
    dice = np.random.default_rng(11)
    items = unit(dice.normal(size=(200, 8)).astype(np.float32))
    made = []
    for user in range(160):
        past = dice.choice(200, 3, replace=False).astype(np.int32)
        rows = dice.permutation(200)[:40].astype(np.int32)
        near = (items[rows] @ items[past].T).max(axis=1)
        labels = np.zeros((40, len(HEADS)), np.float32)
        labels[np.argsort(-near)[:4], 0] = 1.0
        noise = dice.normal(size=(40, 4)).astype(np.float32)
        ranks, codes = np.ones((40, 1), np.int16), np.zeros(3, np.int64)
        made.append(
            RankedList(
                user,
                0.0,
                rows,
                ranks,
                labels,
                4,
                np.arange(40),
                noise,
                1.0,
                history=past,
                outcomes=codes,
            )
        )
    settings = TrainingSettings(ranker_epochs=30)
    with_past = fit_ranker(made[:120], [], Recipe({}, items), settings, quietly)
    without = fit_ranker(made[:120], [], Recipe({}, NOTHING), settings, quietly)
    judged = made[120:]
    levels = [ndcg(judged, each.raw(judged)[:, 0]).mean() for each in (with_past, without)]
    assert levels[0] > levels[1] + 0.2


def test_thinning_keeps_what_was_taken_and_weighs_what_stands_for_others() -> None:
    one = history(1)[0]
    few = thinned(one, 15, np.random.default_rng(1))
    hits = int(one.labels[:, 0].sum())
    assert len(few.kept) == 15
    assert few.labels[few.kept, 0].sum() == hits
    assert few.weight * (15 - hits) == pytest.approx(30 - hits)
    np.testing.assert_array_equal(few.features, one.features[few.kept])


def shown(lists: int) -> list[RankedList]:
    """Pages ordered by `era_gap`, which nobody cares for: who looks, looks at the first few."""
    dice, made = np.random.default_rng(6), []
    x, y = NAMES.index("era_gap"), NAMES.index("content_last")
    for each in history(lists):
        n = len(each.rows)
        features = dice.normal(size=(n, len(NAMES))).astype(np.float32)
        place = np.empty(n, np.int16)
        place[np.argsort(-features[:, x] + dice.normal(size=n))] = np.arange(1, n + 1)
        labels = np.zeros((n, len(HEADS)), np.float32)
        labels[:, 0] = (dice.random(n) < 1.5 / place) & (features[:, y] > 0)
        made.append(replace(each, features=features, labels=labels, place=place))
    return [each for each in made if each.labels.any()]


def believed(learnt: Fitted, lists: Sequence[RankedList], name: str) -> float:
    """How much surer of a click a ranker is, in logits, where this feature is high, not low."""
    sides = []
    for value in (-1.0, 1.0):
        asked = [replace(each, features=each.features.copy()) for each in lists]
        for each in asked:
            each.features[:, NAMES.index(name)] = value
        p = np.clip(learnt.raw(asked)[:, 0], 1e-6, 1 - 1e-6).astype(np.float64)
        sides.append(float(np.log(p / (1 - p)).mean()))
    return sides[1] - sides[0]


def test_what_stood_high_was_clicked_for_that_and_not_for_what_put_it_there() -> None:
    """The tower of places takes the blame in training; nothing of it is left in an answer."""
    pages, settings = shown(800), TrainingSettings(ranker_epochs=6)
    blind = [replace(each, place=None) for each in pages]
    recipe = Recipe({}, NOTHING)
    told = fit_ranker(pages[:700], pages[700:], recipe, settings, quietly)
    misled = fit_ranker(blind[:700], blind[700:], recipe, settings, quietly)
    last = pages[700:]
    assert believed(told, last, "content_last") > 1.0
    assert believed(misled, last, "era_gap") > 1.0
    assert believed(told, last, "era_gap") < 0.5 * believed(misled, last, "era_gap")
    stood = told.network.stood.weight.detach().numpy()[:, 0]
    assert stood[0] == 0.0, "where nobody knows"
    assert stood[1:3].mean() > stood[10:20].mean() + 1.0


def test_an_answer_knows_nothing_of_places(tmp_path: Path) -> None:
    pages = shown(60)
    learnt = fit_ranker(
        pages[:40], pages[40:], Recipe({}, NOTHING), TrainingSettings(ranker_epochs=2), quietly
    )
    facts = RankerFacts(features=NAMES, means=(0.0,) * len(NAMES), knots={}, heads=HEADS)
    export_ranker(tmp_path, learnt, facts)
    served = RankerModel.load(tmp_path)
    page = pages[-1]
    features = page.features[:, [NAMES.index(name) for name in served.features]]
    plain = learnt.raw([replace(page, place=None)])
    moved = learnt.raw([replace(page, place=np.roll(page.place, 7))])  # type: ignore[arg-type]
    assert moved == pytest.approx(plain)
    assert served.predict(features) == pytest.approx(plain, abs=0.02)
    with torch.no_grad():
        learnt.network.stood.weight += 5.0
    assert learnt.raw([page]) == pytest.approx(plain)
