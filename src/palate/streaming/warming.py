"""Loads the kernels of the fold before they are needed: that takes over half a second."""

import numpy as np

from palate.events.batch import EventBatch
from palate.events.kinds import Event, Kind
from palate.events.protocol import Logged
from palate.features.items import ItemStates
from palate.features.users import UserTable
from palate.models.covisit import Covisit
from palate.settings import CovisitSettings, Settings
from palate.streaming.state import LiveState


def warm(settings: Settings) -> None:
    """Fold a few events of nobody's into a state that is thrown away."""
    state = LiveState(
        settings.streaming,
        ItemStates.in_memory(segments=settings.features.segments),
        Covisit.in_memory(CovisitSettings(neighbours=8)),
        UserTable(),
    )
    acts = [
        Event(event_id="", kind=Kind.CLICK, time=float(n), session_id="s", item_id=f"{n}")
        for n in range(3)
    ]
    acts.append(Event(event_id="", kind=Kind.LIKE, time=3.0, user_id="u", session_id="s"))
    logged = [Logged(n, 0.0, act) for n, act in enumerate(acts)]
    batch = EventBatch.encode(logged, lambda ids: np.arange(len(ids), dtype=np.int32))
    state.change(state.apply(batch), position=0)
