"""The compiled fold: one pass over a batch of events, in log order.

State after the pass is a function of the state before and the events alone; how the log was cut
into batches leaves no trace. Users' counters never look at the catalogue.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Doubles, Floats, Rows, Times
from palate.events.kinds import Kind, Signal
from palate.features.folds import SEGMENT_HALF_LIFE, FoldTable
from palate.jit import kernel

PROFILE, FORGET = int(Kind.PROFILE), int(Kind.FORGET)
SHOWN, ENGAGED = int(Signal.SHOWN), int(Signal.ENGAGED)
BEYOND_SHOWN = 255 & ~SHOWN
LATE_RATE = 1.0 / SEGMENT_HALF_LIFE
DECAY, FIRST = 0, 1
MOST_SEGMENTS = 65_536.0


class Batch(NamedTuple):
    """Events as the kernel reads them; users by their slot in `Users`."""

    kind: NDArray[np.uint8]
    signal: NDArray[np.uint8]
    user: NDArray[np.int64]
    session: NDArray[np.int64]
    """Slot of the session that is this user, -1 for none."""
    item: Rows
    time: Times
    value: Floats


class Users(NamedTuple):
    """Users' working state, one slot each; the first dimension of every array but the arenas."""

    alive: NDArray[np.uint8]
    numbers: NDArray[np.int64]
    """segment, total, sessions, session_events."""
    moments: Doubles
    """first_time, last_time, session_start."""
    counters: Doubles
    sizes: NDArray[np.int64]
    """history, shown, seen."""
    times: Times
    history: Rows
    values: Floats
    kinds: NDArray[np.uint8]
    signals: NDArray[np.uint8]
    shown_times: Times
    shown: Rows
    seen_at: NDArray[np.int64]
    """Where a user's seen list begins in the arena."""
    seen: Rows
    seen_signals: NDArray[np.uint32]


class Items(NamedTuple):
    """Items' counters, by row."""

    counters: Doubles
    segments: Doubles


class Rules(NamedTuple):
    """What the fold goes by."""

    user_folds: FoldTable
    item_folds: FoldTable
    session_gap: float
    """Seconds of silence that end a session."""
    seen_limit: int


class Found(NamedTuple):
    """What the fold tells co-visitation, per event."""

    first: NDArray[np.uint8]
    """1 where the user took the item in for the first time."""
    window: NDArray[np.int32]
    """(n, window): distinct items taken in before it (by event time), newest first, -1 padded."""


SEGMENT, TOTAL, SESSIONS, SESSION_EVENTS = 0, 1, 2, 3
FIRST_TIME, LAST_TIME, SESSION_START = 0, 1, 2
HISTORY_SIZE, SHOWN_SIZE, SEEN_SIZE = 0, 1, 2


@kernel
def fold(batch: Batch, users: Users, items: Items, rules: Rules, found: Found) -> None:
    """Run through a batch; changes `users` and `items` and fills `found`."""
    for e in range(len(batch.kind)):
        user, session, kind = batch.user[e], batch.session[e], batch.kind[e]
        if session >= 0 and session != user and users.alive[session] == 1:
            _merge(users, user, session, rules)
        if kind == FORGET:
            _blank(users, user)
            continue
        users.alive[user] = 1
        if kind == PROFILE:
            users.numbers[user, SEGMENT] = _code(batch.value[e])
            continue
        _fold_user(batch, e, users, rules, found)
        if batch.item[e] >= 0:
            _fold_item(batch, e, users.numbers[user, SEGMENT], items, rules)


@kernel
def _code(value: float) -> int:
    """Read a segment's code; 0 where it is none."""
    return int(value) if 0.0 <= value < MOST_SEGMENTS else 0


@kernel
def _fold_user(batch: Batch, e: int, users: Users, rules: Rules, found: Found) -> None:
    user, item, signal, time = batch.user[e], batch.item[e], batch.signal[e], batch.time[e]
    _count(users.counters[user], rules.user_folds, batch, e)
    if signal & SHOWN == 0:
        _touch(users, user, time, rules.session_gap)
    if item < 0:
        return
    if signal & SHOWN != 0:
        _insert_shown(users, user, item, time)
    if signal & BEYOND_SHOWN == 0:
        return
    before = _see(users, user, item, np.uint32(signal), rules.seen_limit)
    if signal & ENGAGED != 0 and before & ENGAGED == 0:
        found.first[e] = 1
        _look_back(users, user, item, time, found.window[e])
    _insert_history(users, user, (item, time, batch.value[e], batch.kind[e], signal))


@kernel
def _fold_item(batch: Batch, e: int, segment: int, items: Items, rules: Rules) -> None:
    item, time = batch.item[e], batch.time[e]
    _count(items.counters[item], rules.item_folds, batch, e)
    if batch.signal[e] & ENGAGED == 0:
        return
    row = items.segments[item]
    last = len(row) - 1
    code = segment if 0 <= segment < last else 0
    weight = 1.0
    if time >= row[last]:
        row[:last] *= np.exp2((row[last] - time) * LATE_RATE)
        row[last] = time
    else:
        weight = np.exp2((time - row[last]) * LATE_RATE)
    row[code] += weight


@kernel
def _count(counters: Doubles, folds: FoldTable, batch: Batch, e: int) -> None:
    """Let every fold that an event concerns grow."""
    kind, signal = np.uint32(1) << np.uint32(batch.kind[e]), batch.signal[e]
    for f in range(len(folds.rate)):
        if folds.signals[f] & signal == 0:
            continue
        if folds.kinds[f] != 0 and folds.kinds[f] & kind == 0:
            continue
        weight = 1.0
        if folds.by_value[f] == 1:
            weight = np.float64(batch.value[e])
            if np.isnan(weight):
                continue
        _grow(counters[f], folds.grows[f], folds.rate[f], weight, batch.time[e])


@kernel
def _grow(pair: Doubles, grows: int, rate: float, weight: float, time: float) -> None:
    """Add `weight` at `time` to one counter; see `features.folds`."""
    value, as_of = pair[0], pair[1]
    if grows != DECAY:
        earlier = value == 0.0 or time < value
        if earlier if grows == FIRST else value == 0.0 or time > value:
            pair[0] = time
            pair[1] = time
    elif value == 0.0:
        pair[0] = weight
        pair[1] = time
    elif time >= as_of:
        pair[0] = value * np.exp2((as_of - time) * rate) + weight
        pair[1] = time
    else:
        pair[0] = value + weight * np.exp2((time - as_of) * rate)


@kernel
def _touch(users: Users, user: int, time: float, gap: float) -> None:
    """Keep account of acts and sessions; a late act widens the session it falls into."""
    numbers, moments = users.numbers[user], users.moments[user]
    numbers[TOTAL] += 1
    if numbers[TOTAL] == 1 or time > moments[LAST_TIME] + gap:
        moments[SESSION_START] = time
        numbers[SESSIONS] += 1
        numbers[SESSION_EVENTS] = 1
    elif time >= moments[SESSION_START] - gap:
        moments[SESSION_START] = min(time, moments[SESSION_START])
        numbers[SESSION_EVENTS] += 1
    if numbers[TOTAL] == 1:
        moments[FIRST_TIME] = time
        moments[LAST_TIME] = time
    moments[FIRST_TIME] = min(time, moments[FIRST_TIME])
    moments[LAST_TIME] = max(time, moments[LAST_TIME])


@kernel
def _see(users: Users, user: int, item: int, signal: np.uint32, limit: int) -> np.uint32:
    """Note signals on an item; returns those noted before."""
    start, size = users.seen_at[user], users.sizes[user, SEEN_SIZE]
    for at in range(start + size - 1, start - 1, -1):
        if users.seen[at] == item:
            before: np.uint32 = users.seen_signals[at]
            users.seen_signals[at] = before | signal
            return before
    users.seen[start + size] = item
    users.seen_signals[start + size] = signal
    if size < limit:
        users.sizes[user, SEEN_SIZE] = size + 1
    else:
        users.seen_at[user] = start + 1
    return np.uint32(0)


@kernel
def _look_back(users: Users, user: int, item: int, time: float, window: NDArray[np.int32]) -> None:
    """Fill `window` with the items taken in up to `time`, newest first, each once."""
    filled = 0
    for back in range(users.sizes[user, HISTORY_SIZE] - 1, -1, -1):
        other = users.history[user, back]
        engaged = users.signals[user, back] & ENGAGED != 0
        if not engaged or other == item or users.times[user, back] > time:
            continue
        if _holds(window, filled, other):
            continue
        window[filled] = other
        filled += 1
        if filled == len(window):
            return


@kernel
def _holds(window: NDArray[np.int32], filled: int, item: int) -> bool:
    for at in range(filled):  # noqa: SIM110  numba compiles no generator expressions
        if window[at] == item:
            return True
    return False


@kernel
def _place(times: Times, size: int, time: float) -> int:
    """Find where an event belongs in a sorted full list (after its equals); makes room there.

    Returns -1 where the list is full and the event older than all of it.
    """
    at = size
    while at > 0 and times[at - 1] > time:
        at -= 1
    if size < len(times):
        times[at + 1 : size + 1] = times[at:size].copy()
    elif at == 0:
        return -1
    else:
        times[: at - 1] = times[1:at].copy()
        at -= 1
    times[at] = time
    return at


@kernel
def _insert_history(users: Users, user: int, entry: tuple[int, float, float, int, int]) -> None:
    size = users.sizes[user, HISTORY_SIZE]
    at = _place(users.times[user], size, entry[1])
    if at < 0:
        return
    _put(users.history[user], size, at, entry[0])
    _put(users.values[user], size, at, entry[2])
    _put(users.kinds[user], size, at, entry[3])
    _put(users.signals[user], size, at, entry[4])
    users.sizes[user, HISTORY_SIZE] = min(size + 1, len(users.times[user]))


@kernel
def _insert_shown(users: Users, user: int, item: int, time: float) -> None:
    size = users.sizes[user, SHOWN_SIZE]
    at = _place(users.shown_times[user], size, time)
    if at < 0:
        return
    _put(users.shown[user], size, at, item)
    users.sizes[user, SHOWN_SIZE] = min(size + 1, len(users.shown_times[user]))


@kernel
def _put(column: Rows, size: int, at: int, value: float) -> None:
    """Insert into a column as `_place` did into the times."""
    if size < len(column):
        column[at + 1 : size + 1] = column[at:size].copy()
    else:
        column[:at] = column[1 : at + 1].copy()
    column[at] = value


@kernel
def _blank(users: Users, user: int) -> None:
    users.alive[user] = 0
    users.numbers[user] = 0
    users.moments[user] = 0.0
    users.counters[user] = 0.0
    users.sizes[user] = 0


@kernel
def _merge(users: Users, user: int, session: int, rules: Rules) -> None:
    """Make what a session did the user's own; items keep what they counted."""
    _merge_numbers(users, user, session)
    for f in range(len(rules.user_folds.rate)):
        value, as_of = users.counters[session, f]
        if value != 0.0:
            _grow(
                users.counters[user, f],
                rules.user_folds.grows[f],
                rules.user_folds.rate[f],
                value,
                as_of,
            )
    for i in range(users.sizes[session, SHOWN_SIZE]):
        _insert_shown(users, user, users.shown[session, i], users.shown_times[session, i])
    for i in range(users.sizes[session, HISTORY_SIZE]):
        entry = (
            users.history[session, i],
            users.times[session, i],
            users.values[session, i],
            users.kinds[session, i],
            users.signals[session, i],
        )
        _insert_history(users, user, entry)
    start = users.seen_at[session]
    for at in range(start, start + users.sizes[session, SEEN_SIZE]):
        _see(users, user, users.seen[at], users.seen_signals[at], rules.seen_limit)
    users.alive[user] = 1
    _blank(users, session)


@kernel
def _merge_numbers(users: Users, user: int, session: int) -> None:
    mine, theirs = users.numbers[user], users.numbers[session]
    when, then = users.moments[user], users.moments[session]
    if theirs[TOTAL] == 0:
        return
    if mine[TOTAL] == 0:
        when[:] = then
        mine[SESSION_EVENTS] = theirs[SESSION_EVENTS]
    elif then[LAST_TIME] >= when[LAST_TIME]:
        when[SESSION_START] = then[SESSION_START]
        mine[SESSION_EVENTS] = theirs[SESSION_EVENTS]
    when[FIRST_TIME] = min(when[FIRST_TIME], then[FIRST_TIME])
    when[LAST_TIME] = max(when[LAST_TIME], then[LAST_TIME])
    mine[TOTAL] += theirs[TOTAL]
    mine[SESSIONS] += theirs[SESSIONS]
