"""Rolling on: everybody's own acts go on with the windows, items' counts where they are live."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.evaluation.test_run import CANARY, future, home, past, silent, site_of, took, untrained
from tests.evaluation.test_split import batch_of, event
from tests.property.histories import unhurried

from palate.errors import BadInput
from palate.evaluation import rolling as module
from palate.evaluation.judging import Bench
from palate.evaluation.report import Report
from palate.evaluation.rolling import SLICES, rolled
from palate.evaluation.run import Wish
from palate.evaluation.split import Case, rolling
from palate.events.kinds import Event
from palate.testing.tiny import NOW, tiny_row

EVENTS = past() + future(np.random.default_rng(1))
LATE = [took(f"u{n}", CANARY, NOW + 5_000 + n) for n in range(20, 40)]
"""The canary was taken by twenty before, so that it is popular by then."""


def report(events: list[Event], windows: int = 2, models: tuple[str, ...] = ()) -> Report:
    return rolled(site_of(events), Wish(models=models), windows, home, untrained, silent)


@unhurried
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), min_size=30), st.integers(1, 5))
def test_whatever_is_taken_later_is_asked_for_in_one_window_and_known_in_the_next(
    told: list[tuple[int, int]], windows: int
) -> None:
    batch = batch_of([event(f"u{who}", item, float(at)) for at, (who, item) in enumerate(told)])
    try:
        cuts = rolling(batch, windows)
    except BadInput:
        return
    assert len(cuts) <= windows
    asked: dict[int, list[Case]] = {}
    for cut in cuts:
        for case in cut.cases:
            assert case.now == cut.moment
            assert case.times.max() < cut.moment
            asked.setdefault(case.user, []).append(case)
    for cases in asked.values():
        for before, after in pairwise(cases):
            known = [*before.history.tolist(), *before.relevant.tolist()]
            assert after.history.tolist()[: len(known)] == known


def test_each_state_has_its_rows_and_the_data_say_what_was_asked() -> None:
    found = report(EVENTS)
    assert {str(row["slice"]) for row in found.rows} <= set(SLICES)
    assert {"frozen all", "online all"} <= {str(row["slice"]) for row in found.rows}
    assert (found.protocol, found.data["windows"], found.data["events"]) == ("rolling", 2, 300)
    assert found.row("covisit", "online all")["users"] == found.data["questions"]
    assert found.table().row_count > len(found.rows)


def test_only_what_is_live_learns_what_became_popular() -> None:
    found = report(EVENTS + LATE, 4, ("popularity", "popular", "covisit"))
    for model in ("popularity", "popular"):
        frozen, online = (found.row(model, f"{state} all") for state in ("frozen", "online"))
        assert online["recall@10"] > frozen["recall@10"]  # type: ignore[operator]


def test_until_the_first_window_ends_both_states_are_one() -> None:
    found = report(EVENTS, 1)
    for row in found.rows:
        state, _, part = str(row["slice"]).partition(" ")
        other = found.row(str(row["model"]), f"online {part}")
        assert state == "online" or {**row, "slice": ""} == {**other, "slice": ""}


def test_nobody_is_asked_for_what_they_had_nor_given_it(monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[tuple[Case, np.ndarray]] = []

    class Watched(Bench):
        def rows(self, model: str, lists):  # noqa: ANN001, ANN202  as it is
            held.extend(zip(self.cases, lists, strict=True))
            return super().rows(model, lists)

    monkeypatch.setattr(module, "Bench", Watched)
    report(EVENTS + LATE, 3)
    assert held
    for case, rows in held:
        assert not set(rows.tolist()) & set(case.history.tolist())
        assert not set(case.relevant.tolist()) & set(case.history.tolist())
    assert any(tiny_row(CANARY) in case.history for case, _ in held)


def test_too_little_is_told_in_a_sentence() -> None:
    with pytest.raises(BadInput, match="too few events to roll on"):
        report(EVENTS[:3])
