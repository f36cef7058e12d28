"""Reading boards past what a visitor must not see."""

import numpy as np
from tests.features.test_boards import NOW, built, columns_of, counted, plain

from palate.features.boards import GLOBAL, of_category, of_segment
from palate.features.record import UserState
from palate.funnel.types import Query
from palate.index.matching import Matching
from palate.retrieval.boards import head

POPULAR, SIZE = GLOBAL["popular"], 8
COLUMNS = columns_of(plain(SIZE))
STATES = counted(SIZE, engaged_total={1: 5.0, 2: 4.0, 3: 9.0, 4: 8.0})


def query(*excluded: int, passing: list[bool] | None = None) -> Query:
    matching = None if passing is None else Matching.of(np.array(passing))
    rows = np.array(excluded, np.int32)
    return Query("home", UserState.nobody(), 4, NOW, excluded=rows, matching=matching)


def test_what_is_passed_over_makes_room_for_what_comes_next() -> None:
    boards = built(STATES, COLUMNS)
    assert head(boards, POPULAR, query(), 2).rows.tolist() == [3, 4]
    assert head(boards, POPULAR, query(1, 3), 2).rows.tolist() == [4, 2]
    # as of a moment before row 4 was given
    four = [True] * 4
    assert head(boards, POPULAR, query(1, passing=four), 9).rows.tolist() == [3, 2]


def test_what_it_says_is_what_the_board_says() -> None:
    boards = built(STATES, COLUMNS)
    found, (rows, scores) = head(boards, POPULAR, query(), 9), boards.top("popular", 9)
    assert found.rows.tolist() == rows.tolist()
    assert found.scores.tolist() == scores.tolist()


def test_boards_that_there_are_not_say_nothing() -> None:
    boards = built(STATES, COLUMNS)
    for board in (of_segment(0), of_segment(7), of_category(-1), of_category(10**6)):
        assert not len(head(boards, board, query(), 9))


def test_it_follows_when_the_boards_are_turned_and_when_they_grow() -> None:
    boards = built(STATES, COLUMNS)
    assert head(boards, POPULAR, query(), 1).rows.tolist() == [3]
    boards.build(counted(SIZE, engaged_total={2: 4.0}), COLUMNS, NOW)
    assert head(boards, POPULAR, query(), 9).rows.tolist() == [2]
    boards._arrays.grow(2 * boards._arrays.capacity)
    boards.build(counted(SIZE, engaged_total={1: 4.0}), COLUMNS, NOW)
    assert head(boards, POPULAR, query(), 9).rows.tolist() == [1]
