"""The log as one sequence per user: what the two-tower learns from."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Keys, Mask, Rows, Times
from palate.events.batch import EventBatch, people
from palate.events.kinds import Kind, Signal
from palate.jit import kernel
from palate.models.two_tower import TIME_BUCKETS, outcome_codes

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
    signals: NDArray[np.uint8]

    @classmethod
    def of(cls, batch: EventBatch) -> Self:
        """Order the events of a log by user."""
        users = people(batch)
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
            events.engaged & _first_time(users[order], events.item),
            events.signal,
        )

    def __len__(self) -> int:
        return len(self.keys)

    def below(self, until: int) -> NDArray[np.int64]:
        """(users,): how many events each has at log positions below `until`."""
        known = np.concatenate([[0], np.cumsum(self.positions < until)])
        counted: NDArray[np.int64] = known[self.starts[1:]] - known[self.starts[:-1]]
        return counted

    def steps(self, until: int) -> int:
        """How many events below that log position something before them is there to foresee by."""
        foreseen = self.wanted & (self.positions < until)
        foreseen[self.starts[:-1]] = False
        return int(foreseen.sum())

    def next_ones(self, since: int, until: int) -> NDArray[np.int64]:
        """(events,): the event itself where it is to be predicted by the one before, -1 elsewhere.

        Only events at log positions in ``[since, until)``.
        """
        asked = self.wanted & (self.positions >= since) & (self.positions < until)
        return np.where(asked, np.arange(len(self.items)), -1)

    def any_of_next(self, horizon: int, until: int, dice: np.random.Generator) -> NDArray[np.int64]:
        """(events,): what the step before each event is to predict, drawn by lot.

        Half of the steps have the very next wanted event, the others any of the next `horizon`;
        -1 where none is left.
        """
        able = np.flatnonzero(self.wanted & (self.positions < until))
        first = np.searchsorted(able, np.arange(len(self.items)))
        ends = np.repeat(np.searchsorted(able, self.starts[1:]), np.diff(self.starts))
        many = np.minimum(ends - first, horizon)
        far = dice.random(len(first)) * (dice.random(len(first)) < FAR)
        at = np.minimum(first + (far * many).astype(np.int64), max(len(able) - 1, 0))
        return np.where(many > 0, able[at], -1) if len(able) else np.full(len(first), -1)


FAR = 0.5
"""Share of the steps that predict any of the next events instead of the very next one."""


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
    inside = sequences.below(until)
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
    spans: NDArray[np.uint8]
    """(B, L, L), see `span_buckets`; 0 where event j is after step i."""
    targets: NDArray[np.int64]
    """(B, L): the item that is to be predicted."""
    wanted: Mask
    """(B, L): where that is to be predicted."""


def batch_of(
    sequences: Sequences, windows: list[Window], aims: NDArray[np.int64], most: int = 0
) -> Steps:
    """Lay windows side by side; `aims` (events,) says what the step before each event predicts.

    As wide as the longest, or up to `most` steps as `room_for` says.
    """
    cuts = np.array(windows, np.int64).reshape(-1, 2)
    longest = int((cuts[:, 1] - cuts[:, 0]).max())
    shape = (len(cuts), max(longest, min(room_for(longest), most)))
    steps = Steps(
        np.zeros(shape, np.int64),
        np.zeros(shape, np.int64),
        np.zeros((*shape, shape[1]), np.uint8),
        np.zeros(shape, np.int64),
        np.zeros(shape, np.bool_),
    )
    told = (sequences.items, sequences.outcomes, sequences.times, aims)
    _lay(cuts, told, steps)
    return steps


@kernel
def _lay(
    cuts: NDArray[np.int64],
    told: tuple[Rows, NDArray[np.int64], Times, NDArray[np.int64]],
    steps: Steps,
) -> None:
    items, outcomes, times, aims = told
    for row in range(len(cuts)):
        start = cuts[row, 0]
        for step in range(cuts[row, 1] - start):
            at = start + step
            steps.items[row, step] = items[at]
            steps.outcomes[row, step] = outcomes[at]
            if aims[at + 1] >= 0:
                steps.wanted[row, step] = True
                steps.targets[row, step] = items[aims[at + 1]]
            for back in range(step + 1):
                span = max(times[at + 1] - times[start + back], 0.0)
                # the exponent is the power of two below 1 + span, as `time_buckets` has it
                bucket = math.frexp(1.0 + span)[1] - 1
                steps.spans[row, step, back] = min(bucket, TIME_BUCKETS - 1)


def room_for(steps: int) -> int:
    """Steps that so many are laid out as: an eighth more at most, so that there are few shapes.

    Products of a shape that was not met before have to be compiled, which takes several times as
    long as they do: a pass over histories of up to 200 events was half of it that.
    """
    grain = 1 << max(0, steps.bit_length() - 4)
    return -(-steps // grain) * grain


def batches(
    windows: list[Window], tokens: int, dice: np.random.Generator
) -> Iterator[list[Window]]:
    """Windows of like length together, about `tokens` steps a batch, batches in random order.

    How many depends on the room of the longest alone, so that batches have few shapes.
    """
    lengths = np.array([w.end - w.start for w in windows]) + dice.random(len(windows)) * 0.5
    order = np.argsort(-lengths)
    cuts, at = [], 0
    while at < len(order):
        size = max(4, tokens // room_for(max(int(lengths[order[at]]), 1)))
        cuts.append(order[at : at + size])
        at += size
    for which in dice.permutation(len(cuts)):
        yield [windows[i] for i in cuts[which]]
