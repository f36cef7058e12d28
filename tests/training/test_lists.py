"""Lists, gate and calibration: the numbers that decide what ships."""

import numpy as np
import pytest

from palate.training.calibration import calibrate, expected_error
from palate.training.gate import (
    fit_fusion,
    fusion_scores,
    judge_ranker,
    judge_tower,
    paired,
    sensible,
)
from palate.training.lists import RankedList, ndcg
from palate.training.ranker import lay_out, row_weights

NAMES = ("good", "bad")


def listed(
    labels: list[int], ranks: list[tuple[int, int]], user: int = 1, relevant: int | None = None
) -> RankedList:
    n = len(labels)
    heads = np.zeros((n, 3), np.float32)
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


def test_gains_follow_the_value_formula() -> None:
    one = listed([1, 1, 0], [(1, 0)] * 3, relevant=3)
    one.labels[1, 1] = 1.0
    scores = np.array([3, 2, 1], np.float32)
    ideal = 2 + 1 / np.log2(3) + 1 / np.log2(4)
    value = np.array([1.0, 1.0, -0.5], np.float32)
    np.testing.assert_allclose(ndcg([one], scores, value), [(1 + 2 / np.log2(3)) / ideal])
    one.labels[0, 2] = 4.0
    np.testing.assert_allclose(
        ndcg([one], scores, value), [2 / np.log2(3) / (2 + 1 / np.log2(3) + 1 / np.log2(4))]
    )
    nothing = listed([0, 0], [(1, 0)] * 2)
    assert ndcg([nothing], scores[:2], value).tolist() == [0.0]


def test_the_gate_passes_a_clear_gain_and_says_so() -> None:
    users = np.repeat(np.arange(40, dtype=np.uint64), 3)
    better = np.full(120, 0.30)
    verdict = judge_ranker([better, better - 0.05] * 2, users, 1)
    assert verdict.shipped
    assert "It ships" in verdict.sentence
    assert "40 users" in verdict.sentence


def test_the_gate_refuses_a_gain_that_may_be_luck_and_says_what_happens_instead() -> None:
    dice = np.random.default_rng(3)
    users = np.arange(40, dtype=np.uint64)
    fusion = np.full(40, 0.3)
    verdict = judge_ranker([fusion + dice.normal(0, 0.2, 40) + 0.001, fusion] * 2, users, 1)
    assert not verdict.shipped
    assert "weighted fusion" in verdict.sentence


def test_the_gate_refuses_a_tie() -> None:
    users, level = np.arange(40, dtype=np.uint64), np.full(40, 0.3)
    assert not judge_ranker([level] * 4, users, 1).shipped


def test_value_is_not_bought_with_hits() -> None:
    users, level = np.arange(40, dtype=np.uint64), np.full(40, 0.3)
    assert judge_ranker([level + 0.1, level, level, level - 0.01], users, 1).shipped
    assert not judge_ranker([level + 0.1, level, level - 0.01, level], users, 1).shipped


def test_users_count_equally_however_many_moments_they_have() -> None:
    users = np.array([1] * 99 + [2], np.uint64)
    mean, _, _ = paired(np.array([0.0] * 99 + [1.0]), np.zeros(100), users, 1)
    assert mean == pytest.approx(0.5)


def test_a_tower_has_to_beat_popularity() -> None:
    assert judge_tower(0.2, 0.1, 50).shipped
    assert not judge_tower(0.1, 0.1, 50).shipped
    assert not judge_tower(0.2, 0.1, 0).shipped


def test_calibrated_probabilities_are_what_comes_true() -> None:
    dice = np.random.default_rng(2)
    truth = dice.random(20_000).astype(np.float32) * 0.4
    labels = (dice.random(20_000) < truth).astype(np.float32)
    raw = np.sqrt(truth).astype(np.float32)
    even = np.ones(20_000, np.float32)
    knots = calibrate(raw[:10_000], labels[:10_000], even[:10_000])
    after = knots.apply(raw[10_000:])
    assert expected_error(raw[10_000:], labels[10_000:], even[10_000:]) > 0.1
    assert expected_error(after, labels[10_000:], even[10_000:]) < 0.02
    assert len(knots.raw) <= 64


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
    batch = lay_out([listed([1, 0, 0], [(1, 0)] * 3), listed([1], [(1, 0)])])
    assert batch.weights.tolist() == [[1, 1, 1], [1, 0, 0]]
    assert row_weights(listed([1, 0], [(1, 0)] * 2)).tolist() == [1, 1]
