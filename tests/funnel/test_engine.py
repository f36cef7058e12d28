"""The engine forgives what may fail, closes what must not fail open, and says what it did."""

import asyncio
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.funnel.parts import Breaks, Late, Rearranges, Rejects, Remote, Says, Scores

from palate.funnel.budget import Budget
from palate.funnel.engine import Funnel
from palate.funnel.types import Answer, Query
from palate.testing.queries import queries, shared
from palate.testing.tiny import tiny_stores, tiny_world, waited


def funnel(**changes: Any) -> Funnel:
    plain = Funnel(
        stores=tiny_stores(),
        generators=(Says((1, 2, 3, 4)), Remote((4, 5))),
        filters=(Rejects((2,)),),
        ranker=Scores(),
        rules=(),
    )
    return replace(plain, **changes)


def asked(size: int = 10, **changes: Any) -> Query:
    return replace(tiny_world().query("u1", size=size), **changes)


def answered(part: Funnel, query: Query | None = None) -> Answer:
    return waited(part.answer(query or asked()))


def rows(part: Funnel, query: Query | None = None) -> list[int]:
    return answered(part, query).slate.rows.tolist()


def test_near_and_remote_candidates_are_merged_and_filtered() -> None:
    assert sorted(rows(funnel())) == [1, 3, 4, 5]


def test_what_the_request_excludes_does_not_come_back() -> None:
    assert 3 not in rows(funnel(), asked(excluded=np.array([3], np.int32)))


@pytest.mark.parametrize("broken", [Breaks(()), Late(())])
def test_a_generator_that_fails_or_is_late_costs_only_its_own_items(broken: Says) -> None:
    part = funnel(generators=(broken, Says((1, 3))), budget=Budget(remote_seconds=0.01))
    answer = answered(part)
    assert answer.slate.rows.tolist() == [1, 3]
    assert answer.step == "full"
    assert list(answer.trace.skipped) == [f"generate.{type(broken).__name__.lower()}"]


def test_a_late_generator_is_told_to_stop() -> None:
    late = Late(())

    async def request() -> int:
        await funnel(generators=(late,), budget=Budget(remote_seconds=0.01)).answer(asked())
        await asyncio.sleep(0)
        return len(late.ended)

    assert waited(request()) == 1


def test_a_row_that_is_proposed_twice_counts_once_and_is_noted() -> None:
    answer = answered(funnel(generators=(Says((1, 3, 1)),)))
    assert answer.slate.rows.tolist() == [1, 3]
    assert answer.trace.skipped["generate.says"].startswith("1 of its entries")


def test_a_generator_that_talks_nonsense_is_cleaned_and_noted() -> None:
    nonsense = Says((1, 1, 9999, -1, 3, 4), (6.0, 5.0, 4.0, 3.0, float("nan"), 1.0))
    answer = answered(funnel(generators=(nonsense,)))
    assert answer.slate.rows.tolist() == [1, 4]
    assert answer.trace.skipped["generate.says"].startswith("4 of its entries")


def test_a_filter_that_breaks_shows_nothing_rather_than_anything() -> None:
    nonsense = Rejects(silent=True), Rejects(numbers=True)
    for filters in ((Rejects(broken=True),), *((Rejects(), each) for each in nonsense)):
        answer = answered(funnel(filters=filters, static=lambda _: np.array([1], np.int32)))
        assert answer.step == "static"
        assert len(answer.slate) == 0


@pytest.mark.parametrize("ranker", [Scores(broken=True), Scores(value=float("nan"))])
def test_a_ranker_that_fails_leaves_retrieval_scores(ranker: Scores) -> None:
    answer = answered(funnel(ranker=ranker))
    assert answer.step == "retrieval"
    assert answer.slate.rows[0] == 4, "both generators propose it"
    assert set(answer.slate.rows.tolist()) == {1, 3, 4, 5}


@pytest.mark.parametrize("how", ["break", "repeat", "invent", "overwrite"])
def test_an_optional_rule_that_fails_is_left_out(how: str) -> None:
    plain = answered(funnel())
    answer = answered(funnel(rules=(Rearranges(how),)))
    assert answer.slate.rows.tolist() == plain.slate.rows.tolist()
    assert answer.step == "full"
    assert "rule.rearranges" in answer.trace.skipped


@pytest.mark.parametrize("how", ["break", "repeat", "invent", "overwrite"])
def test_a_required_rule_that_fails_is_never_skipped(how: str) -> None:
    answer = answered(funnel(rules=(Rearranges(how, required=True),)))
    assert answer.step == "static"
    assert len(answer.slate) == 0


def test_required_rules_apply_on_every_step() -> None:
    rule = Rearranges("drop", required=True)
    below = answered(funnel(ranker=Scores(broken=True), rules=(rule,)))
    assert below.step == "retrieval"
    assert len(below.slate) == 3


def test_without_generators_the_last_slate_is_shown_again_but_not_what_is_hidden_now() -> None:
    last = np.array([7, 2, 8], np.int32)
    answer = answered(funnel(generators=(Breaks(()),), last_slate=lambda _: last))
    assert answer.step == "last_slate"
    assert answer.slate.rows.tolist() == [7, 8]


def test_without_a_last_slate_what_is_popular_is_shown_through_the_filters() -> None:
    answer = answered(funnel(generators=(Breaks(()),)))
    popular, _ = tiny_stores().boards.top("popular", 100)
    assert answer.step == "popular"
    assert len(answer.slate) == 10
    assert set(answer.slate.rows.tolist()) <= set(popular.tolist()) - {2}
    assert [reason.kind for reason in answer.reasons] == ["popular"] * 10


def test_the_static_list_is_the_last_resort_through_the_filters() -> None:
    hides_all_but = Rejects(tuple(row for row in range(60) if row != 9))
    part = funnel(
        generators=(Breaks(()),),
        filters=(hides_all_but,),
        static=lambda _: np.array([9, 10], np.int32),
    )
    everything_else = np.array([row for row in range(60) if row != 9], np.int32)
    answer = answered(part, asked(excluded=everything_else))
    assert (answer.step, answer.slate.rows.tolist()) == ("static", [9])


def test_nothing_to_show_is_an_answer_not_a_failure() -> None:
    answer = answered(funnel(generators=(Says(()),)))
    assert (answer.step, len(answer.slate), answer.trace.skipped) == ("full", 0, {})


def test_the_page_is_as_long_as_asked_for() -> None:
    assert len(rows(funnel(), asked(size=2))) == 2


def test_a_few_of_an_exploring_generator_stay_on_the_shortlist_whatever_their_score() -> None:
    part = funnel(
        generators=(Says(tuple(range(40))), Explores((55, 56, 57))),
        filters=(Rejects(),),
        ranker=Worst(),
        shortlist=30,
        reserve=2,
        rules=(Rearranges(),),
    )
    before, _ = answered(part, asked(size=10)).trace.orders["rearranges"]
    assert before.tolist() == [*range(30), 55, 56]


class Explores(Says):
    explores = True


class Worst(Scores):
    """Thinks least of the highest rows."""

    def score(self, query: Query, pool: Any, features: Any) -> Any:
        return -pool.rows.astype(np.float32)


def test_the_trace_follows_items_through_every_stage() -> None:
    part = funnel(rules=(Rearranges(),), ranker=Worst())
    answer = answered(part, asked(size=3))
    trace = answer.trace
    assert answer.slate.rows.tolist() == [5, 4, 3]
    assert sorted(trace.pool.rows.tolist() if trace.pool else []) == [1, 2, 3, 4, 5]
    assert trace.removed["rejects"].tolist() == [2]
    assert trace.ranked is not None
    assert trace.ranked.rows.tolist() == [1, 3, 4, 5]
    assert trace.moved["rearranges"] == {5: (4, 1), 4: (3, 2), 3: (2, 3)}
    names = [stage.name for stage in trace.stages]
    order = ["generate.says", "merge", "filter.rejects", "features", "rank", "rule.rearranges"]
    assert [name for name in names if name in order] == order
    assert all(stage.milliseconds >= 0 for stage in trace.stages)


def test_the_features_of_what_was_shown_are_kept_in_slate_order() -> None:
    part = funnel(ranker=Scores(reads=("best_rank", "item_age_days")), rules=(Rearranges(),))
    answer = answered(part)
    published = tiny_stores().columns.published[answer.slate.rows]
    assert answer.trace.features is not None
    older_first = np.argsort(-answer.trace.features[:, 1])
    assert older_first.tolist() == np.argsort(published).tolist()


def test_what_a_lower_step_shows_has_no_features_of_the_ranking_that_was_given_up() -> None:
    part = funnel(
        generators=(Says((1,)),),
        ranker=Scores(reads=("best_rank",)),
        rules=(Rearranges("forbid", required=True),),
    )
    answer = answered(part)
    assert answer.step == "popular"
    assert len(answer.slate) == 10
    assert answer.trace.features is None


def test_every_entry_has_a_reason_of_a_generator_that_found_it() -> None:
    answer = answered(funnel())
    assert len(answer.reasons) == len(answer.slate)
    by_row = dict(zip(answer.slate.rows.tolist(), answer.reasons, strict=True))
    assert by_row[1].generator == "says"
    assert by_row[5].generator == "remote"


def test_credit_decides_whose_reason_is_given() -> None:
    for credit, name in (({"says": 9.0}, "says"), ({"remote": 9.0, "says": 0.1}, "remote")):
        answer = answered(funnel(credit=credit))
        by_row = dict(zip(answer.slate.rows.tolist(), answer.reasons, strict=True))
        assert by_row[4].generator == name


def test_an_anchor_is_chosen_where_the_request_names_none() -> None:
    part = funnel(anchor=lambda _: 17)
    assert answered(part).seed_item == 17
    assert answered(part, asked(seed_item=3)).seed_item == 3


@shared
@given(query=queries(), size=st.integers(1, 30))
def test_no_page_of_anybody_repeats_an_item_or_shows_what_is_hidden(
    query: Query, size: int
) -> None:
    page = rows(funnel(), replace(query, size=size))
    assert len(set(page)) == len(page) <= size
    assert not set(page) & ({2} | set(query.excluded.tolist()))
