"""Rules and filters against the oracle, sampled (all of it: bench/lawful.py)."""

import pytest
from lawful import judged

from palate.arrays import Mask, Rows
from palate.funnel.types import Columns, Query
from palate.reranking.editorial.block import Block
from palate.reranking.editorial.in_window import InWindow
from palate.serving import composing
from palate.surfaces.steered import leaving

SAMPLE = 504
"""A multiple of the requests under one set of rules."""


def test_no_combination_of_rules_and_filters_shows_what_is_forbidden() -> None:
    tally = judged(SAMPLE, seed=11)
    assert tally.examples == []
    assert tally.cases >= SAMPLE
    assert tally.full > SAMPLE / 2
    assert tally.pages > 0
    assert {"full", "retrieval", "popular", "static"} <= set(tally.steps)
    assert {"block", "restrict", "pin", "at_most", "at_least", "seen"} <= set(tally.kinds)


def everything(_: Block, query: Query, rows: Rows, columns: Columns) -> Mask:  # noqa: ARG001
    return rows >= 0


def test_the_oracle_sees_a_filter_that_lets_everything_pass(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Block, "keep", everything)
    assert judged(200, seed=11).wrong["forbidden"] > 0


def test_the_oracle_sees_a_page_that_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaving, "MUCH", 1.0)
    assert judged(400, seed=11).wrong["short"] > 0


def test_the_oracle_sees_an_item_on_two_rows_of_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(composing, "_without", lambda row, above, size: row)  # noqa: ARG005
    assert judged(200, seed=11).wrong["repeated"] > 0


def test_the_oracle_sees_a_window_that_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(InWindow, "watch", lambda *_: Careless())
    assert judged(200, seed=11).wrong["at_most"] > 0


class Careless:
    """Keeps to nothing."""

    def allows(self, place: int, *, last: bool) -> None:
        return None

    def takes(self, at: int) -> bool:
        return False

    def owes(self) -> int:
        return 0

    def lacks(self) -> int:
        return 0
