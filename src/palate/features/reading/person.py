"""The numbers of who asks, and of the moment: one per slot of `sources.USER`."""

import numpy as np

from palate.arrays import Doubles, Floats
from palate.features.folds import DAY, HOUR, USER_FOLDS, table_of
from palate.features.reading.past import (
    ENGAGED,
    EVER_AT,
    FREE,
    LONG_AGO,
    NEGATIVE,
    POSITIVE,
    RATING,
    mean_rating,
)
from palate.features.reading.shapes import Memory, Person, When
from palate.features.sources import USER, USER_AT
from palate.jit import kernel

RATE = table_of(USER_FOLDS).rate
FOLDS = len(USER_FOLDS)
WIDTH = len(USER)
ACTS, SESSIONS, VISIT_ACTS = (USER_AT[n] for n in ("acts", "sessions", "visit_acts"))
VISIT, AWAY, SPAN = (USER_AT[n] for n in ("visit_seconds", "away", "span"))
SEGMENT, HISTORY, SEEN = (USER_AT[n] for n in ("segment_known", "history", "seen"))
LAST_GAP, GAP_10 = USER_AT["last_gap"], USER_AT["gap_10"]
LIKED_10, DISLIKED_10 = USER_AT["liked_10"], USER_AT["disliked_10"]
TURNED_DOWN, UNANSWERED = USER_AT["turned_down"], USER_AT["unanswered"]
SPREAD, NEWEST = USER_AT["rating_spread"], USER_AT["rating_last"]
USUAL_HOUR, USUAL_DAY = USER_AT["usual_hour"], USER_AT["usual_day"]
CATEGORIES, TOP, CREATORS = (USER_AT[n] for n in ("categories", "category_top", "creators"))
POPULARITY, ERA = USER_AT["popularity"], USER_AT["era"]
FOCUS, TOWER_FOCUS = USER_AT["focus"], USER_AT["tower_focus"]
HOUR_AT, WEEKDAY_AT, WEEKEND = USER_AT["hour_sin"], USER_AT["weekday_sin"], USER_AT["weekend"]
YEAR = 365.25 * DAY
FEW = 10
"""Acts that count as the last ones."""
AROUND = 2 * HOUR / DAY
"""Hours around a time of day that count as the same, in days."""
SATURDAY = 2
"""Days after Thursday, on which 1970 began."""


@kernel
def describe(person: Person, memory: Memory, when: When) -> Doubles:
    """Every number of `sources.USER`."""
    own = np.zeros(WIDTH)
    for f in range(FOLDS):
        age = max(when.at - person.counters[f, 1], 0.0)
        own[f] = person.counters[f, 0] * np.exp2(-age * RATE[f])
    _account(own, person, when)
    _acts(own, person)
    _ratings(own, person)
    _clock(own, person, when.now)
    _tastes(own, memory)
    own[POPULARITY] = 0.0 if np.isnan(memory.popularity) else memory.popularity
    own[ERA] = 0.0 if np.isnan(memory.published) else max(when.at - memory.published, 0.0) / YEAR
    count = len(memory.lately)
    own[FOCUS] = _focus(memory.content, count)
    own[TOWER_FOCUS] = _focus(memory.tower, count)
    return own


@kernel
def _account(own: Doubles, person: Person, when: When) -> None:
    segment, total, sessions, acts, first, last, start = person.numbers
    own[ACTS], own[SESSIONS], own[VISIT_ACTS] = total, sessions, acts
    own[VISIT] = max(last - start, 0.0)
    own[AWAY] = min(max(when.now - last, 0.0), LONG_AGO) if total > 0 else LONG_AGO
    own[SPAN] = max(last - first, 0.0)
    own[SEGMENT] = 1.0 if segment > 0 else 0.0
    own[HISTORY], own[SEEN] = len(person.history), len(person.seen)
    for at in range(len(person.shown) - 1, -1, -1):
        if person.shown_times[at] <= last:
            break
        own[UNANSWERED] += 1.0


@kernel
def _acts(own: Doubles, person: Person) -> None:
    count, few = len(person.times), min(len(person.times), FEW)
    for back in range(few):
        signal = person.signals[count - 1 - back]
        own[LIKED_10] += (signal & POSITIVE != 0) / few
        own[DISLIKED_10] += (signal & NEGATIVE != 0) / few
    if count > 1:
        own[LAST_GAP] = person.times[count - 1] - person.times[count - 2]
        own[GAP_10] = (person.times[count - 1] - person.times[count - few]) / (few - 1)
    for at in range(count - 1, -1, -1):
        signal = person.signals[at]
        if signal & NEGATIVE != 0:
            own[TURNED_DOWN] += 1.0
        elif signal & ENGAGED != 0:
            break


@kernel
def _ratings(own: Doubles, person: Person) -> None:
    mean, squares, count = mean_rating(person), 0.0, 0
    for at in range(len(person.kinds)):
        value = np.float64(person.values[at])
        if person.kinds[at] == RATING and not np.isnan(value):
            squares += (value - mean) * (value - mean)
            own[NEWEST] = value - mean
            count += 1
    own[SPREAD] = np.sqrt(squares / count) if count else 0.0


@kernel
def _clock(own: Doubles, person: Person, now: float) -> None:
    day, count = now / DAY, len(person.times)
    turn = 2.0 * np.pi * (day - np.floor(day))
    week = 2.0 * np.pi * (day / 7 - np.floor(day / 7))
    own[HOUR_AT], own[HOUR_AT + 1] = np.sin(turn), np.cos(turn)
    own[WEEKDAY_AT], own[WEEKDAY_AT + 1] = np.sin(week), np.cos(week)
    today = np.floor(day)
    weekday = today - 7 * np.floor(today / 7)
    own[WEEKEND] = 1.0 if SATURDAY <= weekday <= SATURDAY + 1 else 0.0
    hours, days = 0, 0
    for at in range(count):
        then = person.times[at] / DAY
        apart = day - then
        apart = abs(apart - np.floor(apart + 0.5))
        weeks = (today - np.floor(then)) / 7
        hours += apart <= AROUND
        days += weeks == np.floor(weeks)
    own[USUAL_HOUR], own[USUAL_DAY] = hours / max(count, 1), days / max(count, 1)


@kernel
def _tastes(own: Doubles, memory: Memory) -> None:
    for code in range(len(memory.tastes)):
        share = memory.tastes[code, EVER_AT]
        own[CATEGORIES] += share > 0
        own[TOP] = max(own[TOP], share)
    for slot in range(len(memory.creator_keys)):
        own[CREATORS] += memory.creator_keys[slot] != FREE and memory.creators[slot, 1] > 0


@kernel
def _focus(table: Floats, count: int) -> float:
    """Length of the mean of the first `count` vectors."""
    squares = 0.0
    for d in range(table.shape[1]):
        total = 0.0
        for k in range(count):
            total += table[k, d]
        squares += total * total
    return float(np.sqrt(squares) / max(count, 1))
