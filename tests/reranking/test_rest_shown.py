"""Fatigue: showings that nothing came of weigh an item down, and nothing else does."""

from dataclasses import replace

import numpy as np

from palate.features.record import UserState
from palate.funnel.types import Query, Slate
from palate.reranking.rest_shown import DAY, RestShown
from palate.testing.tiny import NOW, tiny_world

SLATE = Slate(np.arange(6, dtype=np.int32), np.array([6, 5, 4, 3, 2, 1], np.float32))


def query(shown: list[int], seen: list[int], age: float = 60.0) -> Query:
    user = replace(
        UserState.nobody(),
        shown=np.array(shown, np.int32),
        shown_times=np.full(len(shown), NOW - age),
        seen=np.array(seen, np.int32),
        seen_signals=np.full(len(seen), 2, np.uint32),
    )
    return replace(tiny_world().query(size=3), user=user)


def test_the_first_showing_is_free_and_each_further_one_costs() -> None:
    rule = RestShown()
    assert rule.apply(query([0], []), SLATE) is SLATE
    once = rule.apply(query([0, 0], []), SLATE)
    assert once.rows.tolist() == [0, 1, 2, 3, 4, 5]
    assert once.scores[0] == np.float32(1 + 5 * 0.85)
    often = rule.apply(query([0] * 9, []), SLATE)
    assert often.rows.tolist().index(0) > 2


def test_what_was_touched_or_shown_long_ago_is_not_tired_of() -> None:
    assert RestShown().apply(query([0] * 9, [0]), SLATE) is SLATE
    assert RestShown().apply(query([0] * 9, [], age=8 * DAY), SLATE) is SLATE
    assert RestShown(keeps=1.0).apply(query([0] * 9, []), SLATE) is SLATE
