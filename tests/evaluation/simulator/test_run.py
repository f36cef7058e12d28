"""Runs: paired, repeatable, and such that who knows the truth does best."""

from dataclasses import dataclass, field

import msgspec
import numpy as np
import pytest

from palate.evaluation.simulator.goals import goals
from palate.evaluation.simulator.measures import measures
from palate.evaluation.simulator.people import MODELS, Chances, Person
from palate.evaluation.simulator.policies import Oracle, Page, Policy, Popular, Visit
from palate.evaluation.simulator.run import Plan, Run, schedule, simulate
from palate.evaluation.simulator.world import Act, Size, free, past

WORLD = free(1, Size(items=300, users=80, topics=8, arrivals=10, newcomers=24))
PAST = list(past(WORLD, 1, 1e9, 20))
PLAN = Plan(seed=1, days=3)


def run_of(policy: Policy, model: str = "position", plan: Plan = PLAN) -> Run:
    return simulate(WORLD, MODELS[model], policy, plan, PAST, lambda *_: None)


@pytest.mark.parametrize("model", MODELS)
def test_the_truth_beats_popularity_and_luck_repeats_itself(model: str) -> None:
    popular, again = (run_of(Popular(WORLD, PAST), model) for _ in range(2))
    assert [look.clicked for look in popular.looks] == [look.clicked for look in again.looks]
    oracle = measures(run_of(Oracle(WORLD), model), WORLD, PLAN, ("oracle", model))
    counted = measures(popular, WORLD, PLAN, ("popularity", model))
    assert oracle.clicks_per_visit > 1.3 * counted.clicks_per_visit
    assert oracle.visits == counted.visits == sum(map(len, schedule(WORLD, PLAN)))


def test_newcomers_and_their_twins_come_on_the_same_days() -> None:
    for day in schedule(WORLD, PLAN):
        new = sorted(int(WORLD.twins[who - WORLD.known]) for who in day if who >= WORLD.known)
        assert new == sorted(who for who in day if who < WORLD.known)


def test_nobody_clicks_what_they_have_taken_in_or_grows_fond_of_what_they_leave() -> None:
    person, rows = Person(0, WORLD.tastes[0], WORLD.tastes[0]), np.arange(5, dtype=np.int32)
    before = MODELS["position"].wish(person, WORLD, rows)
    person.done.add(0)
    person.left[1] = 2
    after = MODELS["position"].wish(person, WORLD, rows)
    assert after[0] == 0.0
    assert after[1] == pytest.approx(before[1] * 0.36)


def test_the_cascade_stops_and_the_eye_falls_with_the_place() -> None:
    dice = np.random.Generator(np.random.PCG64(1))
    flat = np.full(10, 0.2, np.float32)
    looked = {"position": np.zeros(10), "cascade": np.zeros(10)}
    for _ in range(2_000):
        chances = Chances(dice.random(10), dice.random(10), dice)
        for model, counts in looked.items():
            np.add(counts, MODELS[model].clicks(flat, chances)[0], out=counts)
    assert looked["position"][3] / 2_000 == pytest.approx(0.5, abs=0.05)
    on = 0.8 * 0.93 + 0.2 * 0.6
    assert looked["cascade"][2] / 2_000 == pytest.approx(on**2, abs=0.05)


@dataclass(slots=True)
class Interrupted:
    """Ctrl-C comes with the hundredth page."""

    name: str = "interrupted"
    told: list[Act] = field(default_factory=list)
    inner: Popular = field(default_factory=lambda: Popular(WORLD, PAST))
    left: int = 100

    def open_day(self, there: int) -> None:
        self.inner.open_day(there)

    def page(self, visit: Visit, size: int) -> Page:
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt
        return self.inner.page(visit, size)

    def tell(self, acts: list[Act]) -> None:
        self.told += acts


def test_ctrl_c_keeps_what_there_is() -> None:
    run = run_of(Interrupted())
    assert not run.whole
    assert len(run.looks) == 99
    assert not measures(run, WORLD, PLAN, ("interrupted", "position")).whole


def test_conversions_come_a_day_late_and_say_from_which_page() -> None:
    policy = Interrupted(left=10**9)
    run_of(policy)
    bought = [act for act in policy.told if act.kind == "purchase"]
    assert bought
    assert all(act.position for act in bought)


def test_goals_are_judged_over_pairs_and_only_where_both_ran() -> None:
    one = measures(run_of(Oracle(WORLD)), WORLD, PLAN, ("palate", "position"))
    other = measures(run_of(Popular(WORLD, PAST)), WORLD, PLAN, ("popularity", "position"))
    [goal] = goals([one, other])
    assert goal.name == "clicks per visit / popularity"
    assert goal.value == pytest.approx(one.clicks_per_visit / other.clicks_per_visit)
    assert goals([one]) == []
    assert (goal.seeds, goal.low, goal.high) == (1, None, None)


def test_an_interval_is_over_seeds_whatever_the_number_of_user_models() -> None:
    """Student's t by hand: ratios of 2, 3 and 4 have the mean 3 ± 4.303 · 1 / √3."""
    some = measures(run_of(Popular(WORLD, PAST)), WORLD, PLAN, ("popularity", "position"))
    runs = []
    for seed, ratio in enumerate((2.0, 3.0, 4.0)):
        for model, off in (("position", -0.5), ("cascade", 0.5)):
            for name, clicks in (("popularity", 1.0), ("palate", ratio + off)):
                told = {"policy": name, "model": model, "seed": seed, "clicks_per_visit": clicks}
                runs.append(msgspec.structs.replace(some, **told))
    [goal] = goals(runs)
    assert (goal.seeds, goal.value) == (3, 3.0)
    assert goal.low == pytest.approx(3.0 - 4.303 / 3**0.5)
    assert goal.high == pytest.approx(3.0 + 4.303 / 3**0.5)
    assert goal.by_model == {"position": 2.5, "cascade": 3.5}
