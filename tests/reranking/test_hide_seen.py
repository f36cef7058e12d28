"""A click is an interest; what was consumed or judged is seen."""

from dataclasses import replace

import numpy as np
import pytest

from palate.events.kinds import Kind, Signal, signals_of
from palate.features.record import UserState
from palate.reranking.hide_seed import HideSeed
from palate.reranking.hide_seen import HideSeen
from palate.testing.tiny import tiny_world


def hides(signals: int, part: HideSeen | None = None) -> bool:
    user = replace(
        UserState.nobody(),
        seen=np.array([7], np.int32),
        seen_signals=np.array([signals], np.uint32),
    )
    query = replace(tiny_world().query(), user=user)
    kept = (part or HideSeen()).keep(query, np.array([3, 7], np.int32), {})
    assert kept[0], "what was never seen stays"
    return not kept[1]


@pytest.mark.parametrize(
    "kind",
    [Kind.VIEW, Kind.LIKE, Kind.DISLIKE, Kind.SAVE, Kind.PURCHASE, Kind.RATING, Kind.HIDE],
)
def test_what_was_taken_or_judged_is_hidden(kind: Kind) -> None:
    assert hides(signals_of(kind, None))
    assert hides(signals_of(kind, None) | signals_of(Kind.CLICK, None))


@pytest.mark.parametrize("kind", [Kind.IMPRESSION, Kind.CLICK])
def test_what_was_only_shown_or_clicked_stays(kind: Kind) -> None:
    assert not hides(signals_of(kind, None))


def test_a_surface_may_hide_only_what_was_turned_down() -> None:
    lightly = HideSeen(signals=int(Signal.NEGATIVE))
    assert hides(signals_of(Kind.DISLIKE, None), lightly)
    assert not hides(signals_of(Kind.VIEW, 1.0), lightly)


def test_an_item_is_not_like_itself() -> None:
    query = replace(tiny_world().query(), seed_item=7)
    assert HideSeed().keep(query, np.array([3, 7], np.int32), {}).tolist() == [True, False]
    assert HideSeed().excludes(query).tolist() == [7]
    assert HideSeed().excludes(tiny_world().query()).tolist() == []
