"""The pool is filled by weights that find more, where it is sure that they do."""

import numpy as np

from palate.funnel.types import Candidates
from palate.funnel.worth import ADMITTED
from palate.training.ranking.moments.admission import POOL, Said, weighed

NAMES = ("two_tower", "popular", "trending", "followed", "anything")
CATALOGUE = 4 * POOL


def proposed(rows: np.ndarray) -> Candidates:
    return Candidates(rows.astype(np.int32), np.linspace(1, 0, len(rows), dtype=np.float32))


def said(who: int, *, knows: bool) -> Said:
    """Three generators that propose different things; the first may know what is taken."""
    dice = np.random.default_rng(who)
    rows = dice.permutation(CATALOGUE)
    proposals = [proposed(rows[at * POOL : (at + 1) * POOL]) for at in range(3)]
    proposals += [proposed(rows[:0]), proposed(rows[-POOL:])]
    taken = dice.choice(proposals[0].rows, 3) if knows else dice.choice(rows, 3)
    return Said(who, 50.0, proposals, taken.astype(np.int32))


def test_the_weights_follow_who_finds_what_is_taken() -> None:
    found = weighed(NAMES, [said(who, knows=True) for who in range(240)], {}, seed=1)
    assert found.gain.sure
    assert found.before < 0.7
    assert found.after > 0.9
    assert found.weights["two_tower"] > 3 * max(found.weights["popular"], 0.1)
    assert "anything" not in found.weights, "a lot has no word"
    assert f"{found.after:.1%} of what is taken" in str(found)


def test_who_said_nothing_keeps_its_say_beside_the_others() -> None:
    found = weighed(NAMES, [said(who, knows=True) for who in range(240)], {}, seed=1)
    assert found.weights["followed"] > 0.0
    total = sum(ADMITTED[name] for name in NAMES)
    np.testing.assert_allclose(sum(found.weights.values()), total, rtol=1e-3)


def test_where_nobody_knows_more_the_weights_stay_sensible() -> None:
    found = weighed(NAMES, [said(who, knows=False) for who in range(240)], {}, seed=1)
    assert not found.weights
    assert not str(found)


def test_few_people_cannot_tell() -> None:
    found = weighed(NAMES, [said(who, knows=True) for who in range(40)], {}, seed=1)
    assert not found.weights
    assert found.numbers() == {"pool/recall_before": 0.0, "pool/recall": 0.0}
