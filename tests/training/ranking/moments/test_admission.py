"""The pool is filled by weights that find more, where it is sure that they do."""

import asyncio

import numpy as np

from palate.funnel.merge import FLOOR, Admission, _weights
from palate.funnel.stages import name_of
from palate.funnel.types import Candidates
from palate.funnel.worth import ADMITTED
from palate.releases.manifest import Manifest
from palate.releases.release import Release
from palate.stores import Stores, with_release
from palate.surfaces.home import generators, home
from palate.testing.tiny import tiny_stores
from palate.training.dataset import read_dataset
from palate.training.ranking.moments.admission import POOL, Said, _said, weighed
from palate.training.ranking.moments.rows import RowSource, sample_moments
from palate.training.report import silent

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
    assert not found.numbers(), "nobody was asked"


def test_what_is_said_of_a_pool_is_said_of_the_one_that_ships() -> None:
    kept = weighed(NAMES, [said(who, knows=False) for who in range(240)], {}, seed=1)
    assert kept.numbers() == {"pool/recall": kept.before}
    found = weighed(NAMES, [said(who, knows=True) for who in range(240)], {}, seed=1)
    assert found.numbers() == {"pool/recall_before": found.before, "pool/recall": found.after}


def test_what_todays_weights_leave_out_is_learnt_from_too() -> None:
    """Most of what is taken lies deep in one generator; another's head would fill the sample."""
    told = []
    for who in range(240):
        each = said(who, knows=False)
        deep, head = each.proposals[2].rows[150:350], each.proposals[0].rows[:25]
        told.append(each._replace(taken=np.concatenate([head, deep])))
    found = weighed(NAMES, told, {}, seed=1)
    assert found.weights["trending"] > found.weights["two_tower"]


def test_strangers_keep_some_of_what_everybody_takes() -> None:
    found = weighed(NAMES, [said(who, knows=True) for who in range(240)], {}, seed=1)
    theirs = _weights(Admission(found.weights), NAMES, 0.0)
    assert theirs[1] > 1.2 * FLOOR, "what everybody takes comes before what is as good as unknown"
    assert theirs[1] > theirs[2] > theirs[0]


def test_what_is_taken_after_judging_began_is_not_learnt_from(site: Stores) -> None:
    data = read_dataset(site, silent)
    moments = sample_moments(data.events, data.part(0.5), 400, 50)
    source = RowSource(site, generators, None)
    until = int(data.events.position[moments[-1].at])
    names, told = asyncio.run(_said(source, data, moments, until))
    assert names == tuple(map(name_of, generators(site)))
    known = [sum(came < until for came in each.came.values()) for each in moments]
    assert [len(each.taken) for each in told] == known
    assert sum(known) < sum(len(each.labels) for each in moments)


def test_home_fills_its_pool_by_what_training_found() -> None:
    stores = tiny_stores()
    assert home(stores).admission.weights == ADMITTED
    manifest = Manifest(created=0.0, version="0")
    release = Release("r", manifest, admitted={"popular": 9.0})
    assert home(with_release(stores, release)).admission.weights == {**ADMITTED, "popular": 9.0}
