"""The canary in the mine: rows that know their own future end the training.

A feature that alone tells what somebody will take from what they will not is no feature but a
leak: a count that holds the labelled event, a date from the future, a join on the wrong day. Or
people follow a schedule: a programme of the day, lessons in their order, shelves that take turns.
Then what lies before each moment tells it too, by a plain count that nothing has touched but the
log up to there; where it does, nothing is accused.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from palate.arrays import Doubles, Floats, Keys, Rows, Times
from palate.errors import GateRefused
from palate.events.batch import EventBatch
from palate.training.ranking.lists import RankedList

TOO_GOOD = 0.99
"""AUC within lists, of one feature alone, that nothing honest reaches (the best here: .8)."""
NEAR = 0.03
"""A plain count that is so near to a suspect clears it."""
FEWEST = 50
"""Lists with hits and misses below which the AUC may be luck."""
MOST = 200
"""Lists looked at."""


class Past(NamedTuple):
    """All engagements of a log, in its order, to be looked at only as far as a moment."""

    positions: NDArray[np.int64]
    users: Keys
    items: Rows
    times: Times
    before: NDArray[np.int64]
    """What the same user took in just before; -1 for nothing."""

    @classmethod
    def of(cls, events: EventBatch) -> Self:
        """The engagements, each with the one of its user before it."""
        taken = events.take(events.engaged)
        order = np.argsort(taken.user, kind="stable")
        same = taken.user[order][1:] == taken.user[order][:-1]
        before = np.full(len(taken), -1)
        before[order[1:]] = np.where(same, taken.item[order[:-1]], -1)
        return cls(taken.position, taken.user, taken.item, taken.time, before)

    def told(self, each: RankedList) -> Mapping[str, Doubles]:
        """(kept,) by name: plain counts from what lies before a list's moment."""
        rows, end = each.rows[each.kept], int(np.searchsorted(self.positions, each.position))
        items, size = self.items[:end], int(max(self.items.max(initial=0), rows.max())) + 1
        last = np.full(size, -np.inf)
        last[items] = self.times[:end]
        own = np.flatnonzero(self.users[:end] == np.uint64(each.user))
        after = items[self.before[:end] == (items[own[-1]] if len(own) else -2)]
        counts = {
            "how often it was taken": items,
            "how often it followed what the visitor took last": after,
            "how often the visitor had it": items[own],
        }
        found = {name: np.bincount(told, minlength=size)[rows] for name, told in counts.items()}
        return {name: told.astype(np.float64) for name, told in found.items()} | {
            "how long ago it was taken": last[rows]
        }


def watch(
    lists: Sequence[RankedList], features: Sequence[str], events: EventBatch, what: str
) -> str:
    """Raise GateRefused naming the first feature that tells hits from misses all by itself.

    Otherwise a sentence where there was something to say: too few lists (`what` they are), or a
    feature that what came before in the log, the `events`, explains.
    """
    mixed = [each for each in lists if 0 < _hits(each).sum() < len(each.kept)]
    if len(mixed) < FEWEST:
        return (
            f" Nobody watched {what} for features that know the future: that takes {FEWEST} with"
            f" hits and misses, and there are {len(mixed):,}."
        )
    asked = mixed[:: max(1, len(mixed) // MOST)]
    found = np.mean([_auc(each, each.features) for each in asked], axis=0)
    strong = np.maximum(found, 1.0 - found)
    suspects = np.flatnonzero(strong > TOO_GOOD)
    if not len(suspects):
        return ""
    why, explained = _explained(asked, Past.of(events))
    for at in suspects.tolist():
        if strong[at] > explained + NEAR:
            raise GateRefused(
                f"the feature {features[at]!r} alone tells what will be taken from what will not"
                f" (AUC {strong[at]:.3f} over {what}; plain counts of what was before reach"
                f" {explained:.3f}): it knows the future. Nothing was released; look at what it"
                " counts, and at which time"
            )
    return (
        f" People follow a schedule: {features[suspects[0]]!r} alone tells what will be taken (AUC"
        f" {strong[suspects[0]]:.3f} over {what}), and so does a plain count of what was"
        f" before: {why} ({explained:.3f})."
    )


def _explained(lists: Sequence[RankedList], past: Past) -> tuple[str, float]:
    """The plain count that tells hits from misses best, and how well."""
    told = [past.told(each) for each in lists]
    reached = {
        name: float(
            np.mean([_auc(x, each[name][:, None])[0] for x, each in zip(lists, told, strict=True)])
        )
        for name in told[0]
    }
    strong = {name: max(auc, 1.0 - auc) for name, auc in reached.items()}
    best = max(strong, key=strong.__getitem__)
    return best, strong[best]


def _hits(each: RankedList) -> NDArray[np.bool_]:
    return np.asarray(each.labels[each.kept, 0] > 0)


def _auc(each: RankedList, values: Floats | Doubles) -> Doubles:
    """(columns,): the chance that a hit's value is above a miss's; ties count half."""
    hits = _hits(each)
    n = int(hits.sum())
    ranks: Floats = rankdata(values, axis=0)
    auc: Doubles = (ranks[hits].sum(axis=0) - n * (n + 1) / 2) / (n * (len(hits) - n))
    return auc
