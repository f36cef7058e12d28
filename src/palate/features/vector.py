"""The features in one row per candidate: what the ranker reads, live and in training alike."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import TypedDict, Unpack

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Floats, Rows
from palate.errors import BadInput
from palate.features.definitions import cross, item, user
from palate.features.feature import Feature
from palate.features.known import Known, frozen, person_of
from palate.features.plan import Layout, compiled
from palate.features.reading.fill import fill
from palate.features.reading.shapes import Proposed
from palate.features.record import UserState
from palate.features.sources import WORDS, generator_of

DECLARED: tuple[Feature, ...] = (*user.FEATURES, *item.FEATURES, *cross.FEATURES)
"""Every declared feature, in the order of declaration; each generator's two words come on top."""
BY_NAME = {feature.name: feature for feature in DECLARED}


def offered(generators: Iterable[str]) -> tuple[str, ...]:
    """Names of the features that a new release learns from, with these generators' words."""
    words = [f"{name}_{word}" for name in generators for word in WORDS]
    return (*(feature.name for feature in DECLARED if not feature.retired), *words)


def feature_of(name: str) -> Feature | None:
    """A feature by name, a generator's word included; None for what nothing declares."""
    said = generator_of(name)
    if name in BY_NAME or said is None:
        return BY_NAME.get(name)
    return cross.word(*said)


@lru_cache(maxsize=64)
def chosen(names: tuple[str, ...]) -> tuple[Feature, ...]:
    """Features by name, in order.

    Raises BadInput for a name that nothing declares.
    """
    found = [feature_of(name) for name in names]
    unknown = [name for name, feature in zip(names, found, strict=True) if feature is None]
    if unknown:
        raise BadInput(f"no such feature: {', '.join(unknown)}; see `palate.features.definitions`")
    return tuple(feature for feature in found if feature is not None)


def layout_hash(names: Sequence[str]) -> str:
    """A short name of a layout: changes with any change of order, name, unit or scale."""
    told = "\n".join(f"{f.name}|{f.unit}|{f.log}" for f in chosen(tuple(names)))
    return blake2b(told.encode(), digest_size=8).hexdigest()


def meanings(names: Sequence[str]) -> dict[str, str]:
    """What each feature means today, as a short hash of its definition; releases keep it."""
    return {feature.name: feature.meaning for feature in chosen(tuple(names))}


class Asked(TypedDict):
    """Who asks, and for what."""

    user: UserState
    now: float
    rows: Rows
    scores: Floats
    """(n, generators): NaN where the generator did not find the item."""
    ranks: NDArray[np.int16]
    """(n, generators): from 1; 0 where the generator did not find the item."""
    generators: tuple[str, ...]


def matrix(names: Sequence[str], known: Known, **asked: Unpack[Asked]) -> Floats:
    """(len(rows), len(names)) float32 without NaN; what is missing has its default or a flag.

    The same arrays come of the same state, bit for bit: live, in replay, whatever else is asked.
    Columns lie end to end: who reads them reads one feature of all rows at a time.
    """
    return _filled(_layout(tuple(names)), known, asked)


def numbers(features: Sequence[Feature], known: Known, **asked: Unpack[Asked]) -> Floats:
    """As `matrix`, of features that nothing declares (yet)."""
    return _filled(compiled(features), known, asked)


def _filled(layout: Layout, known: Known, asked: Asked) -> Floats:
    rows = np.ascontiguousarray(asked["rows"], np.int32)
    proposed = Proposed(
        frozen(rows),
        frozen(np.ascontiguousarray(asked["scores"], np.float32)),
        frozen(np.ascontiguousarray(asked["ranks"], np.int16)),
        _heard(layout.heard, asked["generators"]),
    )
    out = np.empty((layout.width, len(rows)), np.float32)
    person, when = person_of(asked["user"]), known.when(asked["now"])
    fill(out, layout.plan, person, known.world(), proposed, when)
    return out.T


def defaults(names: Sequence[str]) -> Floats:
    """(names,): what each feature says where there is nothing to go by (every source is 0)."""
    return np.array([feature.nothing for feature in chosen(tuple(names))], np.float32)


@lru_cache(maxsize=64)
def _layout(names: tuple[str, ...]) -> Layout:
    return compiled(chosen(names))


@lru_cache(maxsize=256)
def _heard(heard: tuple[str, ...], generators: tuple[str, ...]) -> NDArray[np.int64]:
    """Column of each generator among those that were asked; -1 for one that was not."""
    at = [generators.index(name) if name in generators else -1 for name in heard]
    return frozen(np.array(at, np.int64))
