"""Thompson sampling by the ranker's own word: it finds sooner, and what is on record stays true."""

from dataclasses import replace

import numpy as np
from msgspec import structs
from tests.reranking.test_thompson import NOW, PAGE, SIZE, query, rule, slate, states

from palate.arrays import Floats
from palate.funnel.types import Expected
from palate.models.laplace import Laplace
from palate.reranking.thompson import (
    MOST_PRIOR,
    PRIOR,
    Counts,
    head_of,
    policy,
    posterior,
)

DIM = 8
LAPLACE = Laplace(np.diag(np.linspace(4.0, 40.0, DIM)))


def expected(seed: int = 9, click: Floats | None = None) -> Expected:
    """Of all rows of the slate, in another order."""
    dice = np.random.Generator(np.random.PCG64(seed))
    rows = dice.permutation(SIZE).astype(np.int32)
    layer = dice.standard_normal((SIZE, DIM)).astype(np.float32)
    told = dice.uniform(0.01, 0.2, SIZE).astype(np.float32) if click is None else click[rows]
    return Expected(rows, told, layer, LAPLACE.root(), 0.5)


def test_what_the_ranker_says_is_read_by_row() -> None:
    whole, rows = expected(), np.array([7, 3, 59], np.int32)
    head = head_of(whole, rows)
    at = [whole.rows.tolist().index(row) for row in rows.tolist()]
    np.testing.assert_array_equal(head.click, whole.click[at])
    covariance = np.linalg.inv(LAPLACE.precision)
    exact = [whole.layer[i] @ covariance @ whole.layer[i] + 0.25 for i in at]
    np.testing.assert_allclose(head.variance, exact, rtol=1e-4)


def test_the_propensity_on_record_is_how_often_it_happens() -> None:
    draws, each, whole = 5000, rule(), structs.replace(slate(), expected=expected())
    whole.columns["published"][[40, 50]] = NOW - 86_400.0
    stood, recorded = np.zeros((PAGE, SIZE)), np.full((PAGE, SIZE), np.nan)
    for draw in range(draws):
        page = each.apply(query(draw), whole).top(PAGE)
        assert page.propensity is not None
        stood[np.arange(PAGE), page.rows] += 1
        recorded[np.arange(PAGE), page.rows] = page.propensity
    seen = ~np.isnan(recorded)
    share, told = stood[seen] / draws, recorded[seen]
    sigma = np.sqrt(told * (1 - told) / draws) + 1e-9
    assert (np.abs(share - told) < 5 * sigma).all()
    assert np.nanmin(recorded) >= 0.2 / (SIZE - PAGE) - 1e-6


def test_it_may_be_turned_off_and_is_not_missed() -> None:
    whole = slate()
    told = structs.replace(whole, expected=expected())
    off = replace(rule(), head=False)
    for draw in range(40):
        alone, ignored = (off.apply(query(draw), each) for each in (whole, told))
        np.testing.assert_array_equal(alone.rows, ignored.rows)
        np.testing.assert_array_equal(alone.rows, rule().apply(query(draw), whole).rows)
    assert any(
        rule().apply(query(draw), told).rows.tolist() != off.apply(query(draw), told).rows.tolist()
        for draw in range(40)
    )


def test_who_is_surer_has_the_stronger_prior_and_own_counts_decide_as_they_grow() -> None:
    click = np.full(SIZE, 0.1, np.float32)
    whole = expected(click=click)
    rows = np.arange(SIZE, dtype=np.int32)
    head, nothing = head_of(whole, rows), np.zeros(SIZE, np.float32)
    content = np.zeros((SIZE, 2), np.float32)
    found = posterior(Counts(nothing, nothing, nothing), content, click, head)
    worth = found.a + found.b
    assert (np.diff(worth[np.argsort(head.variance)]) <= 1e-3).all()
    assert PRIOR < worth.max() <= MOST_PRIOR
    shown = np.full(SIZE, 5_000.0, np.float32)
    much = posterior(Counts(shown, shown * 0.3, nothing), content, click, head)
    np.testing.assert_allclose(much.mean, 0.3, atol=0.02)


def test_nobody_is_sure_of_what_is_on_trial() -> None:
    """The first clicks on a new item tell as much as they did without the ranker's word."""
    sure = structs.replace(slate(), expected=expected(click=np.full(SIZE, 0.05, np.float32)))
    new = [40, 45, 50, 55]
    sure.columns["published"][new] = NOW - 86_400.0
    told = states(dict.fromkeys(new, 10), {40: 4})
    each, drawn = rule(counters=told), np.zeros(SIZE)
    for draw in range(400):
        page = each.apply(query(draw), sure)
        assert page.explore is not None
        drawn[page.rows[page.explore]] += 1
    assert drawn[40] > 3 * drawn[[45, 50, 55]].mean()


def lost(seed: int, rounds: int = 600, *, told: bool) -> float:
    """Regret of one slot: items whose truth is the ranker's word, off as it says it may be."""
    dice = np.random.Generator(np.random.PCG64(seed))
    layer = (dice.standard_normal((SIZE, DIM)) / DIM**0.5).astype(np.float32)
    belief, own = dice.standard_normal(DIM), 0.5 * dice.standard_normal(SIZE)
    spread = Laplace(np.eye(DIM) / 0.3**2)
    truth = layer @ (belief + 0.3 * dice.standard_normal(DIM)) + own - 3.0
    click, truth = (1.0 / (1.0 + np.exp(-each)) for each in (layer @ belief - 3.0, truth))
    order = np.argsort(-click)
    click, truth, layer = click[order].astype(np.float32), truth[order], layer[order]
    rows, content = np.arange(SIZE, dtype=np.int32), np.zeros((SIZE, 2), np.float32)
    head = head_of(Expected(rows, click, layer, spread.root(), 0.5), rows) if told else None
    (shown, taken), total = np.zeros((2, SIZE), np.float32), 0.0
    for _ in range(rounds):
        found = posterior(Counts(shown, taken, np.zeros_like(shown)), content, click, head)
        [at] = policy(rows, found, 1).draw(0.1, dice)
        shown[at] += 1
        taken[at] += dice.random() < truth[at]
        total += float(truth.max() - truth[at])
    return total


def test_it_finds_the_good_ones_sooner() -> None:
    pairs = np.array([(lost(seed, told=False), lost(seed, told=True)) for seed in range(8)])
    gain = pairs[:, 0] - pairs[:, 1]
    assert gain.mean() > 2.0 * gain.std(ddof=1) / len(gain) ** 0.5
    assert pairs[:, 1].sum() < 0.75 * pairs[:, 0].sum()
