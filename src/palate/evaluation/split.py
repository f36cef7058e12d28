"""Where the past ends: the two protocols under which numbers are comparable.

``time``: one moment for everybody, T1 = time of event number floor(0.8 N) of the events in time
order. Trained on what came before, asked at T1. *Warm* users have events on both sides; everything
they took later is relevant. *Cold* users have none before and more than five after: the first five
are their history, the rest is relevant.

``loo``: each user's last event is the test, the one before it the validation, the rest trains; the
history is everything before the test event.

Under both, the candidates are the whole catalogue less the user's history, and only events with
which somebody took an item in (`Signal.ENGAGED`) are counted, split and judged.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Keys, Mask, Rows, Times
from palate.errors import BadInput
from palate.events.batch import EventBatch
from palate.events.kinds import Kind, Signal

Protocol: TypeAlias = Literal["time", "loo"]
Places: TypeAlias = NDArray[np.intp]

TRAIN_SHARE = 0.8
COLD_HISTORY = 5
LOO_EVENTS = 3
"""Users with fewer events only train: there is nothing to hide from them."""


@dataclass(frozen=True, slots=True)
class Case:
    """One user who is asked for, and what they took later."""

    user: int
    part: str
    """`warm` or `cold` under `time`, `all` under `loo`."""
    now: float
    """When the user asks, by their own clock: T1 of the warm, the fifth event of the cold, the test
    event under `loo`."""
    taken: Rows
    """Sorted distinct rows of the history: no candidates."""
    extra: Places
    """Places in the batch of the events that belong to the user's history, but train nobody."""
    relevant: Rows
    """Distinct rows taken later, in the order in which they were; never empty."""


@dataclass(frozen=True, slots=True)
class Split:
    """The events cut in two, and the questions to ask."""

    protocol: Protocol
    moment: float
    """Under `time` T1; under `loo` the time of the newest training event."""
    train: Mask
    """(events,): what may be learnt from."""
    cases: tuple[Case, ...]


@dataclass(frozen=True, slots=True)
class _Timeline:
    """The counted events in (time, log) order."""

    place: Places
    user: Keys
    item: Rows
    time: Times

    def by_user(self) -> Iterator[tuple[int, Places]]:
        """Each user with the indices of their events, in order; users by key."""
        order = np.argsort(self.user, kind="stable")
        users, starts = np.unique(self.user[order], return_index=True)
        yield from zip(users.tolist(), np.split(order, starts[1:]), strict=True)


def split(batch: EventBatch, protocol: Protocol) -> Split:
    """Cut a whole log by the named protocol.

    Raises BadInput where there are too few events to leave anything on both sides.
    """
    line = _timeline(batch)
    if len(line.item):
        made = _by_time(batch, line) if protocol == "time" else _leave_one_out(batch, line)
        if made.cases and made.train.any():
            return made
    raise BadInput(f"{len(line.item)} events with items are too few for `--split {protocol}`")


def _timeline(batch: EventBatch) -> _Timeline:
    counted = np.flatnonzero(((batch.signal & Signal.ENGAGED) > 0) & (batch.item >= 0))
    place = counted[np.argsort(batch.time[counted], kind="stable")]
    return _Timeline(place, people(batch)[place], batch.item[place], batch.time[place])


def people(batch: EventBatch) -> Keys:
    """(events,): who did it, a session that became a user's counted as that user."""
    joined = batch.session > 0
    if not joined.any():
        return batch.user
    sessions, first = np.unique(batch.session[joined], return_index=True)
    owners = batch.user[joined][first]
    found = np.minimum(np.searchsorted(sessions, batch.user), len(sessions) - 1)
    whose: Keys = np.where(sessions[found] == batch.user, owners[found], batch.user)
    return whose


def _by_time(batch: EventBatch, line: _Timeline) -> Split:
    moment = float(line.time[int(len(line.time) * TRAIN_SHARE)])
    known = (batch.time < moment) | (batch.kind == Kind.PROFILE)
    cases = (_time_case(line, events, moment) for _, events in line.by_user())
    return Split("time", moment, known, tuple(case for case in cases if case))


def _time_case(line: _Timeline, events: Places, moment: float) -> Case | None:
    before = int(np.searchsorted(line.time[events], moment, side="left"))
    if 0 < before < len(events):
        return _case(line, "warm", events[:before], events[before:], moment, extra=0)
    if before == 0 and len(events) > COLD_HISTORY:
        history, later = events[:COLD_HISTORY], events[COLD_HISTORY:]
        asked = float(line.time[history[-1]])
        return _case(line, "cold", history, later, asked, extra=COLD_HISTORY)
    return None


def _leave_one_out(batch: EventBatch, line: _Timeline) -> Split:
    known = np.ones(len(batch), np.bool_)
    whose, cases = people(batch), []
    until: dict[int, float] = {}
    for user, events in line.by_user():
        if len(events) < LOO_EVENTS:
            continue
        until[user] = float(line.time[events[-2]])
        known[line.place[events[-2:]]] = False
        asked = float(line.time[events[-1]])
        case = _case(line, "all", events[:-1], events[-1:], asked, extra=1)
        if case:
            cases.append(case)
    known &= ~_hidden_traces(batch, whose, until)
    moment = float(batch.time[known].max(initial=0.0))
    return Split("loo", moment, known, tuple(cases))


def _hidden_traces(batch: EventBatch, whose: Keys, until: dict[int, float]) -> Mask:
    """Events of other kinds that came with the hidden ones (the impression before the click)."""
    uncounted = ((batch.signal & Signal.ENGAGED) == 0) & (batch.kind != Kind.PROFILE)
    hidden = np.zeros(len(batch), np.bool_)
    for place in np.flatnonzero(uncounted).tolist():
        hidden[place] = batch.time[place] >= until.get(int(whose[place]), np.inf)
    return hidden


def _case(
    line: _Timeline, part: str, history: Places, later: Places, now: float, extra: int
) -> Case | None:
    """One user's question; the last `extra` events of the history train nobody."""
    taken = np.unique(line.item[history])
    first = np.sort(np.unique(line.item[later], return_index=True)[1])
    relevant = line.item[later][first]
    relevant = relevant[~np.isin(relevant, taken)]
    if not len(relevant):
        return None  # took only what they knew already: no candidate is right
    hidden = line.place[history[len(history) - extra :]]
    return Case(int(line.user[history[0]]), part, now, taken, hidden, relevant)
