"""What the kernels read, as named tuples of arrays.

Every array that comes from outside is read-only, so that a kernel is compiled once whether a
file, a release or a replay gave it.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Bytes, Doubles, Floats, Rows, Times

SOON = 6
"""Candidates between the one that is read and the one whose memory is asked for."""
LATELY = 10
"""Items of the history that candidates are compared with."""


class Person(NamedTuple):
    """A user's record; see `features.record`."""

    numbers: Doubles
    """segment, total, sessions, session_events, first_time, last_time, session_start."""
    counters: Doubles
    history: Rows
    times: Times
    values: Floats
    kinds: NDArray[np.uint8]
    signals: NDArray[np.uint8]
    shown: Rows
    shown_times: Times
    seen: Rows
    seen_signals: NDArray[np.uint32]


class World(NamedTuple):
    """What is known of items, whole arrays by row; their lengths differ."""

    published: Times
    expires: Times
    min_age: NDArray[np.uint8]
    regions: NDArray[np.uint64]
    categories: NDArray[np.int16]
    creator: Rows
    tags: NDArray[np.uint16]
    content: Bytes
    codes: NDArray[np.int16]
    """(rows, 3): what an item is about; -1 where nothing is said."""
    slots: Rows
    """Where each row's counts, times and seat lie; 0 is blank."""
    counts: Floats
    times: Doubles
    seats: Rows
    """This and the four below: see `features.engagements`."""
    seat_codes: NDArray[np.uint16]
    few: Floats
    wide: Floats
    seats_used: NDArray[np.int64]
    pair_slots: Rows
    """Where each row's part of the four below lies; 0 is blank."""
    pair_rows: NDArray[np.int32]
    pair_weights: Floats
    pair_counts: Doubles
    pair_last: Times
    pair_sizes: NDArray[np.int32]
    vectors: Floats | NDArray[np.int8]
    """(n, dim): where the two-tower's point; their lengths mean nothing."""
    known: NDArray[np.bool_]
    """(rows,): which of them mean anything."""
    places: NDArray[np.int32]
    """(rows,): where each row's vector lies; nothing where row n's is the nth."""


class Proposed(NamedTuple):
    """The candidates, and what the generators said of them."""

    rows: Rows
    scores: Floats
    """(n, generators): NaN where the generator did not find the item."""
    ranks: NDArray[np.int16]
    """(n, generators): from 1; 0 where the generator did not find the item."""
    heard: NDArray[np.int64]
    """Column of each generator that the plan hears; -1 where it was not asked."""


class When(NamedTuple):
    """The moment, and covisit's constants."""

    now: float
    at: float
    """The site's time: stands still while nothing happens."""
    alpha: float
    beta: float
    fading: float
    """Half-lives of co-visitation a second; 0 where it does not fade."""
    newest: float
    """Its newest event, in half-lives."""
    segments: int
    """How many of the columns of `World.wide` are segments; regions follow."""


class Formulas(NamedTuple):
    """Features of one kind, one row a feature; see `features.feature`."""

    slots: NDArray[np.int64]
    """(features, 4): column of the matrix, slot of the part, of the whole (-1: none), and curve."""
    numbers: Floats
    """(features, 4): times, plus, per, over."""


PLAIN, LOG, DOUBLINGS = 0, 1, 2
"""Curves: the ratio as it is, log(1 + x) of it, log2(x) of it."""


class Plan(NamedTuple):
    """A layout, compiled."""

    user: Formulas
    candidate: Formulas


class Memory(NamedTuple):
    """What a user's history comes to, computed once a request."""

    lately: NDArray[np.int64]
    """Places in the history of the last items taken in, newest first, at most LATELY."""
    weights: Floats
    """(lately,): how much each counts; likes count more."""
    tastes: Floats
    """(categories, 6): see `past.TASTES`."""
    creator_keys: NDArray[np.int32]
    """An open-addressing table, -1 is free."""
    creators: Floats
    """(len(creator_keys), 3): recent and all engagements, likes."""
    topic_keys: NDArray[np.int32]
    """As `creator_keys`, of `past.topic_key`."""
    topics: Floats
    """(len(topic_keys), 4): the first four of `past.TASTES`."""
    content: Floats
    """(lately + 2, 64): the last items, then directions of the liked and disliked."""
    tower: Floats
    """(lately, dim): the last items' directions, by the two-tower."""
    published: float
    """Mean time of publication of the last items; NaN where unknown."""
    popularity: float
    """Mean log(1 + times taken in) of the last items; NaN where there are none."""


class Met(NamedTuple):
    """What history and covisit know of each candidate, found by one look-up each."""

    together: Floats
    """(n, LATELY): covisit of each candidate with each of the last items."""
    shown: Floats
    since: Floats
    """Seconds since it was last shown; 0 for never."""
    signals: NDArray[np.uint32]
    """Signals the user gave."""
