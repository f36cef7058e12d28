import numpy as np

from palate.catalog.columns import ItemColumns
from palate.features.items import ItemStates
from palate.features.known import Known, Sight
from palate.models.covisit import Covisit


def test_a_world_is_made_once_and_anew_when_arrays_are_others() -> None:
    columns, states, pairs = (
        ItemColumns.in_memory(8),
        ItemStates.in_memory(8),
        Covisit.in_memory(capacity=8),
    )
    sight = Sight()
    before = Known(columns, states, pairs, sight=sight).world()
    assert Known(columns, states, pairs, sight=sight).world() is before
    slot = states.slot(3)
    states.counts[slot, 1] = 5.0
    assert before.slots[3] == slot
    assert before.counts[slot, 1] == 5.0
    states.grow(100)
    after = Known(columns, states, pairs, sight=sight).world()
    assert after is not before
    assert len(after.slots) == states.capacity
    assert after.counts[slot, 1] == 5.0


def test_what_is_copied_is_not_held() -> None:
    columns, states = ItemColumns.in_memory(8), ItemStates.in_memory(8)
    columns.codes = np.zeros((3, 8), np.int16).T
    known = Known(columns, states, Covisit.in_memory(capacity=8))
    before = known.world()
    columns.codes[2, 0] = 7
    assert before.codes[2, 0] == 0
    assert known.world().codes[2, 0] == 7
