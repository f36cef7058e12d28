"""Who took in what, in order, as one array: what the solved models learn from."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Doubles, Rows
from palate.jit import kernel
from palate.training.sequences import Sequences


class Histories(NamedTuple):
    """All users' distinct items end to end, oldest first; `starts` (users + 1,) cuts them."""

    starts: NDArray[np.int64]
    items: Rows
    rows: int
    """Item rows there are."""

    @property
    def users(self) -> int:
        """How many."""
        return len(self.starts) - 1

    def of(self, user: int) -> Rows:
        """One user's items."""
        items: Rows = self.items[self.starts[user] : self.starts[user + 1]]
        return items

    def counts(self) -> NDArray[np.int64]:
        """(rows,): how many users took each item in."""
        return np.bincount(self.items, minlength=self.rows).astype(np.int64)


def from_lists(lists: Sequence[Rows], rows: int) -> Histories:
    """Histories out of one array per user, oldest first."""
    starts = np.cumsum([0, *map(len, lists)]).astype(np.int64)
    items = np.concatenate(lists) if lists else np.empty(0)
    return Histories(starts, items.astype(np.int32), rows)


def from_sequences(sequences: Sequences, rows: int, until: int) -> Histories:
    """What users took in for the first time at log positions below `until`."""
    return _cut(sequences, rows, sequences.wanted & (sequences.positions < until))


def later(sequences: Sequences, rows: int, since: int, until: int) -> Histories:
    """What the same users took in for the first time within ``[since, until)``."""
    late = (sequences.positions >= since) & (sequences.positions < until)
    return _cut(sequences, rows, sequences.wanted & late)


def _cut(sequences: Sequences, rows: int, kept: NDArray[np.bool_]) -> Histories:
    before = np.concatenate([[0], np.cumsum(kept)]).astype(np.int64)
    ends = np.asarray(sequences.starts, np.int64)
    return Histories(before[ends], sequences.items[kept].astype(np.int32), rows)


@kernel
def gram(histories: Histories, weights: Doubles) -> NDArray[np.float32]:
    """(rows, rows): over users, the weight of whoever took both; dense, for small catalogues."""
    out = np.zeros((histories.rows, histories.rows), np.float32)
    for user in range(len(histories.starts) - 1):
        weight = np.float32(weights[user])
        mine = histories.items[histories.starts[user] : histories.starts[user + 1]]
        for at in range(len(mine)):
            row = out[mine[at]]
            for to in range(len(mine)):
                row[mine[to]] += weight
    return out
