"""Rules and filters against the oracle, sampled (all of it: bench/lawful.py)."""

from dataclasses import replace

import numpy as np
import pytest
from lawful import judged

from palate.arrays import Mask, Rows
from palate.funnel.types import Columns, Query, Reason
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
    async def whatever_stands_above(row: composing.Row, _: Rows, size: int) -> composing.Row:
        return await beneath(row, np.empty(0, np.int32), size)

    beneath = composing._beneath
    monkeypatch.setattr(composing, "_beneath", whatever_stands_above)
    assert judged(200, seed=11).wrong["page, repeated"] > 0


def test_the_oracle_sees_a_row_whose_rules_acted_before_it_had_its_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def cut(row: composing.Row, above: Rows, size: int) -> composing.Row:
        slate = row.slate.take(np.flatnonzero(~np.isin(row.slate.rows, above))[:size])
        answer = replace(row.found.answer, slate=slate, reasons=(Reason("popular"),) * len(slate))
        return row._replace(found=row.found._replace(answer=answer))

    monkeypatch.setattr(composing, "_beneath", cut)
    assert judged(400, seed=11).wrong["page, at_most"] > 0


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
