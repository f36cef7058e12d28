"""The balance of exploration, on a log that was made up, and on one that a policy made."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.reranking.test_thompson import query, rule, slate

from palate.evaluation.exploration import Exploration, exploration
from palate.events.kinds import Event, Kind, Shown
from palate.events.sqlite import SqliteLog

PAGE, WINDOW = 20, 100.0


def page(n: int, *items: str, explored: str = "", propensity: float = 0.5) -> Event:
    shown = tuple(
        Shown(
            item_id=item,
            position=at,
            explore=item == explored,
            propensity=propensity if item == explored else 1.0,
        )
        for at, item in enumerate(items, 1)
    )
    told = {"policy": "thompson epsilon=0.1 pool=2 slots=1"}
    return Event(
        event_id=f"p{n}",
        kind=Kind.IMPRESSION,
        time=float(n),
        user_id=f"u{n}",
        items=shown,
        context=told,
    )


def click(n: int, item: str, after: float = 1.0) -> Event:
    return Event(
        event_id=f"c{n}{item}{after}",
        kind=Kind.CLICK,
        time=n + after,
        user_id=f"u{n}",
        item_id=item,
    )


def balance(*events: Event, since: float = 0.0) -> Exploration:
    log = SqliteLog(Path(":memory:"))
    log.append(events, 0.0)
    return exploration(log, since, WINDOW)


def test_cost_is_what_stood_beside_less_what_was_explored() -> None:
    pages = [page(n, "a", "b", "x", "c", "d", explored="x") for n in range(10)]
    clicks = [click(n, "b") for n in range(8)] + [click(n, "c") for n in range(4)]
    found = balance(*pages, *clicks, click(0, "x"), click(1, "a"))
    assert (found.pages, found.slots, found.explored, found.share) == (10, 50, 10, 0.2)
    assert found.rate == pytest.approx(0.1)
    assert found.beside == pytest.approx(12 / 20), "b and c stand beside, a and d do not"
    assert found.cost == pytest.approx(5.0)
    assert found.cost_low < found.cost < found.cost_high
    assert found.takings == 14
    assert (found.items, found.new) == (1, 1)
    assert found.weight == pytest.approx(1.0)


def test_an_act_belongs_to_the_last_page_before_it_within_the_window() -> None:
    first = page(0, "a", "x", explored="x")
    again = Event(
        event_id="again", kind=Kind.IMPRESSION, time=50.0, user_id="u0", items=first.items[:1]
    )
    late = balance(first, again, click(0, "x", after=101.0), click(0, "a", after=60.0))
    assert late.rate == 0.0
    assert late.takings == 1
    assert late.beside == 0.0, "the click on a belongs to the second page"
    other = replace_user(click(0, "x"), "somebody")
    assert balance(first, other).rate == 0.0
    before = balance(click(0, "x", after=-1.0), first)
    assert before.rate == 0.0
    assert balance(click(0, "x"), first).rate == 1.0, "the log may hold the page behind the click"


def replace_user(event: Event, user: str) -> Event:
    return Event(**{f: getattr(event, f) for f in event.__struct_fields__} | {"user_id": user})


def test_items_are_found_retired_or_open() -> None:
    events: list[Event] = []
    for n in range(60):
        events += [
            page(3 * n, "a", "good", explored="good"),
            page(3 * n + 1, "a", "bad", explored="bad"),
        ]
        events += [click(3 * n, "good")] * (n % 2) + [click(3 * n + 1, "a")] * (n % 4 == 0)
    events += [page(500, "a", "few", explored="few"), page(501, "good", "a")]
    found = balance(*events)
    told = {each.item_id: (each.verdict, each.shown, each.since) for each in found.finds}
    assert told == {"good": ("found", 60, 1), "bad": ("retired", 60, 0), "few": ("open", 1, 0)}
    assert found.finds[0].item_id == "good"
    assert balance(*events, since=400.0).explored == 1


def test_nothing_explored_costs_nothing() -> None:
    found = balance(page(1, "a", "b"), click(1, "a"))
    assert (found.explored, found.cost, found.finds) == (0, 0.0, ())
    assert balance().pages == 0


def test_the_weight_of_a_true_policy_is_one_and_that_of_a_false_log_is_not() -> None:
    each, events = rule(), []
    for draw in range(1500):
        made = each.apply(replace(query(draw), draw=draw), slate()).top(PAGE)
        assert made.propensity is not None
        assert made.explore is not None
        lots = zip(made.rows.tolist(), made.propensity.tolist(), made.explore.tolist(), strict=True)
        shown = tuple(
            Shown(item_id=str(row), position=at, propensity=p, explore=lot)
            for at, (row, p, lot) in enumerate(lots, 1)
        )
        events.append(
            Event(
                event_id=str(draw),
                kind=Kind.IMPRESSION,
                time=float(draw),
                user_id="u",
                items=shown,
                context={"policy": made.policy},
            )
        )
    found = balance(*events)
    assert abs(found.weight - 1.0) < 4 * found.weight_error
    assert found.weight_error < 0.1
    assert found.least_propensity >= 0.2 / 40 - 1e-9
    assert np.isfinite(found.cost)


def test_a_new_item_is_on_trial_then_graduates_or_retires_by_evidence() -> None:
    def told(taken: int, shown: int) -> dict[str, int]:
        pages = [page(n, "a", "x", "b", explored="x") for n in range(shown)]
        beside = [click(n, "a") for n in range(0, shown, 5)]
        return balance(*pages, *beside, *(click(n, "x") for n in range(taken))).trials()

    assert told(1, 6) == {"graduated": 0, "retired": 0, "on_trial": 1}
    assert told(20, 40) == {"graduated": 1, "retired": 0, "on_trial": 0}
    assert told(0, 60) == {"graduated": 0, "retired": 1, "on_trial": 0}
    before = [page(n, "a", "x") for n in range(3)]
    known = balance(*before, *(page(9 + n, "a", "x", explored="x") for n in range(3)))
    assert known.trials() == {"graduated": 0, "retired": 0, "on_trial": 0}
