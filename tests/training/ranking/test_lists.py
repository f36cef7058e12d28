"""Lists, gate and calibration: the numbers that decide what ships."""

from dataclasses import replace

import numpy as np
import pytest

from palate.models.ranker import HEADS
from palate.releases.manifest import Verdict
from palate.training.gate import LESS, judge_ranker, judge_tower, paired
from palate.training.ranking.calibration import calibrate, reliability
from palate.training.ranking.fitting import Fitted, lay_out, row_weights
from palate.training.ranking.fusion import _searched, fit_fusion, fusion_scores, sensible
from palate.training.ranking.lists import RankedList, ndcg
from palate.training.ranking.network import RankerNetwork, Shape, spread_of

NAMES = ("good", "bad")


def listed(
    labels: list[int], ranks: list[tuple[int, int]], user: int = 1, relevant: int | None = None
) -> RankedList:
    n = len(labels)
    heads = np.zeros((n, len(HEADS)), np.float32)
    heads[:, 0] = labels
    return RankedList(
        user,
        0.0,
        np.arange(n, dtype=np.int32),
        np.array(ranks, np.int16),
        heads,
        sum(labels) if relevant is None else relevant,
        np.arange(n),
        np.zeros((n, 2), np.float32),
        1.0,
    )


def test_ndcg_is_that_of_the_textbook() -> None:
    one = listed([0, 1, 0, 1], [(1, 0)] * 4)
    two = listed([1, 0], [(1, 0)] * 2, relevant=3)
    scores = np.array([4, 3, 2, 1, 5, 6], np.float32)
    ideal = 1 + 1 / np.log2(3)
    first = (1 / np.log2(3) + 1 / np.log2(5)) / ideal
    second = (1 / np.log2(3)) / (ideal + 1 / np.log2(4))
    np.testing.assert_allclose(ndcg([one, two], scores), [first, second])


def test_ties_are_broken_by_place_and_what_is_beyond_ten_counts_nothing() -> None:
    level = listed([0] * 10 + [1], [(1, 0)] * 11)
    assert ndcg([level], np.zeros(11, np.float32)).tolist() == [0.0]
    level = listed([0] * 9 + [1, 0], [(1, 0)] * 11)
    assert ndcg([level], np.zeros(11, np.float32)) == pytest.approx(1 / np.log2(11))


@pytest.mark.parametrize("seed", range(5))
def test_ndcg_is_that_of_sorting_everything(seed: int) -> None:
    dice = np.random.default_rng(seed)
    lists = [
        listed(dice.integers(0, 2, n).tolist(), [(1, 0)] * n, relevant=n)
        for n in dice.integers(1, 60, 8).tolist()
    ]
    scores = [dice.integers(0, 6, len(each.rows)).astype(np.float32) for each in lists]
    wanted = []
    for each, own in zip(lists, scores, strict=True):
        gains = 1 / np.log2(np.arange(len(own)) + 2)
        hits = each.labels[np.argsort(-own, kind="stable"), 0]
        wanted.append((hits * gains)[:10].sum() / gains[: min(each.relevant, 10)].sum())
    np.testing.assert_allclose(ndcg(lists, np.concatenate(scores)), wanted)


def test_fusion_learns_which_generator_to_trust() -> None:
    dice = np.random.default_rng(0)
    lists = []
    for n in range(60):
        labels = np.zeros(12, int)
        labels[dice.integers(0, 4)] = 1
        bad = dice.permutation(12) + 1
        lists.append(listed(labels.tolist(), [(i + 1, int(bad[i])) for i in range(12)], user=n))
    weights = fit_fusion(lists[:40], lists[40:], NAMES, 1)
    assert weights["good"] > 2 * weights["bad"]
    even = ndcg(lists, fusion_scores(lists, NAMES, {"good": 0.3, "bad": 0.3})).mean()
    assert ndcg(lists, fusion_scores(lists, NAMES, weights)).mean() >= even


def test_weights_that_only_suit_the_rows_they_were_fitted_on_are_not_taken() -> None:
    """Noise: a search finds something on any rows, and it means nothing on others."""
    dice = np.random.default_rng(7)
    lists = []
    for n in range(80):
        labels = (dice.random(12) < 0.2).astype(int)
        ranks = [
            (int(a) + 1, int(b) + 1)
            for a, b in zip(*(dice.permutation(12) for _ in "ab"), strict=True)
        ]
        lists.append(listed(labels.tolist(), ranks, user=n, relevant=max(int(labels.sum()), 1)))
    assert fit_fusion(lists[:40], lists[40:], NAMES, 1) == sensible(NAMES)
    assert sensible(("covisit", "unheard of")) == {"covisit": 1.0, "unheard of": 0.3}


@pytest.mark.parametrize("seed", range(6))
def test_fusion_is_not_below_one_of_its_own_parts_on_what_it_learnt_from(seed: int) -> None:
    """Many that agree with one another are often wrong together; one alone knows better."""
    dice, names = np.random.default_rng(seed), tuple("abcdefghijklmnop")
    lists = []
    for n in range(60):
        hit, crowd = int(dice.integers(0, 30)), dice.permutation(30)
        orders = [crowd + 1 for _ in names[1:]]
        one = np.argsort(np.argsort(dice.normal(0, 1, 30) - 2.5 * (np.arange(30) == hit))) + 1
        ranks = list(zip(one.tolist(), *(each.tolist() for each in orders), strict=True))
        lists.append(listed([int(i == hit) for i in range(30)], ranks, user=n))
    weights = _searched(lists, names, dict.fromkeys(names, 1.0))
    alone = ndcg(lists, fusion_scores(lists, names, {n: float(n == "a") for n in names})).mean()
    assert ndcg(lists, fusion_scores(lists, names, weights)).mean() >= alone


def of_newcomers(wanted: int) -> list[RankedList]:
    """Newcomers want what one generator says, everybody else what the other says."""
    dice = np.random.default_rng(1)
    lists = []
    for n in range(400):
        new = n % 2 == 0
        hit, orders = int(dice.integers(0, 12)), [dice.permutation(12) + 1 for _ in "ab"]
        orders[wanted if new else 1 - wanted][hit] = 1
        labels = [int(i == hit) for i in range(12)]
        ranks = [(int(a), int(b)) for a, b in zip(*orders, strict=True)]
        each = listed(labels, ranks, user=int(dice.integers(0, 1 << 40)))
        lists.append(replace(each, known=3.0 if new else 50.0, idle=60.0))
    return lists


@pytest.mark.parametrize("wanted", [0, 1])
def test_a_kind_of_visit_gets_weights_of_its_own_where_they_find_more(wanted: int) -> None:
    lists = of_newcomers(wanted)
    weights = fit_fusion(lists[:200], lists[200:], NAMES, 1)
    own, other = NAMES[wanted], NAMES[1 - wanted]
    assert weights[f"newcomer/{own}"] > weights[f"newcomer/{other}"]
    assert weights.get(f"within/{other}", 1.0) > weights.get(f"within/{own}", 0.0)
    everybody = {name: weights[name] for name in NAMES}
    late = [each for each in lists[200:] if each.visit == "newcomer"]
    both = [ndcg(late, fusion_scores(late, NAMES, w)).mean() for w in (weights, everybody)]
    assert both[0] > both[1]


def test_the_gate_passes_a_clear_gain_and_says_so() -> None:
    users = np.repeat(np.arange(40, dtype=np.uint64), 3)
    better = np.full(120, 0.30)
    against = {"fusion": better - 0.05, "popular": better - 0.1}
    best, verdict = judge_ranker({"trees": better - 0.01, "network": better}, against, users, 1)
    assert best == "network"
    assert verdict.shipped
    assert "It ships" in verdict.sentence
    assert "40 users" in verdict.sentence


def test_the_gate_refuses_a_gain_that_may_be_luck_and_says_what_happens_instead() -> None:
    dice = np.random.default_rng(3)
    users = np.arange(40, dtype=np.uint64)
    fusion = np.full(40, 0.3)
    lucky = fusion + dice.normal(0, 0.2, 40) + 0.001
    _, verdict = judge_ranker({"network": lucky}, {"fusion": fusion}, users, 1)
    assert not verdict.shipped
    assert "weighted fusion" in verdict.sentence


def test_the_gate_refuses_a_tie() -> None:
    users, level = np.arange(40, dtype=np.uint64), np.full(40, 0.3)
    assert not judge_ranker({"network": level}, {"fusion": level}, users, 1)[1].shipped


def test_a_ranker_that_what_only_counts_outdoes_does_not_ship() -> None:
    users, level = np.arange(40, dtype=np.uint64), np.full(40, 0.3)
    against = {"fusion": level - 0.05, "covisit": level + 0.01}
    _, verdict = judge_ranker({"network": level}, against, users, 1)
    assert not verdict.shipped
    assert "of covisit" in verdict.sentence


@pytest.mark.parametrize("rival", ["rrf", "two_tower", "popular"])
def test_a_ranker_that_beats_fusion_ships_unless_another_baseline_surely_beats_it(
    rival: str,
) -> None:
    dice = np.random.default_rng(3)
    users, level = np.arange(40, dtype=np.uint64), np.full(40, 0.3)
    own = level + dice.normal(0, 0.2, 40)
    own += 0.299 - own.mean()
    against = {"fusion": own - 0.1, rival: level, "fresh": level - 0.2}
    _, verdict = judge_ranker({"network": own}, against, users, 1)
    assert verdict.numbers["over_best/mean"] == pytest.approx(-0.001)
    assert verdict.numbers["over_best/high"] > 0 < verdict.numbers["low"]
    assert verdict.shipped, "it cannot be told apart, and fusion would be surely worse"
    against[rival] = own + 0.05
    _, verdict = judge_ranker({"network": own}, against, users, 1)
    assert not verdict.shipped
    against[rival] = own - 0.05
    _, verdict = judge_ranker({"network": own}, against, users, 1)
    assert verdict.shipped
    name = "plain reciprocal ranks" if rival == "rrf" else rival
    assert f"of {name} alone" in verdict.sentence
    assert f"over {name}. It ships." in verdict.sentence


def test_users_count_equally_however_many_moments_they_have() -> None:
    users = np.array([1] * 99 + [2], np.uint64)
    mean, _, _ = paired(np.array([0.0] * 99 + [1.0]), np.zeros(100), users, 1)
    assert mean == pytest.approx(0.5)


def judged(level: float) -> Verdict:
    """What the gate says of a tower of this level, of fifty people."""
    users = np.arange(50, dtype=np.uint64)
    counted = {"popularity": np.full(50, 0.1), "covisit": np.full(50, 0.15)}
    verdict, share = judge_tower(np.full(50, level), counted, users, 1)
    assert share == verdict.numbers["share"]
    return verdict


def test_labels_that_came_later_are_not_learnt_from() -> None:
    whole = listed([1, 0, 1, 0], [(1, 0)] * 4)
    early = replace(whole, came=np.array([5, 99, 12, 99])).as_known(10)
    assert early.labels[:, 0].tolist() == [1, 0, 0, 0]
    assert early.kept.tolist() == [0, 1, 3]
    assert len(early.features) == 3
    assert early.relevant == 1


def test_a_tower_has_to_beat_popularity() -> None:
    assert judged(0.2).shipped
    assert not judged(0.1).shipped
    nobody = np.empty(0)
    assert not judge_tower(nobody, {}, nobody.astype(np.uint64), 1)[0].shipped


def test_a_tower_below_what_only_counts_ships_with_a_smaller_quota_and_says_so() -> None:
    verdict = judged(0.12)
    assert (verdict.shipped, verdict.numbers["share"]) == (True, LESS)
    assert "counting alone (covisit) is better, so it proposes 25%" in verdict.sentence
    assert "90 % interval" in verdict.sentence
    assert judged(0.2).numbers["share"] == 1.0


def test_a_tower_that_few_people_cannot_tell_from_counting_proposes_less() -> None:
    users = np.arange(8, dtype=np.uint64)
    ahead = np.array([0.9, 0.0] * 4)
    counted = {"popularity": np.full(8, 0.1), "covisit": np.full(8, 0.4)}
    verdict, share = judge_tower(ahead, counted, users, 1)
    assert (verdict.shipped, share) == (True, LESS)
    assert "8 people cannot tell, so it proposes 25%" in verdict.sentence
    assert judge_tower(np.full(8, 0.9), counted, users, 1)[1] == 1.0, "all eight say so"
    many = {name: np.repeat(each, 4) for name, each in counted.items()}
    assert judge_tower(np.repeat(ahead, 4), many, np.arange(32, dtype=np.uint64), 1)[1] == 1.0


def test_calibrated_probabilities_are_what_comes_true() -> None:
    dice = np.random.default_rng(2)
    truth = dice.random(20_000).astype(np.float32) * 0.4
    labels = (dice.random(20_000) < truth).astype(np.float32)
    raw = np.sqrt(truth).astype(np.float32)
    even = np.ones(20_000, np.float32)
    knots = calibrate(raw[:10_000], labels[:10_000], even[:10_000])
    after = knots.apply(raw[10_000:])
    assert reliability(raw[10_000:], labels[10_000:], even[10_000:]).error > 0.1
    assert reliability(after, labels[10_000:], even[10_000:]).error < 0.02
    assert len(knots.raw) <= 64


def test_every_decile_of_a_calibrated_head_is_as_often_right_as_it_says() -> None:
    dice = np.random.default_rng(3)
    truth = dice.random(40_000).astype(np.float32) ** 3 * 0.5
    labels = (dice.random(len(truth)) < truth).astype(np.float32)
    raw, even = np.sqrt(truth), np.ones(len(truth), np.float32)
    knots = calibrate(raw[:20_000], labels[:20_000], even[:20_000])
    found = reliability(knots.apply(raw[20_000:]), labels[20_000:], even[20_000:])
    assert np.abs(found.weight - 2_000.0).max() <= 1
    assert (np.diff(found.predicted) > 0).all()
    np.testing.assert_allclose(found.observed[-5:] / found.predicted[-5:], 1.0, atol=0.15)
    assert found.error < 0.01


def test_a_step_of_the_staircase_becomes_a_slope_with_the_same_mean() -> None:
    raw = np.linspace(0.0, 1.0, 4_000).astype(np.float32)
    labels = (np.arange(4_000) % 10 < np.where(raw < 0.5, 1, 6)).astype(np.float32)
    knots = calibrate(raw, labels, np.ones(4_000, np.float32))
    curve = np.interp(raw, knots.raw, knots.observed)
    assert (np.diff(curve) > 0).all()
    assert curve.mean() == pytest.approx(labels.mean(), abs=0.02)
    for half in (raw < 0.4, raw > 0.6):
        assert curve[half].mean() == pytest.approx(labels[half].mean(), abs=0.05)


def test_sampling_is_undone_by_the_weights() -> None:
    dice = np.random.default_rng(2)
    truth = dice.random(40_000).astype(np.float32) * 0.2
    labels = (dice.random(40_000) < truth).astype(np.float32)
    kept = (labels > 0) | (dice.random(40_000) < 0.1)
    weights = np.where(labels > 0, 1.0, 10.0).astype(np.float32)
    knots = calibrate(truth[kept], labels[kept], weights[kept])
    assert knots.apply(truth).mean() == pytest.approx(labels.mean(), rel=0.05)


def test_a_head_with_hardly_any_positives_is_only_scaled() -> None:
    raw = np.linspace(0.1, 0.9, 100).astype(np.float32)
    labels = np.zeros(100, np.float32)
    labels[:5] = 1
    knots = calibrate(raw, labels, np.ones(100, np.float32))
    assert len(knots.raw) == 2
    assert knots.apply(raw).mean() == pytest.approx(0.05, abs=1e-3)


def test_lists_of_unequal_length_are_padded_with_rows_that_weigh_nothing() -> None:
    lists = [listed([1, 0, 0], [(1, 0)] * 3), listed([1], [(1, 0)])]
    curves = spread_of(np.concatenate([each.features for each in lists]))
    reads = np.arange(lists[0].features.shape[1])
    network = RankerNetwork(Shape(len(reads)))
    batch = lay_out(lists, Fitted(network, curves, np.zeros((0, 0), np.float32), reads))
    assert batch.weights.tolist() == [[1, 1, 1], [1, 0, 0]]
    assert row_weights(listed([1, 0], [(1, 0)] * 2)).tolist() == [1, 1]
