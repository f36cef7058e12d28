"""Because You Watched: a row about one thing the visitor liked."""

from dataclasses import replace

import numpy as np

from palate.arrays import Rows
from palate.catalog.columns import ItemColumns
from palate.events.kinds import Signal
from palate.features.record import UserState
from palate.funnel.engine import Funnel
from palate.funnel.types import Query
from palate.reranking.rest_shown import RestShown
from palate.stores import Stores
from palate.surfaces.more_like_this import more_like_this

LOOK_BACK = 20
"""How many of the visitor's last items may be the anchor."""


def because_you_watched(stores: Stores) -> Funnel:
    """More like the anchor: `query.seed_item`, else the last item that was liked, else taken in.

    What was shown more than twice and never touched makes room, later than on Home, for the row is
    about its anchor. More Like This stays as it is: its item was chosen anew.
    """

    def anchor(query: Query) -> int:
        return last_liked(query, stores.columns)

    beside = more_like_this(stores)
    return replace(beside, anchor=anchor, rules=(RestShown(free=2), *beside.rules))


def last_liked(query: Query, columns: ItemColumns) -> int:
    """The newest servable item with a positive signal, else the newest taken in; -1 for none."""
    found = anchors(query.user, columns)
    return int(found[0]) if len(found) else -1


def anchors(user: UserState, columns: ItemColumns) -> Rows:
    """Servable items that a row may be about: what was liked lately, then what was taken in."""
    recent = user.engaged(LOOK_BACK)
    recent = recent[columns.read(recent, ["servable"])["servable"] != 0]
    liked = np.isin(recent, user.history[(user.signals & Signal.POSITIVE) != 0])
    return np.concatenate([recent[liked], recent[~liked]])
