"""The features in one row per candidate: what the ranker reads, live and in training alike."""

from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from math import log1p
from typing import TypedDict, Unpack

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Floats, Rows
from palate.catalog.columns import ItemColumns
from palate.errors import BadInput
from palate.features.definitions import cross, item, user
from palate.features.feature import Feature
from palate.features.items import ItemStates
from palate.features.moment import Moment
from palate.features.record import UserState

FEATURES: tuple[Feature, ...] = (*user.FEATURES, *item.FEATURES, *cross.FEATURES)
"""Every declared feature, in the order of declaration."""

BY_NAME = {feature.name: feature for feature in FEATURES}
LIMIT = 1e6
"""Values are cut to ± this, so that no feature can overflow a network."""


@lru_cache(maxsize=64)
def chosen(names: tuple[str, ...]) -> tuple[Feature, ...]:
    """Features by name, in order.

    Raises BadInput for a name that nothing declares.
    """
    unknown = [name for name in names if name not in BY_NAME]
    if unknown:
        raise BadInput(f"no such feature: {', '.join(unknown)}; see `palate.features.definitions`")
    return tuple(BY_NAME[name] for name in names)


def layout_hash(names: Sequence[str]) -> str:
    """A short name of a layout: changes with any change of order, name, unit or scale."""
    told = "\n".join(f"{f.name}|{f.unit}|{f.log}" for f in chosen(tuple(names)))
    return blake2b(told.encode(), digest_size=8).hexdigest()


class Given(TypedDict):
    """What a moment is made of; see `Moment`."""

    user: UserState
    now: float
    rows: Rows
    scores: Floats
    ranks: NDArray[np.int16]
    generators: tuple[str, ...]
    columns: ItemColumns
    states: ItemStates


def matrix(names: Sequence[str], **given: Unpack[Given]) -> Floats:
    """(len(rows), len(names)) float32 without NaN; what is missing has its default or a flag."""
    moment, features = Moment(**given), chosen(tuple(names))
    table = np.empty((len(features), len(moment.rows)), np.float32)
    heavy = []
    for place, feature in enumerate(features):
        value = feature.value(moment)
        if not isinstance(value, np.ndarray):
            value = log1p(max(value, 0.0)) if feature.log else value
        elif feature.log:
            heavy.append(place)
        table[place] = value
    counts = np.maximum(table[heavy], 0.0)
    # log runs on vectors in float32, log1p does not; what is lost is below 1e-7.
    table[heavy] = np.log(counts + np.float32(1.0))
    np.clip(table, -LIMIT, LIMIT, out=table)
    return np.ascontiguousarray(table.T)
