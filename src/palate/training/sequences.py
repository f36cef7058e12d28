"""The log as one sequence per user: what the two-tower learns from."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Keys, Mask, Rows, Times
from palate.events.batch import EventBatch
from palate.events.kinds import Kind, Signal
from palate.models.two_tower import outcome_codes, span_buckets

READ = Signal.CLICKED | Signal.ENGAGED | Signal.POSITIVE | Signal.NEGATIVE
"""An event with one of these belongs into a user's history."""


@dataclass(frozen=True, slots=True)
class Sequences:
    """All users' histories end to end, each in log order; `starts` (users + 1,) cuts them."""

    keys: Keys
    starts: NDArray[np.int64]
    items: Rows
    outcomes: NDArray[np.int64]
    times: Times
    positions: NDArray[np.int64]
    """Log positions."""
    wanted: Mask
    """True where the event engages with an item that is new to the user: what is predicted."""

    @classmethod
    def of(cls, batch: EventBatch) -> Self:
        """Order the events of a log by user."""
        users = joined_users(batch)
        keep = ((batch.signal & READ) > 0) & (batch.item >= 0) & ~_forgotten(batch, users)
        users = users[keep]
        order = np.argsort(users, kind="stable")
        events = batch.take(np.flatnonzero(keep)[order])
        keys, starts = np.unique(users[order], return_index=True)
        ends = np.append(starts, len(events)).astype(np.int64)
        return cls(
            keys,
            ends,
            events.item,
            outcome_codes(events.signal),
            events.time,
            events.position,
            ((events.signal & Signal.ENGAGED) > 0) & _first_time(users[order], events.item),
        )

    def __len__(self) -> int:
        return len(self.keys)


def joined_users(batch: EventBatch) -> Keys:
    """The user of each event, where a session that became a user's is that user."""
    named = np.flatnonzero(batch.session)
    if not len(named):
        return batch.user
    sessions, last = np.unique(batch.session[named][::-1], return_index=True)
    owners = batch.user[named][::-1][last]
    at = np.minimum(np.searchsorted(sessions, batch.user), len(sessions) - 1)
    return np.where(sessions[at] == batch.user, owners[at], batch.user)


def _forgotten(batch: EventBatch, users: Keys) -> Mask:
    """True at the events of a user that lie before the user was forgotten."""
    at = np.flatnonzero(batch.kind == Kind.FORGET)
    if not len(at):
        return np.zeros(len(batch), bool)
    who, last = np.unique(users[at][::-1], return_index=True)
    when = at[::-1][last]
    found = np.minimum(np.searchsorted(who, users), len(who) - 1)
    before: Mask = (who[found] == users) & (np.arange(len(batch)) < when[found])
    return before


def _first_time(users: Keys, items: Rows) -> Mask:
    """True at the first event of each (user, item); `users` is sorted, events in log order."""
    first = np.zeros(len(items), bool)
    pairs = np.empty(len(items), [("user", np.uint64), ("item", np.int32)])
    pairs["user"], pairs["item"] = users, items
    first[np.unique(pairs, return_index=True)[1]] = True
    return first


HELD_OUT = 32
"""Windows validated at once."""


class Window(NamedTuple):
    """Inputs are events ``[start, end)``; step i predicts event i + 1."""

    start: int
    end: int


def cut_windows(
    sequences: Sequences, history: int, until: int, dice: np.random.Generator
) -> list[Window]:
    """Cut every history into windows of at most `history` steps, at a random phase.

    Only events with a log position below `until` are predicted, each of them once.
    """
    windows = []
    inside = np.add.reduceat(sequences.positions < until, sequences.starts[:-1])
    phases = dice.integers(0, history, len(sequences))
    for start, count, phase in zip(sequences.starts, inside, phases, strict=False):
        at, last = int(start), int(start + count - 1)
        step = history if count <= history + 1 else max(2, int(phase))
        while at < last:
            windows.append(Window(at, min(at + step, last)))
            at, step = at + step, history
    return windows


class Steps(NamedTuple):
    """A batch of windows, right-padded with zeros."""

    items: NDArray[np.int64]
    """(B, L)."""
    outcomes: NDArray[np.int64]
    """(B, L)."""
    spans: NDArray[np.int64]
    """(B, L, L), see `span_buckets`."""
    targets: NDArray[np.int64]
    """(B, L): the item that came next."""
    wanted: Mask
    """(B, L): where that is to be predicted."""


def batch_of(sequences: Sequences, windows: list[Window]) -> Steps:
    """Lay windows side by side."""
    longest = max(w.end - w.start for w in windows)
    shape = (len(windows), longest)
    steps = Steps(
        np.zeros(shape, np.int64),
        np.zeros(shape, np.int64),
        np.zeros((*shape, longest), np.int64),
        np.zeros(shape, np.int64),
        np.zeros(shape, bool),
    )
    for i, (start, end) in enumerate(windows):
        n, after = end - start, slice(start + 1, end + 1)
        steps.items[i, :n] = sequences.items[start:end]
        steps.outcomes[i, :n] = sequences.outcomes[start:end]
        steps.targets[i, :n] = sequences.items[after]
        steps.wanted[i, :n] = sequences.wanted[after]
        times = sequences.times[start : end + 1]
        steps.spans[i, :n, :n] = span_buckets(times[:-1], times[-1])
    return steps


def batches(
    windows: list[Window], tokens: int, dice: np.random.Generator
) -> Iterator[list[Window]]:
    """Windows of like length together, about `tokens` steps a batch, batches in random order."""
    lengths = np.array([w.end - w.start for w in windows]) + dice.random(len(windows)) * 0.5
    order = np.argsort(-lengths)
    cuts, at = [], 0
    while at < len(order):
        size = max(4, int(tokens // max(lengths[order[at]], 1)))
        cuts.append(order[at : at + size])
        at += size
    for which in dice.permutation(len(cuts)):
        yield [windows[i] for i in cuts[which]]


def held_out(sequences: Sequences, history: int, since: int, until: int) -> list[Steps]:
    """Windows that end with each user's events at log positions in ``[since, until)``.

    Only those events are wanted; at most `history` of them a user.
    """
    windows = []
    before = np.add.reduceat(sequences.positions < until, sequences.starts[:-1])
    late = np.add.reduceat(
        (sequences.positions < until) & (sequences.positions >= since), sequences.starts[:-1]
    )
    for i in np.flatnonzero((late > 0) & (before > 1)):
        last = int(sequences.starts[i] + before[i] - 1)
        windows.append(Window(max(int(sequences.starts[i]), last - history), last))
    return [_only_late(sequences, part, since) for part in _chunks(windows, HELD_OUT)]


def _only_late(sequences: Sequences, windows: list[Window], since: int) -> Steps:
    steps = batch_of(sequences, windows)
    for i, (start, end) in enumerate(windows):
        late = sequences.positions[start + 1 : end + 1] >= since
        steps.wanted[i, : end - start] &= late
    return steps


def _chunks(windows: list[Window], size: int) -> Iterator[list[Window]]:
    for at in range(0, len(windows), size):
        yield windows[at : at + size]
