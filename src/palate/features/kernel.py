"""The compiled fold: one pass over a batch of events, in log order.

State after the pass is a function of the state before and the events alone; how the log was cut
into batches leaves no trace. Users' counters never look at the catalogue.
"""

from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Doubles, Floats, Rows, Times
from palate.events.kinds import Kind, Signal
from palate.features.counting import Items, credit
from palate.features.folds import FoldTable
from palate.features.timelines import (
    ENGAGED,
    JUDGED,
    NEGATIVE,
    TOLD,
    insert,
    last_word,
    look_back,
    move,
)
from palate.jit import kernel

PROFILE, FORGET = int(Kind.PROFILE), int(Kind.FORGET)
FOLLOW, HIDE, SHOWN = int(Kind.FOLLOW), int(Kind.HIDE), int(Signal.SHOWN)
BEYOND_SHOWN = 255 & ~SHOWN
MUTES = 2
"""Word on a creator of whom nothing is to be shown any more."""
MOST_PROFILES = 65_536.0

Told: TypeAlias = tuple[int, int, float, float]
"""kind, signals, value, time of an event."""


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
    about: NDArray[np.int64]
    """Whom a follow is about; 0 of all else."""


class Users(NamedTuple):
    """Users' working state, one slot each; the first dimension of every array but the arenas."""

    alive: NDArray[np.uint8]
    owner: NDArray[np.int64]
    """Of a session that a user claimed: one more than the user's slot; else 0."""
    numbers: NDArray[np.int64]
    """segment, total, sessions, session_events."""
    moments: Doubles
    """first_time, last_time, session_start."""
    counters: Doubles
    sizes: NDArray[np.int64]
    """history, shown, seen, follows."""
    history: Doubles
    """(users, places, 5): time, row, value, kind, signals of each act, oldest first."""
    shown: Doubles
    """(users, places, 2): time, row of each impression, oldest first."""
    follows: Doubles
    """(users, places, 3): time, whom, 1 where followed, `MUTES` where hidden; the newest word on
    each, oldest first."""
    seen_at: NDArray[np.int64]
    """Where a user's seen list begins in the arena."""
    seen: Rows
    seen_signals: NDArray[np.uint32]


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
HISTORY_SIZE, SHOWN_SIZE, SEEN_SIZE, FOLLOWS_SIZE = 0, 1, 2, 3


@kernel
def fold(batch: Batch, users: Users, items: Items, rules: Rules, found: Found) -> None:
    """Run through a batch; changes `users` and `items` and fills `found`."""
    for e in range(len(batch.kind)):
        kind = batch.kind[e]
        user = _actor(users, batch.user[e], batch.session[e], kind, rules)
        if user < 0:
            continue
        users.alive[user] = 1
        if kind == PROFILE:
            code = batch.value[e]
            users.numbers[user, SEGMENT] = int(code) if 0.0 <= code < MOST_PROFILES else 0
            continue
        event = (kind, batch.signal[e], batch.value[e], batch.time[e])
        _count(users.counters[user], rules.user_folds, event)
        if batch.signal[e] & SHOWN == 0:
            _touch(users.numbers[user], users.moments[user], batch.time[e], rules.session_gap)
        word = (kind == FOLLOW) + MUTES * (kind == HIDE)
        _follow(users, user, batch.time[e], batch.about[e], word)
        item = batch.item[e]
        if item < 0:
            continue
        found.first[e] = note(users, user, item, event, rules.seen_limit, found.window[e])
        if batch.signal[e] & TOLD == 0 and batch.signal[e] != 0:
            credit(items, item, users.numbers[user, SEGMENT], event, rules.item_folds)


@kernel
def _actor(users: Users, user: int, session: int, kind: int, rules: Rules) -> int:
    """Whose an event is: the user's who claimed the session; -1 of one that forgets them."""
    if session >= 0 and session != user:
        _claim(users, user, session, rules)
    if kind == FORGET:
        _blank(users, user)
        if session >= 0:
            _blank(users, session)
        return -1
    owner: int = users.owner[user]
    return owner - 1 if owner > 0 else user


@kernel
def _count(counters: Doubles, folds: FoldTable, event: Told) -> None:
    """Let every fold that an event concerns grow."""
    kind, signal, value, time = event
    bit = np.uint32(1) << np.uint32(kind)
    for f in range(len(folds.rate)):
        if folds.signals[f] & signal == 0 or (folds.kinds[f] != 0 and folds.kinds[f] & bit == 0):
            continue
        weight = 1.0
        if folds.by_value[f] == 1:
            weight = np.float64(value)
            if np.isnan(weight):
                continue
        _grow(counters[f], folds.rate[f], weight, time)


@kernel
def _grow(pair: Doubles, rate: float, weight: float, time: float) -> None:
    """Add `weight` at `time` to one counter; see `features.folds`."""
    value, as_of = pair[0], pair[1]
    if value == 0.0:
        pair[0] = weight
        pair[1] = time
    elif rate == 0.0:  # a total: nothing fades
        pair[0] = value + weight
        pair[1] = max(time, as_of)
    elif time >= as_of:
        pair[0] = value * np.exp2((as_of - time) * rate) + weight
        pair[1] = time
    else:
        pair[0] = value + weight * np.exp2((time - as_of) * rate)


@kernel
def _touch(numbers: NDArray[np.int64], moments: Doubles, time: float, gap: float) -> None:
    """Keep account of acts and sessions; a late act widens the session it falls into."""
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
def note(
    users: Users, user: int, item: int, event: Told, limit: int, window: NDArray[np.int32]
) -> int:
    """Put an event about an item into the user's lists.

    Returns 1 where the item was taken in for the first time, with `window` filled.
    """
    kind, signal, value, time = event
    sizes, entry, first = users.sizes[user], np.empty(5), 0
    entry[0], entry[1], entry[2], entry[3], entry[4] = time, item, value, kind, signal
    if signal & SHOWN != 0:
        sizes[SHOWN_SIZE] = insert(users.shown[user], sizes[SHOWN_SIZE], entry)
    if signal & BEYOND_SHOWN == 0:
        return first
    told = signal & TOLD != 0
    noted = np.uint32(signal & ~ENGAGED if told else signal)
    before = _see(users, user, item, noted, limit)
    if not told and signal & ENGAGED != 0 and before & ENGAGED == 0:
        first = 1
        look_back(users.history[user], sizes[HISTORY_SIZE], item, time, window)
    sizes[HISTORY_SIZE] = insert(users.history[user], sizes[HISTORY_SIZE], entry)
    _settle(users, user, item, before, noted)
    return first


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
def _settle(users: Users, user: int, item: int, before: np.uint32, signal: np.uint32) -> None:
    """Let the newest word on an item say whether it is turned down, by the time it was said at.

    The history has the words; where it has none any more, what is noted `before` stands.
    """
    if before == 0 or (before | signal) & NEGATIVE == 0:
        return
    word = last_word(users.history[user], users.sizes[user, HISTORY_SIZE], item)
    if word < 0:
        word = int(before if before & JUDGED != 0 else signal)
    start = users.seen_at[user]
    for at in range(start + users.sizes[user, SEEN_SIZE] - 1, start - 1, -1):
        if users.seen[at] == item:
            noted = (before | signal) & np.uint32(255 & ~NEGATIVE)
            users.seen_signals[at] = noted | np.uint32(word & NEGATIVE)
            return


@kernel
def _follow(users: Users, user: int, time: float, whom: float, on: float) -> None:
    """Let the newest word on somebody stand, by the time at which it was said; 0 is nobody."""
    if whom == 0.0:
        return
    table, size = users.follows[user], users.sizes[user, FOLLOWS_SIZE]
    for at in range(size):
        if table[at, 1] == whom:
            if table[at, 0] > time:
                return
            size -= 1
            move(table, at, size, 1)
            break
    entry = np.empty(3)
    entry[0], entry[1], entry[2] = time, whom, on
    users.sizes[user, FOLLOWS_SIZE] = insert(table, size, entry)


@kernel
def _blank(users: Users, user: int) -> None:
    users.alive[user] = 0
    users.owner[user] = 0
    for at in range(users.numbers.shape[1]):
        users.numbers[user, at] = 0
    for at in range(users.moments.shape[1]):
        users.moments[user, at] = 0.0
    for at in range(users.sizes.shape[1]):
        users.sizes[user, at] = 0
    for at in range(users.counters.shape[1]):
        users.counters[user, at, 0] = 0.0
        users.counters[user, at, 1] = 0.0


@kernel
def _claim(users: Users, user: int, session: int, rules: Rules) -> None:
    """Make a session the user's: what it did, and whatever comes of it until another claims it."""
    if users.alive[session] == 1 and users.owner[session] == 0:
        _merge(users, user, session, rules)
    users.alive[session] = 1
    users.owner[session] = user + 1


@kernel
def _merge(users: Users, user: int, session: int, rules: Rules) -> None:
    """Make what a session did the user's own; items keep what they counted."""
    mine, then = users.numbers[user], users.moments[session]
    _merge_numbers(mine, users.numbers[session], users.moments[user], then, rules.session_gap)
    folds = rules.user_folds
    for f in range(len(folds.rate)):
        value, as_of = users.counters[session, f, 0], users.counters[session, f, 1]
        if value != 0.0:
            _grow(users.counters[user, f], folds.rate[f], value, as_of)
    sizes, theirs = users.sizes[user], users.sizes[session]
    for at in range(theirs[SHOWN_SIZE]):
        entry = users.shown[session, at]
        sizes[SHOWN_SIZE] = insert(users.shown[user], sizes[SHOWN_SIZE], entry)
    for at in range(theirs[HISTORY_SIZE]):
        entry = users.history[session, at]
        sizes[HISTORY_SIZE] = insert(users.history[user], sizes[HISTORY_SIZE], entry)
    for at in range(theirs[FOLLOWS_SIZE]):
        time, whom, on = users.follows[session, at]
        _follow(users, user, time, whom, on)
    start = users.seen_at[session]
    for at in range(start, start + theirs[SEEN_SIZE]):
        item, signal = users.seen[at], users.seen_signals[at]
        before = _see(users, user, item, signal, rules.seen_limit)
        _settle(users, user, item, before, signal)
    users.alive[user] = 1
    _blank(users, session)


@kernel
def _merge_numbers(
    mine: NDArray[np.int64],
    theirs: NDArray[np.int64],
    when: Doubles,
    then: Doubles,
    gap: float,
) -> None:
    """Visits that touch, by the same gap as a visit's acts, are one; else the later one goes on."""
    if theirs[TOTAL] == 0:
        return
    new = mine[TOTAL] == 0
    mine[TOTAL] += theirs[TOTAL]
    mine[SESSIONS] += theirs[SESSIONS]
    if new:
        mine[SESSION_EVENTS] = theirs[SESSION_EVENTS]
        when[:] = then
        return
    before = when[LAST_TIME] + gap < then[SESSION_START]
    after = then[LAST_TIME] + gap < when[SESSION_START]
    if before:
        when[SESSION_START] = then[SESSION_START]
        mine[SESSION_EVENTS] = theirs[SESSION_EVENTS]
    elif not after:
        when[SESSION_START] = min(when[SESSION_START], then[SESSION_START])
        mine[SESSION_EVENTS] += theirs[SESSION_EVENTS]
        mine[SESSIONS] -= 1
    when[FIRST_TIME] = min(when[FIRST_TIME], then[FIRST_TIME])
    when[LAST_TIME] = max(when[LAST_TIME], then[LAST_TIME])
