"""The questions of tuning: the split made once more inside train."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from palate.arrays import Mask
from palate.evaluation.split import Case, Protocol, Split, split
from palate.events.batch import EventBatch

SHARE = 0.9
"""Under `time`: where tuning's questions begin, of the training events."""


class Inside(NamedTuple):
    """A log without its test events, and where its past ends."""

    batch: EventBatch
    cut: Split
    shown: Mask
    """(rows,): which items can be shown to anybody."""


def inside(batch: EventBatch, protocol: Protocol, shown: Mask) -> Inside:
    """What may be tuned on, of a whole log.

    Under `time` the training events are split again. Under `loo` they train as they are, and the
    question is everybody's last but one. Raises BadInput where there are too few events.
    """
    cut = split(batch, protocol, shown=shown)
    if protocol == "time":
        past = batch.take(cut.train)
        return Inside(past, split(past, protocol, SHARE, shown), shown)
    return Inside(batch, replace(cut, cases=tuple(map(_earlier, cut.cases))), shown)


def _earlier(case: Case) -> Case:
    """Ask for the last of the history, when it was taken."""
    return replace(
        case,
        now=float(case.times[-1]),
        history=case.history[:-1],
        times=case.times[:-1],
        relevant=case.history[-1:],
        extra=np.empty(0, np.intp),
    )


def drawn(cut: Split, users: int, seed: int) -> list[Case]:
    """At most so many of the questions, by lot, in their order."""
    if len(cut.cases) <= users:
        return list(cut.cases)
    dice = np.random.Generator(np.random.PCG64(seed))
    return [cut.cases[at] for at in np.sort(dice.permutation(len(cut.cases))[:users]).tolist()]
