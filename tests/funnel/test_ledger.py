"""The funnel's books: shares multiply to the recall, and every count is that of a recount."""

from collections import Counter
from dataclasses import replace
from fractions import Fraction
from math import prod

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.funnel.parts import Rearranges, Rejects, Says, Scores

from palate.funnel.engine import Funnel
from palate.funnel.fate import fate_of
from palate.funnel.ledger import Ledger
from palate.funnel.types import Query
from palate.rules.decode import rules
from palate.surfaces import funnel as surface
from palate.surfaces.overrides import certain
from palate.surfaces.steered.program import Program
from palate.testing.queries import queries
from palate.testing.tiny import SIZE, tiny_stores, tiny_world, waited

RULES = [
    {"id": "mix", "kind": "at_most", "of": "categories", "cap": 1, "window": 3},
    {"id": "pin", "kind": "pin", "items": ["romance-5", "drama-1"], "slots": [1, 4]},
    {"id": "no", "kind": "block", "where": '"horror" in categories'},
]


@settings(max_examples=40, deadline=None)
@given(
    asked=st.lists(
        st.tuples(queries(), st.lists(st.integers(0, SIZE - 1), unique=True, max_size=12)),
        min_size=1,
        max_size=4,
    ),
    pool=st.sampled_from([3, 10, 30, 500]),
    shortlist=st.sampled_from([1, 10, 100]),
    ruled=st.booleans(),
)
def test_what_the_stages_keep_multiplies_to_the_recall_exactly(
    asked: list[tuple[Query, list[int]]], pool: int, shortlist: int, *, ruled: bool
) -> None:
    built = certain(replace(surface("home", tiny_stores()), pool=pool, shortlist=shortlist))
    if ruled:
        told = {f"/{n}": each for n, each in enumerate(rules(RULES))}
        built = Program.checked(told, tiny_stores()).steer(built, asked[0][0])
    books, relevant, shown, fates = Ledger(), 0, 0, Counter()
    for query, later in asked:
        answer = waited(built.answer(query))
        books.add(Ledger.of(built, query, later, answer))
        relevant += len(later)
        shown += len(set(later) & set(answer.slate.rows.tolist()))
        fates.update(fate_of(built, query, row, answer).stage for row in later)
    lines = books.lines()
    assert (books.relevant, books.shown) == (relevant, shown)
    assert books.recall == (Fraction(shown, relevant) if relevant else 0)
    if relevant:
        assert prod((line.kept for line in lines), start=Fraction(1)) == Fraction(shown, relevant)
    assert lines[-1].left == shown
    assert {line.stage: line.lost for line in lines if line.lost} == {
        stage: n for stage, n in fates.items() if stage != "shown"
    }


def books_of(relevant: list[int], size: int = 2, **changes: object) -> Ledger:
    """Two generators, a filter, a ranker that keeps their order."""
    plain = Funnel(
        stores=tiny_stores(),
        generators=(Says((1, 2, 3, 4)), Shouts((3, 5, 6))),
        filters=(Rejects((2,)),),
        ranker=Scores(),
        rules=(),
    )
    query = replace(tiny_world().query("u1", size=size), excluded=np.empty(0, np.int32))
    built = replace(plain, **changes)
    return Ledger.of(built, query, relevant, waited(built.answer(query)))


class Shouts(Says):
    """Another generator."""


def test_generators_are_credited_with_what_only_they_bring() -> None:
    says, shouts = books_of([1, 3, 5, 30], pool=3).givers()
    assert (says.found, says.alone) == (2, 1)
    assert (shouts.found, shouts.alone) == (2, 1)
    all_of_it = books_of([1, 3, 5, 30]).givers()
    assert [each.marginal for each in all_of_it] == [1, 1], "3 would be there without either"


def test_rules_are_told_what_they_lost_and_what_they_won() -> None:
    books = books_of([1, 6], size=2, rules=(Rearranges(),))
    assert books.rules() == (("rearranges", 1, 1),)
    [line] = [line for line in books.lines() if line.stage == "rule"]
    assert line.parts == (("rearranges", 1),)


def test_nothing_relevant_is_nothing_lost() -> None:
    books = books_of([])
    assert (books.recall, books.lines()[-1].left) == (0, 0)
    assert all(line.kept == 1 for line in books.lines())
