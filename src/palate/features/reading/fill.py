"""The whole matrix in one compiled pass: the user once, then all candidates side by side.

A feature is a row here: formulas, curves and trees go over all candidates of one feature at a time.
"""

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Doubles, Floats
from palate.features.reading.candidates import read_items
from palate.features.reading.near import meet
from palate.features.reading.past import remember
from palate.features.reading.person import describe
from palate.features.reading.relate import WIDTH, read_pairs, read_words
from palate.features.reading.shapes import (
    DOUBLINGS,
    LOG,
    Formulas,
    Person,
    Plan,
    Proposed,
    When,
    World,
)
from palate.jit import kernel, ln

LIMIT = np.float32(1e6)
"""Values are cut to ± this, so that no feature can overflow a network."""
TINY = np.float32(1e-30)
LOG2_E = np.float32(1.4426950408889634)


@kernel
def fill(
    out: Floats, plan: Plan, person: Person, world: World, proposed: Proposed, when: When
) -> None:
    """Fill (features, n)."""
    memory = remember(person, world, when)
    _tell(out, plan.user, describe(person, memory, when))
    if len(proposed.rows) == 0:
        return
    met = meet(proposed.rows, person, world, memory, when)
    segment = int(person.numbers[0])
    raw = np.zeros((WIDTH + 2 * len(proposed.heard), _apart(len(proposed.rows))), np.float32)
    read_items(raw, proposed.rows, world, segment, when)
    read_pairs(raw, proposed.rows, world, memory, met)
    read_words(raw, proposed)
    _shape(out, raw, plan.candidate)


@kernel
def _apart(size: int) -> int:
    """Room for so many, so that rows begin on different lines of the processor's cache."""
    return (size + 15) // 16 * 16 + 16


@kernel
def _tell(out: Floats, formulas: Formulas, own: Doubles) -> None:
    """The user's features, the same beside every candidate."""
    for f in range(len(formulas.slots)):
        place, part, whole, curve = formulas.slots[f]
        times, plus, per, over = formulas.numbers[f]
        x, y = own[part] * times + plus, np.float64(over)
        if whole >= 0:
            y += own[whole] * per
        value = x / y if y != 0 else 0.0
        if curve == LOG:
            value = np.log1p(max(value, 0.0))
        elif curve == DOUBLINGS:
            value = np.log2(max(value, 1e-30))
        out[place] = np.float32(min(max(value, -LIMIT), LIMIT))


@kernel
def _shape(out: Floats, raw: Floats, formulas: Formulas) -> None:
    """Apply each formula to all candidates."""
    slots, numbers = formulas.slots, formulas.numbers
    for f in range(len(slots)):
        if slots[f, 2] < 0:
            _scale(out, raw, f, slots, numbers)
        else:
            _divide(out, raw, f, slots, numbers)
        if slots[f, 3] == LOG:
            _count(out, slots[f, 0])
        elif slots[f, 3] == DOUBLINGS:
            _double(out, slots[f, 0])


@kernel
def _scale(out: Floats, raw: Floats, f: int, slots: NDArray[np.int64], numbers: Floats) -> None:
    place, part = slots[f, 0], slots[f, 1]
    times, plus = numbers[f, 0] / numbers[f, 3], numbers[f, 1] / numbers[f, 3]
    for j in range(out.shape[1]):
        out[place, j] = min(max(raw[part, j] * times + plus, -LIMIT), LIMIT)


@kernel
def _divide(out: Floats, raw: Floats, f: int, slots: NDArray[np.int64], numbers: Floats) -> None:
    place, part, whole = slots[f, 0], slots[f, 1], slots[f, 2]
    times, plus, per, over = numbers[f, 0], numbers[f, 1], numbers[f, 2], numbers[f, 3]
    for j in range(out.shape[1]):
        ratio = (raw[part, j] * times + plus) / (raw[whole, j] * per + over)
        out[place, j] = min(max(ratio, -LIMIT), LIMIT)


@kernel
def _count(out: Floats, place: int) -> None:
    """log(1 + x)."""
    for j in range(out.shape[1]):
        out[place, j] = ln(max(out[place, j], np.float32(0)) + np.float32(1))


@kernel
def _double(out: Floats, place: int) -> None:
    """log2(x)."""
    for j in range(out.shape[1]):
        out[place, j] = ln(max(out[place, j], TINY)) * LOG2_E
