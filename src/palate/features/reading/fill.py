"""The whole matrix in one compiled pass: the user once, then the candidates tile by tile."""

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Doubles, Floats
from palate.features.reading.near import meet
from palate.features.reading.past import remember
from palate.features.reading.person import describe
from palate.features.reading.relate import WIDTH, read_pairs, read_words
from palate.features.reading.shapes import (
    DOUBLINGS,
    LOG,
    PLAIN,
    TILE,
    Formulas,
    Person,
    Plan,
    Proposed,
    When,
    World,
)
from palate.features.reading.tile import gathered, read_items
from palate.jit import kernel, ln

LIMIT = np.float32(1e6)
"""Values are cut to ± this, so that no feature can overflow a network."""
TINY = np.float32(1e-30)
LOG2_E = np.float32(1.4426950408889634)


@kernel
def fill(
    out: Floats, plan: Plan, person: Person, world: World, proposed: Proposed, when: When
) -> None:
    """Fill (n, features)."""
    memory = remember(person, world, when)
    own = describe(person, memory, when)
    mine = np.zeros(out.shape[1], np.float32)
    _tell(mine, plan.user, own)
    if len(proposed.rows) == 0:
        return
    met = meet(proposed.rows, person, world, memory, when)
    segment = int(person.numbers[0])
    raw = np.zeros((WIDTH + 2 * len(proposed.heard), TILE), np.float32)
    told = np.empty((len(plan.candidate.place), TILE), np.float32)
    rows = np.empty(TILE, np.int32)
    for start in range(0, len(proposed.rows), TILE):
        size = gathered(proposed.rows, start, rows)
        read_items(raw, rows, world, segment, when)
        read_pairs(raw, rows, start, world, memory, met)
        read_words(raw, start, proposed)
        _shape(told, raw, plan.candidate)
        _write(out[start : start + size], mine, told, plan.candidate.place)


@kernel
def _tell(mine: Floats, formulas: Formulas, own: Doubles) -> None:
    """The user's features, each in its column."""
    for f in range(len(formulas.place)):
        x = own[formulas.part[f]] * formulas.times[f] + formulas.plus[f]
        y = np.float64(formulas.over[f])
        if formulas.whole[f] >= 0:
            y += own[formulas.whole[f]] * formulas.per[f]
        value = x / y if y != 0 else 0.0
        if formulas.curve[f] == LOG:
            value = np.log1p(max(value, 0.0))
        elif formulas.curve[f] == DOUBLINGS:
            value = np.log2(max(value, 1e-30))
        mine[formulas.place[f]] = min(max(value, -LIMIT), LIMIT)


@kernel
def _shape(told: Floats, raw: Floats, formulas: Formulas) -> None:
    """Apply each formula to a tile."""
    for f in range(len(formulas.place)):
        part, whole = formulas.part[f], formulas.whole[f]
        times, plus = formulas.times[f], formulas.plus[f]
        per, over = formulas.per[f], formulas.over[f]
        if whole < 0:
            scale, shift = times / over, plus / over
            for j in range(TILE):
                told[f, j] = raw[part, j] * scale + shift
        else:
            for j in range(TILE):
                told[f, j] = (raw[part, j] * times + plus) / (raw[whole, j] * per + over)
        if formulas.curve[f] != PLAIN:
            _bend(told[f], formulas.curve[f] == LOG)
        for j in range(TILE):
            told[f, j] = min(max(told[f, j], -LIMIT), LIMIT)


@kernel
def _bend(values: Floats, counted: bool) -> None:  # noqa: FBT001  a kernel's arguments have no names
    """Take log(1 + x) of what was counted, log2(x) of a ratio."""
    if counted:
        for j in range(TILE):
            values[j] = ln(max(values[j], np.float32(0)) + np.float32(1))
    else:
        for j in range(TILE):
            values[j] = ln(max(values[j], TINY)) * LOG2_E


@kernel
def _write(out: Floats, mine: Floats, told: Floats, place: NDArray[np.int64]) -> None:
    """Lay a tile into the matrix, a candidate a row."""
    for j in range(len(out)):
        for column in range(len(mine)):
            out[j, column] = mine[column]
        for f in range(len(place)):
            out[j, place[f]] = told[f, j]
