from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palate.evaluation.tuning.journal import FILE, Journal
from palate.evaluation.tuning.search import Search

GRIDS = {"a": (0.0, 1.0, 2.0, 3.0, 4.0), "b": (0.0, 0.5, 1.0)}
START = {"a": 2.0, "b": 0.0}


def hill(point: Mapping[str, float]) -> float:
    return -((point["a"] - 4) ** 2) - (point["b"] - 0.5) ** 2


def test_the_top_of_a_hill_is_found_step_by_step() -> None:
    best, score, tried = Search(GRIDS, hill, 60).run(START)
    assert best == {"a": 4.0, "b": 0.5}
    assert score == 0.0
    assert tried < 15


@given(st.integers(1, 12))
def test_no_more_than_the_budget_is_tried_and_none_twice(budget: int) -> None:
    asked: list[Mapping[str, float]] = []

    def judge(point: Mapping[str, float]) -> float:
        asked.append(dict(point))
        return hill(point)

    best, score, tried = Search(GRIDS, judge, budget).run(START)
    assert len(asked) == tried <= budget
    assert all(asked.count(point) == 1 for point in asked)
    assert score == hill(best) == max(map(hill, asked))


def test_a_start_beside_the_grid_finds_its_way_onto_it() -> None:
    best, _, _ = Search(GRIDS, hill, 60).run({"a": 2.7, "b": 0.3})
    assert best == {"a": 4.0, "b": 0.5}


def test_what_the_operator_has_fixed_stays() -> None:
    best, _, _ = Search({"b": GRIDS["b"]}, hill, 60).run(START)
    assert best == {"a": 2.0, "b": 0.5}


def test_a_search_that_was_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    asked: list[Mapping[str, float]] = []

    def dying(point: Mapping[str, float]) -> float:
        if len(asked) == 4:
            raise KeyboardInterrupt
        asked.append(dict(point))
        return hill(point)

    with pytest.raises(KeyboardInterrupt):
        Search(GRIDS, Journal(tmp_path, "log 9").remembering("t", dying), 60).run(START)
    with (tmp_path / FILE).open("ab") as torn:
        torn.write(b'{"task": "log 9 t", "po')
    again: list[Mapping[str, float]] = []

    def counting(point: Mapping[str, float]) -> float:
        again.append(dict(point))
        return hill(point)

    resumed = Search(GRIDS, Journal(tmp_path, "log 9").remembering("t", counting), 60).run(START)
    assert resumed == Search(GRIDS, hill, 60).run(START)
    assert len(asked) + len(again) == resumed[2]


def test_the_journal_of_another_log_is_not_believed(tmp_path: Path) -> None:
    Journal(tmp_path, "log 9").add("t", START, 1.0, {})
    assert Journal(tmp_path, "log 9").find("t", START) is not None
    assert Journal(tmp_path, "log 9").find("u", START) is None
    assert Journal(tmp_path, "log 10").find("t", START) is None
