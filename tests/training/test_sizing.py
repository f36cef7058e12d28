"""How much is learnt from, by how much there is."""

import numpy as np
import pytest

from palate.events.batch import EventBatch
from palate.events.kinds import Event, Kind
from palate.events.protocol import Logged
from palate.settings import TrainingSettings
from palate.training.sequences import Sequences
from palate.training.sizing import cut, half, moments


@pytest.mark.parametrize(
    ("people", "engaged", "horizon", "share"),
    [
        (900, 80_000, 200, 0.7),  # labels that reach far want room
        (22_000, 60_000, 1, 0.8),  # 4,000 moments, labels of one act
        (6_000, 1_000_000, 1, 0.9),
        (900, 0, 1, 0.7),
    ],
)
def test_the_log_is_cut_as_late_as_the_labels_have_room(
    people: int, engaged: int, horizon: int, share: float
) -> None:
    settings = TrainingSettings(horizon=horizon)
    assert cut(settings, people, engaged) == pytest.approx(share)


def test_one_of_five_people_is_a_moment_within_bounds_unless_a_number_is_set() -> None:
    for people, asked in ((100, 1_300), (10_000, 2_000), (1_000_000, 4_000)):
        assert moments(TrainingSettings(), people) == asked
    assert moments(TrainingSettings(ranker_queries=77), 10_000) == 77
    assert cut(TrainingSettings(ranker_queries=100, horizon=1), 1, 1_500) == pytest.approx(0.8)


@pytest.mark.parametrize(("acts", "events"), [(4, 1.0), (40, 10.0)])
def test_content_holds_rare_items_where_histories_are_long(acts: int, events: float) -> None:
    told = [
        Event(event_id=f"{n}", kind=Kind.CLICK, user_id=f"u{n // acts}", item_id=f"{n % 7}", time=n)
        for n in range(6 * acts)
    ]
    logged = [Logged(n + 1, float(n), event) for n, event in enumerate(told)]
    batch = EventBatch.encode(logged, lambda ids: np.array(list(map(int, ids)), np.int32))
    assert half(Sequences.of(batch), len(told) + 1) == events
