"""What a history comes to: tastes, creators, and the last items taken in."""

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Floats, Rows
from palate.catalog.quantised import unit_vector
from palate.events.kinds import Kind, Signal
from palate.features.folds import DAY, ITEM_SLOT
from palate.features.reading.shapes import LATELY, Memory, Person, When, World
from palate.features.record import engaged_places
from palate.jit import kernel, swift
from palate.mapped.projections import slot_in

ENGAGED, POSITIVE, NEGATIVE = int(Signal.ENGAGED), int(Signal.POSITIVE), int(Signal.NEGATIVE)
RATING = int(Kind.RATING)
TOTAL = ITEM_SLOT["engaged_total"]
RECENT = 20
"""Engagements that count as recent."""
RATING_PRIOR = 3.0
"""Ratings of a category at which its mean gets half of its weight."""
LIKED = 1.5
"""How much a liked one of the last items counts; the others count 1."""
LONG_AGO = 90 * DAY
TASTES = ("recent", "ever", "liked", "disliked", "rated", "since")
"""Columns of the table of tastes: shares of recent engagements, of all, of likes and of dislikes
that fell on a category, how much better than usual it was rated, seconds since it was taken in."""
RECENT_AT, EVER_AT, LIKED_AT, DISLIKED_AT, RATED_AT, SINCE_AT = range(6)
FREE = -1


@kernel
def remember(person: Person, world: World, when: When) -> Memory:
    """Go through the history, newest first."""
    lately = engaged_places(person.history, person.signals, LATELY)
    weights = np.ones(len(lately), np.float32)
    for k in range(len(lately)):
        if person.signals[lately[k]] & POSITIVE != 0:
            weights[k] = LIKED
    tastes = _tastes(person, world, when.now)
    keys, creators = _creators(person, world)
    topic_keys, topics = _topics(person, world)
    content = _content(person, world, lately)
    tower = _tower(person, world, lately)
    published, popularity = _habits(person, world, lately)
    return Memory(
        lately,
        weights,
        tastes,
        keys,
        creators,
        topic_keys,
        topics,
        content,
        tower,
        published,
        popularity,
    )


@kernel
def _row(rows: Rows, at: int, size: int) -> int:
    """A row of the history that can be looked up; what lies beyond reads as the last, blank one."""
    row: int = rows[at]
    return row if 0 <= row < size else size - 1


@kernel
def _tastes(person: Person, world: World, now: float) -> Floats:
    size, most = len(world.categories), _most(person.history, world.categories)
    table = np.zeros((most + 1, 6), np.float32)
    table[:, SINCE_AT] = LONG_AGO
    totals, rated = np.zeros(4, np.float32), np.zeros(most + 1, np.float32)
    mean = mean_rating(person)
    for back in range(len(person.history)):
        at = len(person.history) - 1 - back
        falls = _falls(person.signals[at], totals)
        codes = world.categories[_row(person.history, at, size)]
        difference = person.values[at] - mean
        judged = person.kinds[at] == RATING and not np.isnan(difference)
        since = min(max(now - person.times[at], 0.0), LONG_AGO)
        for code in codes:
            if code >= 0:
                _weigh(table[code], falls, since)
            if code >= 0 and judged:
                table[code, RATED_AT] += difference
                rated[code] += 1
    for code in range(most + 1):
        for column in range(4):
            table[code, column] /= max(totals[column], np.float32(1))
        table[code, RATED_AT] /= rated[code] + np.float32(RATING_PRIOR)
    return table


@kernel
def _most(history: Rows, categories: NDArray[np.int16]) -> int:
    """Largest code of a category in the history; -1 for none."""
    most = -1
    for at in range(len(history)):
        for code in categories[_row(history, at, len(categories))]:
            most = max(most, int(code))
    return most


@kernel
def _weigh(taste: Floats, falls: tuple[float, float, float, float], since: float) -> None:
    """Count an act for one of its categories."""
    for column in range(4):
        taste[column] += falls[column]
    if falls[EVER_AT] > 0:
        taste[SINCE_AT] = min(taste[SINCE_AT], since)


@kernel
def _falls(signal: int, totals: Floats) -> tuple[float, float, float, float]:
    """What an act counts for: recent, ever, liked, disliked; and it is counted in `totals`."""
    engaged = 1.0 if signal & ENGAGED != 0 else 0.0
    recent = engaged if totals[RECENT_AT] < RECENT else 0.0
    liked = 1.0 if signal & POSITIVE != 0 else 0.0
    disliked = 1.0 if signal & NEGATIVE != 0 else 0.0
    totals[RECENT_AT] += recent
    totals[EVER_AT] += engaged
    totals[LIKED_AT] += liked
    totals[DISLIKED_AT] += disliked
    return recent, engaged, liked, disliked


@kernel
def mean_rating(person: Person) -> float:
    """Mean of the ratings in the history; 0 where there are none."""
    total, count = 0.0, 0
    for at in range(len(person.signals)):
        if person.kinds[at] == RATING and not np.isnan(person.values[at]):
            total += person.values[at]
            count += 1
    return total / max(count, 1)


@kernel
def slot_of(keys: NDArray[np.int32], key: int) -> int:
    """Where a key is in an open-addressing table, or the free place where it belongs."""
    mask = len(keys) - 1
    at = (np.int64(key) * 2654435769 >> 7) & mask
    while keys[at] != FREE and keys[at] != key:
        at = (at + 1) & mask
    return int(at)


@kernel
def _creators(person: Person, world: World) -> tuple[NDArray[np.int32], Floats]:
    size, places = len(world.creator), 16
    while places < 2 * len(person.history):
        places *= 2
    keys, table = np.full(places, FREE, np.int32), np.zeros((places, 3), np.float32)
    recent = 0
    for back in range(len(person.history)):
        at = len(person.history) - 1 - back
        signal = person.signals[at]
        recent += signal & ENGAGED != 0
        creator = world.creator[_row(person.history, at, size)]
        if creator < 0:
            continue
        slot = slot_of(keys, creator)
        keys[slot] = creator
        if signal & ENGAGED != 0:
            table[slot, 0] += recent <= RECENT
            table[slot, 1] += 1
        table[slot, 2] += signal & POSITIVE != 0
    return keys, table


@swift
def topic_key(codes: NDArray[np.int16], row: int, parts: int) -> int:
    """One number for the topic of an item, or for the part of one: its first codes, 1 or 2."""
    second = np.int64(codes[row, 1]) + 1 if parts > 1 else np.int64(0)
    return int(np.int64(codes[row, 0]) * 1024 + second)


@kernel
def _topics(person: Person, world: World) -> tuple[NDArray[np.int32], Floats]:
    """Shares of acts that fell on each topic and each part of one, as of categories."""
    size, places = len(world.codes), 16
    while places < 4 * len(person.history):
        places *= 2
    keys, table = np.full(places, FREE, np.int32), np.zeros((places, 4), np.float32)
    totals = np.zeros(4, np.float32)
    for back in range(len(person.history)):
        at = len(person.history) - 1 - back
        falls = _falls(person.signals[at], totals)
        row = _row(person.history, at, size)
        for parts in range(1, 3):
            if world.codes[row, 0] >= 0:
                key = topic_key(world.codes, row, parts)
                slot = slot_of(keys, key)
                keys[slot] = key
                for column in range(4):
                    table[slot, column] += falls[column]
    for column in range(4):
        table[:, column] /= max(totals[column], np.float32(1))
    return keys, table


@kernel
def _content(person: Person, world: World, lately: NDArray[np.int64]) -> Floats:
    size, count = len(world.content), len(lately)
    table = np.zeros((count + 2, world.content.shape[1]), np.float32)
    vector = np.empty(world.content.shape[1], np.float32)
    for k in range(count):
        unit_vector(table[k], world.content[_row(person.history, lately[k], size)])
    for at in range(len(person.history)):
        signal = person.signals[at]
        if signal & (POSITIVE | NEGATIVE) != 0:
            unit_vector(vector, world.content[_row(person.history, at, size)])
            _sum(table[count if signal & POSITIVE != 0 else count + 1], vector)
    _straighten(table[count])
    _straighten(table[count + 1])
    return table


@kernel
def _sum(total: Floats, vector: Floats) -> None:
    for d in range(len(total)):
        total[d] += vector[d]


@kernel
def place_of(places: NDArray[np.int32], row: int) -> int:
    """Where the vector of a known row lies; that of any other is somebody else's."""
    place: int = row
    if len(places) > 0:
        place = max(places[min(row, len(places) - 1)], np.int32(0))
    return place


@kernel
def _tower(person: Person, world: World, lately: NDArray[np.int64]) -> Floats:
    size, count = len(world.known), len(lately)
    table = np.zeros((count, world.vectors.shape[1]), np.float32)
    for k in range(count):
        row = person.history[lately[k]]
        if 0 <= row < size and world.known[row]:
            at = place_of(world.places, row)
            for d in range(world.vectors.shape[1]):
                table[k, d] = np.float32(world.vectors[at, d])
            _straighten(table[k])
    return table


@swift
def _straighten(vector: Floats) -> None:
    """Give a vector unit length, unless it is zero."""
    total = np.float32(0)
    for d in range(len(vector)):
        total += vector[d] * vector[d]
    length = max(np.sqrt(total), np.float32(1e-6))
    for d in range(len(vector)):
        vector[d] /= length


@kernel
def _habits(person: Person, world: World, lately: NDArray[np.int64]) -> tuple[float, float]:
    """Mean time of publication and mean log popularity of the last items; NaN for unknown."""
    published, known, popularity = 0.0, 0, 0.0
    for place in lately:
        since = world.published[_row(person.history, place, len(world.published))]
        if not np.isnan(since):
            published += since
            known += 1
        row = person.history[place]
        if row >= 0:
            slot = slot_in(world.slots, row, len(world.counts))
            popularity += np.log1p(max(world.counts[slot, TOTAL], 0.0))
    return (
        published / known if known else np.nan,
        popularity / len(lately) if len(lately) else np.nan,
    )
