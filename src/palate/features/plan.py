"""A layout of features, compiled to the tables that the kernel goes by."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from palate.features.feature import Feature
from palate.features.known import frozen
from palate.features.reading.shapes import DOUBLINGS, LOG, PLAIN, Formulas, Plan
from palate.features.sources import AT, CANDIDATE, USER_AT, WORDS, generator_of


class Layout(NamedTuple):
    """What a release reads."""

    plan: Plan
    heard: tuple[str, ...]
    """Generators whose words it reads."""

    @property
    def width(self) -> int:
        """Columns of the matrix."""
        return len(self.plan.user.place) + len(self.plan.candidate.place)


def compiled(features: Sequence[Feature]) -> Layout:
    """Compile features in the order of the matrix' columns."""
    sources = [source for f in features for source in (f.value.part, f.value.whole)]
    said = [found for source in sources if (found := generator_of(source))]
    heard = tuple(dict.fromkeys(generator for generator, _ in said))
    words = {
        f"{generator}_{word}": len(CANDIDATE) + len(WORDS) * place + at
        for place, generator in enumerate(heard)
        for at, word in enumerate(WORDS)
    }
    placed = list(enumerate(features))
    mine = [(place, f) for place, f in placed if f.subject == "user"]
    theirs = [(place, f) for place, f in placed if f.subject != "user"]
    return Layout(Plan(_formulas(mine, USER_AT), _formulas(theirs, AT | words)), heard)


def _formulas(placed: Sequence[tuple[int, Feature]], slots: dict[str, int]) -> Formulas:
    values = [feature.value for _, feature in placed]
    columns: tuple[NDArray[Any], ...] = (
        np.array([place for place, _ in placed], np.int64),
        np.array([slots[value.part] for value in values], np.int64),
        np.array([value.times for value in values], np.float32),
        np.array([value.plus for value in values], np.float32),
        np.array([slots[v.whole] if v.whole else -1 for v in values], np.int64),
        np.array([value.per for value in values], np.float32),
        np.array([value.over for value in values], np.float32),
        np.array([_curve(feature) for _, feature in placed], np.uint8),
    )
    return Formulas(*map(frozen, columns))


def _curve(feature: Feature) -> int:
    if feature.value.doublings:
        return DOUBLINGS
    return LOG if feature.log else PLAIN
