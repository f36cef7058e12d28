"""Whom a visitor follows or sent away: the profile's word, and what they did since, which wins."""

from collections.abc import Iterable

import numpy as np

from palate.arrays import Rows
from palate.catalog.columns import ItemColumns
from palate.features.kernel import MUTES
from palate.features.record import UserState

FOLLOWS = 1


def followed(state: UserState, columns: ItemColumns, profile: Iterable[str] = ()) -> Rows:
    """Codes of the creators followed; those without items have none.

    `profile` are the creators that the profile names. A follow or an unfollow is the last word on
    its creator, whether it named them or an item of theirs.
    """
    codes = dict.fromkeys(map(columns.creator_code, profile), True)
    for whom, on in zip(state.follows.tolist(), state.following.tolist(), strict=True):
        codes[_code(columns, whom)] = on == FOLLOWS
    return np.array([code for code, on in codes.items() if on and code >= 0], np.int32)


def muted(state: UserState, columns: ItemColumns) -> Rows:
    """Codes of the creators that were hidden; a follow or an unfollow later takes it back."""
    said = state.follows[state.following == MUTES].tolist()
    codes = [_code(columns, whom) for whom in said]
    return np.array([code for code in codes if code >= 0], np.int32)


def _code(columns: ItemColumns, whom: int) -> int:
    if whom > 0:
        return columns.creator_of(whom)
    row = -1 - whom
    return int(columns.creator[row]) if row < columns.size else -1
