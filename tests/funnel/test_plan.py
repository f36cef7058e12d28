"""A plan leaves out what may be left out, and nothing that may not."""

import asyncio
from dataclasses import dataclass, replace
from itertools import count
from time import perf_counter
from typing import ClassVar

from palate.funnel.budget import LATE, UNFIT, Budget, Plan
from palate.funnel.types import Candidates, Query, Reason, Slate
from palate.surfaces import funnel
from palate.testing.tiny import tiny_stores, tiny_world, waited

HOME = funnel("home", tiny_stores())


def asked(plan: Plan):  # noqa: ANN201
    return waited(HOME.answer(tiny_world().query("u1", size=12), plan))


def test_parts_that_do_not_fit_are_noted() -> None:
    left_out = frozenset({"generate.content", "rule.diversify"})
    answer = asked(Plan(without=left_out))
    assert answer.step == "full"
    assert answer.trace.skipped == dict.fromkeys(left_out, UNFIT)
    assert "generate.content" not in {stage.name for stage in answer.trace.stages}
    assert len(answer.slate) == 12


def test_the_first_rung_is_where_the_plan_says() -> None:
    for first in ("retrieval", "popular"):
        answer = asked(Plan(first=first))
        assert answer.step == first
        ran = {stage.name for stage in answer.trace.stages}
        assert ("merge" in ran) == (first == "retrieval")
        assert "filter.hide_policy" in ran


def test_a_share_of_the_candidates_is_asked_for() -> None:
    answer = asked(Plan(share=0.02))
    assert answer.trace.pool is not None
    assert len(answer.trace.pool) == 10
    assert answer.step == "full"


def test_time_that_runs_out_ends_retrieval_and_spares_the_ranker() -> None:
    ticks = count()
    answer = asked(Plan(ends=4.0, timer=lambda: float(next(ticks))))
    assert answer.step == "retrieval"
    late = {part for part, why in answer.trace.skipped.items() if why == LATE}
    assert "step.full" in late
    assert "generate.two_tower" not in late
    assert "generate.anything" in late


def test_a_generator_that_waits_for_ever_leaves_time_for_the_others() -> None:
    @dataclass(frozen=True)
    class Waits:
        async def generate(self, query: Query, limit: int) -> Candidates:
            await asyncio.sleep(3_600)
            return Candidates.none()

        def explain(self, query: Query, row: int) -> Reason:
            raise RuntimeError("never asked")

    slow = replace(HOME, generators=(Waits(), *HOME.generators))
    answer = waited(slow.answer(tiny_world().query("u1", size=12), Plan(ends=perf_counter() + 2.0)))
    assert answer.trace.skipped["generate.waits"] == LATE
    assert len(answer.slate) == 12


def test_a_remote_generator_gets_no_more_time_than_is_left() -> None:
    came = []

    @dataclass(frozen=True)
    class Far:
        remote: ClassVar[bool] = True

        async def generate(self, query: Query, limit: int) -> Candidates:
            await asyncio.sleep(3.0)
            came.append(limit)
            return Candidates.none()

        def explain(self, query: Query, row: int) -> Reason:
            raise RuntimeError("never asked")

    patient = replace(HOME, generators=(*HOME.generators, Far()), budget=Budget(remote_seconds=9.0))
    plan = Plan(ends=perf_counter() + 0.5)
    answer = waited(patient.answer(tiny_world().query("u1", size=12), plan))
    assert answer.trace.skipped["generate.far"] == LATE
    assert not came


def test_a_required_rule_stays_where_an_optional_one_of_its_name_does_not_fit() -> None:
    @dataclass(frozen=True)
    class Backwards:
        required: bool
        reads: ClassVar[tuple[str, ...]] = ()

        def apply(self, query: Query, slate: Slate) -> Slate:
            return slate.take(slice(None, None, -1))

    both = replace(HOME, rules=(Backwards(required=True), Backwards(required=False)))
    plain = replace(HOME, rules=())
    query = tiny_world().query("u1", size=200)
    plan = Plan(without=frozenset({"rule.backwards"}))
    turned, straight = (waited(each.answer(query, plan)).slate.rows for each in (both, plain))
    assert turned.tolist() == straight[::-1].tolist()
