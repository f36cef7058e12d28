"""Where the past ends: the two protocols under which numbers are comparable.

``time``: one moment for everybody, T1 = time of event number floor(0.8 N) of the events in time
order. Trained on what came before, asked at T1. *Warm* users have events on both sides; everything
they took later is relevant. *Cold* users have none before and more than five after: the first five
are their history, the rest is relevant.

``loo``: each user's last event is the test, the one before it the validation, the rest trains; the
history is everything before the test event.

Under both, the candidates are the whole catalogue less the user's history, and what is counted,
split and judged is the first event with which somebody took an item in (`Signal.ENGAGED`): a click
and the view that follows it are one. An item that nobody can be shown is none of these.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Keys, Mask, Rows, Times
from palate.errors import BadInput
from palate.events.batch import EventBatch, people
from palate.events.kinds import Kind

Protocol: TypeAlias = Literal["time", "loo"]
Places: TypeAlias = NDArray[np.intp]

TRAIN_SHARE = 0.8
COLD_HISTORY = 5
LOO_EVENTS = 3
"""Users with fewer events only train: there is nothing to hide from them."""
NEEDS = {
    "time": "somebody who took items both before and after one moment",
    "loo": f"somebody who took at least {LOO_EVENTS} different items",
}
"""Without which there is nothing to ask."""


@dataclass(frozen=True, slots=True)
class Case:
    """One user who is asked for, and what they took later."""

    user: int
    part: str
    """`warm` or `cold` under `time`, `all` under `loo`."""
    now: float
    """When the user asks, by their own clock: T1 of the warm, the fifth event of the cold, the test
    event under `loo`."""
    history: Rows
    """Distinct rows of what the user took before, oldest first."""
    extra: Places
    """Places in the batch of the events that belong to the user's history, but train nobody."""
    relevant: Rows
    """Distinct rows taken later, in the order in which they were; never empty."""
    times: Times
    """When each of the history was taken."""

    @property
    def taken(self) -> Rows:
        """Sorted rows of the history: no candidates."""
        rows: Rows = np.sort(self.history)
        return rows


@dataclass(frozen=True, slots=True)
class Split:
    """The events cut in two, and the questions to ask."""

    protocol: Protocol
    moment: float
    """Under `time` T1; under `loo` the time of the newest training event."""
    train: Mask
    """(events,): what may be learnt from."""
    counted: Places
    """Places in the batch of the training events in which somebody took an item in for the first
    time, in order of time."""
    cases: tuple[Case, ...]


@dataclass(frozen=True, slots=True)
class _Timeline:
    """The counted events in (time, log) order, and each user's other ones."""

    place: Places
    user: Keys
    item: Rows
    time: Times
    others: dict[int, Places]
    """User -> places in the batch of what they did beside: impressions, repetitions, dislikes."""

    def by_user(self) -> Iterator[tuple[int, Places]]:
        """Each user with the indices of their events, in order; users by key."""
        return _grouped(self.user)


def _grouped(users: Keys) -> Iterator[tuple[int, Places]]:
    order = np.argsort(users, kind="stable")
    found, starts = np.unique(users[order], return_index=True)
    if len(found):
        yield from zip(found.tolist(), np.split(order, starts[1:]), strict=True)


def split(
    batch: EventBatch, protocol: Protocol, share: float = TRAIN_SHARE, shown: Mask | None = None
) -> Split:
    """Cut a whole log by the named protocol; under `time` after `share` of the events.

    `shown` (rows,) says which items can be shown to anybody; without it, all.

    Raises BadInput where there are too few events to leave anything on both sides.
    """
    line = _timeline(batch, shown)
    if len(line.item):
        made = _by_time(batch, line, share) if protocol == "time" else _leave_one_out(batch, line)
        if made.cases and made.train.any():
            return made
    raise BadInput(
        f"too few events for the `{protocol}` split: it needs {NEEDS[protocol]}, and there are"
        f" {len(line.item):,} items taken by {len(np.unique(line.user)):,} people"
    )


def rolling(batch: EventBatch, windows: int, shown: Mask | None = None) -> tuple[Split, ...]:
    """Cut what comes after T1 into windows of as many events; everybody is asked as each begins.

    Asked is who took something before and in the window, for what that was: `warm` who did before
    T1, `cold` who came later. Raises BadInput where there is nothing to ask.
    """
    line = _timeline(batch, shown)
    count = len(line.time)
    shares = [TRAIN_SHARE + (1.0 - TRAIN_SHARE) * at / windows for at in range(windows)]
    moments = sorted({float(line.time[int(count * share)]) for share in shares if count})
    made = []
    for moment, end in pairwise((*moments, np.inf)):
        cases = (_window(line, each, (moments[0], moment, end)) for _, each in line.by_user())
        known = (batch.time < moment) | (batch.kind == Kind.PROFILE)
        found = tuple(case for case in cases if case)
        made.append(Split("time", moment, known, line.place[known[line.place]], found))
    if not made or not made[0].train.any() or not any(cut.cases for cut in made):
        raise BadInput(f"too few events to roll on: it needs {NEEDS['time']}")
    return tuple(made)


def _window(line: _Timeline, events: Places, when: tuple[float, float, float]) -> Case | None:
    """Ask one user as a window begins; `when` is T1, the window's beginning and its end."""
    first, before, upto = np.searchsorted(line.time[events], when, side="left").tolist()
    if not 0 < before < upto:
        return None
    part, nothing = "warm" if first else "cold", np.empty(0, np.intp)
    return _case(line, events[:upto], before, part, when[1], nothing)


def _timeline(batch: EventBatch, shown: Mask | None) -> _Timeline:
    whose = people(batch)
    engaged = np.flatnonzero(batch.engaged)
    engaged = engaged if shown is None else engaged[shown[batch.item[engaged]]]
    place = engaged[np.argsort(batch.time[engaged], kind="stable")]
    pairs = np.rec.fromarrays([whose[place], batch.item[place]])
    place = place[np.sort(np.unique(pairs, return_index=True)[1])] if len(place) else place
    beside = batch.kind != Kind.PROFILE
    beside[place] = False
    other = np.flatnonzero(beside)
    others = {user: other[at] for user, at in _grouped(whose[other])}
    return _Timeline(place, whose[place], batch.item[place], batch.time[place], others)


def _by_time(batch: EventBatch, line: _Timeline, share: float) -> Split:
    moment = float(line.time[int(len(line.time) * share)])
    known = (batch.time < moment) | (batch.kind == Kind.PROFILE)
    cases = (_time_case(batch, line, events, moment) for _, events in line.by_user())
    found = tuple(case for case in cases if case)
    return Split("time", moment, known, line.place[known[line.place]], found)


def _time_case(batch: EventBatch, line: _Timeline, events: Places, moment: float) -> Case | None:
    before = int(np.searchsorted(line.time[events], moment, side="left"))
    if 0 < before < len(events):
        nothing = np.empty(0, np.intp)
        return _case(line, events, before, "warm", moment, nothing)
    if before == 0 and len(events) > COLD_HISTORY:
        asked = float(line.time[events[COLD_HISTORY - 1]])
        extra = _until(batch, line, events[:COLD_HISTORY], events[COLD_HISTORY])
        return _case(line, events, COLD_HISTORY, "cold", asked, extra)
    return None


def _leave_one_out(batch: EventBatch, line: _Timeline) -> Split:
    known, cases = np.ones(len(batch), np.bool_), []
    for user, events in line.by_user():
        if len(events) < LOO_EVENTS:
            continue
        known[line.place[events[-2:]]] = False
        beside = line.others.get(user, events[:0])
        known[beside[batch.time[beside] >= line.time[events[-2]]]] = False
        extra = _until(batch, line, events[-2:-1], events[-1])
        asked = float(line.time[events[-1]])
        cases.append(_case(line, events, len(events) - 1, "all", asked, extra))
    moment = float(batch.time[known].max(initial=0.0))
    return Split("loo", moment, known, line.place[known[line.place]], tuple(cases))


def _until(batch: EventBatch, line: _Timeline, own: Places, next_one: np.intp) -> Places:
    """Places of the counted events `own`, and of what their user did beside until the next one."""
    beside = line.others.get(int(line.user[next_one]), own[:0])
    time = batch.time[beside]
    since = line.time[own[0]]
    meanwhile = beside[(time >= since) & (time < line.time[next_one])]
    return np.sort(np.concatenate([line.place[own], meanwhile]))


def _case(
    line: _Timeline, events: Places, known: int, part: str, now: float, extra: Places
) -> Case:
    """One user's question: the first `known` of their counted events are the history."""
    items, user = line.item[events], int(line.user[events[0]])
    when = line.time[events[:known]]
    return Case(user, part, now, items[:known], extra, items[known:], when)
