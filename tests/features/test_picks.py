"""Picks of a newcomer: they make the taste of who picked, and count for no item."""

import numpy as np
import pytest

from palate.catalog.columns import ItemColumns
from palate.catalog.user import user_key
from palate.events.batch import EventBatch
from palate.events.kinds import PUBLIC, Event, Kind, Signal
from palate.events.protocol import Logged
from palate.settings import Settings
from palate.streaming.replay import Replay
from palate.training.sequences import Sequences


def _rows(ids: list[str]) -> np.ndarray:
    return np.array([int(name[1:]) for name in ids], np.int32)


def _logged(*acts: tuple[str, Kind, str]) -> list[Logged]:
    return [
        Logged(n, 0.0, Event(event_id=f"e{n}", kind=kind, time=float(n), user_id=u, item_id=item))
        for n, (u, kind, item) in enumerate(acts, 1)
    ]


def _replay(*acts: tuple[str, Kind, str]) -> Replay:
    replay = Replay(Settings(), ItemColumns.in_memory())
    replay.fold(_logged(*acts), _rows)
    return replay


def test_a_pick_is_the_pickers_history() -> None:
    state = _replay(("u", Kind.PICK, "i1"), ("u", Kind.PICK, "i2")).user(user_key("u"))
    assert state.engaged(10).tolist() == [2, 1]
    assert (state.signals & Signal.POSITIVE).all()
    assert state.total == 2
    assert ((state.seen_signals & Signal.TAKEN) != 0).all(), "what one knows is not recommended"


@pytest.mark.parametrize("of", ["engaged_total", "clicked_30d", "positive_7d"])
def test_no_count_of_the_item_grows(of: str) -> None:
    states = _replay(("u", Kind.PICK, "i1"), ("v", Kind.CLICK, "i1"), ("w", Kind.PICK, "i1")).states
    alone = _replay(("x", Kind.SEARCH, ""), ("v", Kind.CLICK, "i1")).states
    assert states.decayed(of, 1.0)[1] == alone.decayed(of, 1.0)[1]
    assert states.pack(1) == alone.pack(1)


def test_nothing_is_taken_together_with_a_pick_but_the_real_act_later_counts() -> None:
    picked = _replay(("u", Kind.PICK, "i1"), ("u", Kind.VIEW, "i2"))
    assert not len(picked.covisit.neighbours(2, 5)[0])
    later = _replay(("u", Kind.PICK, "i1"), ("u", Kind.VIEW, "i2"), ("u", Kind.VIEW, "i1"))
    assert later.covisit.neighbours(1, 5)[0].tolist() == [2]
    assert later.states.decayed("engaged_total", 1.0)[1] == 1.0


def test_training_reads_picks_and_predicts_none() -> None:
    logged = _logged(("u", Kind.PICK, "i1"), ("u", Kind.VIEW, "i2"))
    sequences = Sequences.of(EventBatch.encode(logged, _rows))
    assert sequences.items.tolist() == [1, 2]
    assert sequences.wanted.tolist() == [False, True]


def test_clients_may_send_it_and_no_internal_kind() -> None:
    assert "pick" in PUBLIC
    assert not {"profile", "forget"} & set(PUBLIC)
