"""A layout of features, compiled to the tables that the kernel goes by."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

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
        return len(self.plan.user.slots) + len(self.plan.candidate.slots)


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


def _formulas(placed: Sequence[tuple[int, Feature]], at: dict[str, int]) -> Formulas:
    values = [(place, feature, feature.value) for place, feature in placed]
    slots = [(p, at[v.part], at[v.whole] if v.whole else -1, _curve(f)) for p, f, v in values]
    numbers = [(v.times, v.plus, v.per, v.over) for _, _, v in values]
    return Formulas(
        frozen(np.array(slots, np.int64).reshape(-1, 4)),
        frozen(np.array(numbers, np.float32).reshape(-1, 4)),
    )


def _curve(feature: Feature) -> int:
    if feature.value.doublings:
        return DOUBLINGS
    return LOG if feature.log else PLAIN
