from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from tests.funnel.parts import Says

from palate.funnel.reasons import reasons_for
from palate.funnel.stages import Generator
from palate.funnel.types import Pool, Query, Reason, Slate
from palate.testing.tiny import tiny_world

SHOWN = np.array([3, 1, 2], np.int32)
QUERY = tiny_world().query("u1", size=3)


@dataclass(frozen=True)
class Together(Says):
    """Explains a page at once."""

    def explain_all(self, query: Query, rows: Sequence[int]) -> list[Reason]:
        return [Reason("taste", rows=(row + 10,)) for row in rows]


@dataclass(frozen=True)
class Stumbles(Says):
    """Does not, though it says that it can."""

    def explain_all(self, query: Query, rows: Sequence[int]) -> list[Reason]:
        raise RuntimeError("too many")


@dataclass(frozen=True)
class Short(Says):
    """Forgets one."""

    def explain_all(self, query: Query, rows: Sequence[int]) -> list[Reason]:
        return [Reason("taste", rows=(row + 10,)) for row in rows[1:]]


def told(*generators: Generator, ranks: list[list[int]]) -> tuple[Reason, ...]:
    names = tuple(type(each).__name__.lower() for each in generators)
    rows, held = np.array([1, 2, 3], np.int32), np.array(ranks, np.int16)
    pool = Pool(rows, np.ones(held.shape, np.float32), held, names)
    slate = Slate(SHOWN, np.array([3, 2, 1], np.float32))
    return reasons_for(generators, {}, QUERY, pool, slate)


def test_each_generator_is_asked_for_its_rows_and_the_order_is_the_pages() -> None:
    found = told(Says(()), Together(()), ranks=[[0, 1], [1, 0], [0, 2]])
    assert [each.generator for each in found] == ["together", "together", "says"]
    assert [each.rows for each in found] == [(13,), (11,), (1,)]


@pytest.mark.parametrize("generator", [Stumbles(()), Short(())])
def test_who_cannot_explain_all_at_once_is_asked_for_each(generator: Generator) -> None:
    found = told(generator, ranks=[[1], [2], [3]])
    assert [each.rows for each in found] == [(1,), (1,), (1,)]
    assert {each.generator for each in found} == {type(generator).__name__.lower()}


def test_what_nobody_proposed_is_there_because_an_operator_named_it() -> None:
    found = told(Says(()), ranks=[[0], [1], [2]])
    assert [each.kind for each in found] == ["taste", "editorial", "taste"]
