"""The ranker's network: where it starts from, what it listens to, what it promises."""

import numpy as np
import pytest
import torch

from palate.arrays import Floats
from palate.features.vector import offered
from palate.funnel.types import Pool
from palate.funnel.worth import SENSIBLE, worth
from palate.models.ranker import HEADS, RankerFacts, RankerModel
from palate.settings import TrainingSettings
from palate.training.export import export_ranker
from palate.training.ranking.calibration import calibrate
from palate.training.ranking.lists import RankedList
from palate.training.ranking.network import RankerNetwork, fit_ranker

GENERATORS = tuple(name for name, weight in SENSIBLE.items() if weight > 0)
NAMES = offered(GENERATORS)
VOTES = {NAMES.index(f"{name}_rank"): SENSIBLE[name] for name in GENERATORS}
UNSEEN = ("shown_before", "shown_in_vain", "item_click_rate_7d", "user_shown_30d", "trending_rank")
"""Features that a history of ratings alone does not move."""


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
    network = fit_ranker(lists[:50], lists[50:], VOTES, settings, quietly).network
    means = np.concatenate([each.features for each in lists]).mean(axis=0)
    facts = RankerFacts(features=NAMES, means=tuple(map(float, means)), knots={})
    folder = tmp_path_factory.mktemp("ranker")
    export_ranker(folder, network, facts)
    return RankerModel.load(folder)


def test_before_it_has_learnt_anything_it_orders_as_fusion_does() -> None:
    ranks, features = ranked(np.random.default_rng(1))
    network = RankerNetwork(features, VOTES).eval()
    torch.nn.init.zeros_(network.heads.weight)
    with torch.inference_mode():
        scores = network(torch.from_numpy(features)).numpy()
    pool = Pool(np.arange(len(ranks), dtype=np.int32), np.zeros_like(features), ranks, GENERATORS)
    fused = worth(pool, SENSIBLE).sum(axis=1)
    for head in range(len(HEADS)):
        assert (
            np.argsort(-scores[:, head], kind="stable").tolist()
            == np.argsort(-fused, kind="stable").tolist()
        )


def test_what_it_learnt_and_what_the_generators_say_both_count(served: RankerModel) -> None:
    _, features = ranked(np.random.default_rng(9))
    features[:, [NAMES.index(name) for name in UNSEEN]] = 0.0
    plain = served.predict(features)[:, 0]
    for name, value in (("content_last", 3.0), ("two_tower_rank", 1.0)):
        better = features.copy()
        better[:, NAMES.index(name)] = value
        assert (served.predict(better)[:, 0] > plain).mean() > 0.9


def test_what_never_varied_in_training_moves_no_score_in_life(served: RankerModel) -> None:
    _, features = ranked(np.random.default_rng(9))
    features[:, [NAMES.index(name) for name in UNSEEN]] = 0.0
    plain = served.predict(features)
    for name in UNSEEN:
        moved = features.copy()
        moved[:, NAMES.index(name)] = np.linspace(0.0, 5.0, len(moved))
        np.testing.assert_array_equal(served.predict(moved), plain)


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
