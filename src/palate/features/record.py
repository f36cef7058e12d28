"""What we know of one user: a packed record, read once a request and never changed here.

Packed, it is one head (`USER_DTYPE`) and behind it the filled part of each list, so a visitor of
ten events costs ten events' room.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from struct import Struct
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Doubles, Floats, Rows, Times
from palate.errors import CorruptState
from palate.events.kinds import Signal
from palate.features.folds import USER_FOLDS, layout_of
from palate.features.segments import REGION_AT
from palate.jit import kernel

HISTORY = 200
"""Events a history keeps: the newest by their own time."""
SHOWN = 96
"""Impressions a record keeps."""

FOLLOWS = 64
"""Creators of whom a record keeps the newest word."""

USER_DTYPE = np.dtype(
    [
        ("segment", "i4"),
        ("total", "i4"),
        ("sessions", "i4"),
        ("session_events", "i4"),
        ("history", "i4"),
        ("shown", "i4"),
        ("seen", "i4"),
        ("layout", "i4"),
        ("follows", "i8"),
        ("owner", "u8"),
        ("first_time", "f8"),
        ("last_time", "f8"),
        ("session_start", "f8"),
        ("counters", "f8", (len(USER_FOLDS), 2)),
    ]
)
"""The head of a packed record; `history`, `shown`, `seen`, `follows` are the lists' lengths.

`owner` is the key of the user who claimed a session: all that it did is in theirs; else 0."""

WIDE = str.maketrans("lL", "qQ")
SCALARS = tuple(name for name in USER_DTYPE.names or () if name != "counters")
HEAD = Struct("=" + "".join(USER_DTYPE[name].char for name in SCALARS).translate(WIDE))
"""The head but for its counters, which come last: read in one step."""

FORM = 3
"""Counted up where the record changes but not its folds."""
LAYOUT = layout_of(USER_FOLDS) ^ FORM
"""Told in each record: one written by another layout is refused instead of misread."""

LISTS: tuple[tuple[str, str, str], ...] = (
    ("times", "f8", "history"),
    ("shown_times", "f8", "shown"),
    ("follow_times", "f8", "follows"),
    ("follows", "i8", "follows"),
    ("history", "i4", "history"),
    ("values", "f4", "history"),
    ("shown", "i4", "shown"),
    ("seen", "i4", "seen"),
    ("seen_signals", "u4", "seen"),
    ("kinds", "u1", "history"),
    ("signals", "u1", "history"),
    ("following", "u1", "follows"),
)
"""The lists behind the head, in order, widest first so that each begins aligned: name, dtype, and
which length it has."""


@dataclass(frozen=True, slots=True, eq=False)
class UserState:
    """One user as of the newest folded event. All arrays are read-only."""

    key: int
    segment: int
    """1…segments-1; 0 where nothing is known."""
    region: int
    """The column of their region's counts; 0 where nothing is known."""
    first_time: float
    last_time: float
    """Of the newest event that was an act (impressions are none); 0 where there was none."""
    session_start: float
    session_events: int
    """Acts in the current session."""
    sessions: int
    total: int
    """Acts altogether."""
    counters: Doubles
    """(user folds, 2): value, as_of; see `features.folds.USER_FOLDS`."""
    history: Rows
    """Rows of the last ≤ 200 events with a signal beyond SHOWN, oldest first by event time."""
    times: Times
    values: Floats
    kinds: NDArray[np.uint8]
    signals: NDArray[np.uint8]
    shown: Rows
    """Rows of the last ≤ 96 impressions, oldest first."""
    shown_times: Times
    seen: Rows
    """Distinct rows the user acted upon, by first sight; bounded, the oldest are dropped."""
    seen_signals: NDArray[np.uint32]
    """The signals of each, all that ever were; NEGATIVE only where the newest word on it is."""
    follow_times: Times
    follows: NDArray[np.int64]
    """Whom the last ≤ 64 follows and unfollows were about, oldest first: a creator's key, or
    -1 - row of an item of theirs. See `features.follows`."""
    following: NDArray[np.uint8]
    """1 where the last word was to follow them."""

    @classmethod
    def nobody(cls, segment: int = 0, key: int = 0) -> Self:
        """Somebody we know nothing of (but perhaps the segment, and by which key they come)."""
        head = np.zeros(1, USER_DTYPE)
        head["segment"], head["layout"] = segment, LAYOUT
        return cls.unpack(key, head.tobytes())

    @classmethod
    def unpack(cls, key: int, raw: bytes) -> Self:
        """Read a packed record in place.

        Raises CorruptState where it has another layout or is not whole.
        """
        if len(raw) < USER_DTYPE.itemsize:
            raise CorruptState(f"the record of user {key:016x} is cut short; run `palate rebuild`")
        told = dict(zip(SCALARS, HEAD.unpack_from(raw), strict=True))
        if told["layout"] != LAYOUT:
            raise CorruptState(
                f"the record of user {key:016x} is of another layout; run `palate rebuild`"
            )
        counters = np.frombuffer(raw, np.float64, 2 * len(USER_FOLDS), HEAD.size)
        return cls(
            key,
            told["segment"] % REGION_AT,
            told["segment"] // REGION_AT,
            told["first_time"],
            told["last_time"],
            told["session_start"],
            told["session_events"],
            told["sessions"],
            told["total"],
            counters.reshape(-1, 2),
            **unpack_lists(told, raw, f"user {key:016x}"),
        )

    def engaged(self, limit: int) -> Rows:
        """Distinct rows the user took in and did not turn down later, newest first."""
        return engaged_rows(self.history, self.signals, limit)


def owner_of(raw: bytes) -> int:
    """The key of the user who claimed the session whose record this is; 0 of all other records."""
    return int(np.frombuffer(raw, USER_DTYPE, 1)["owner"][0]) if readable(raw) else 0


def readable(raw: bytes) -> bool:
    """Whether a packed record has the form that is read here."""
    whole = len(raw) >= USER_DTYPE.itemsize
    return whole and bool(np.frombuffer(raw, USER_DTYPE, 1)["layout"][0] == LAYOUT)


WIDTHS = {dtype: np.dtype(dtype).itemsize for _, dtype, _ in LISTS}


def unpack_lists(head: Mapping[str, Any], raw: bytes, who: str) -> dict[str, NDArray[Any]]:
    """Lists behind a head, by name, as views of `raw`."""
    sizes = {name: int(head[name]) for name in ("history", "shown", "seen", "follows")}
    if min(sizes.values()) < 0:
        raise CorruptState(f"the record of {who} is damaged; run `palate rebuild`")
    whole = sum(WIDTHS[dtype] * sizes[of] for _, dtype, of in LISTS)
    if head["layout"] != LAYOUT or USER_DTYPE.itemsize + whole != len(raw):
        raise CorruptState(f"the record of {who} is of another layout; run `palate rebuild`")
    at, lists = USER_DTYPE.itemsize, {}
    for name, dtype, of in LISTS:
        lists[name] = np.frombuffer(raw, dtype, sizes[of], at)
        at += WIDTHS[dtype] * sizes[of]
    return lists


ENGAGED, NEGATIVE = int(Signal.ENGAGED), int(Signal.NEGATIVE)


@kernel
def engaged_places(history: Rows, signals: NDArray[np.uint8], limit: int) -> NDArray[np.int64]:
    """Walk back from the newest event; the newest word on an item decides."""
    found = np.empty(limit, np.int64)
    judged = np.empty(len(history), np.int32)
    kept, known = 0, 0
    for back in range(len(history) - 1, -1, -1):
        row, signal = history[back], signals[back]
        if kept == limit:
            break
        if signal & (ENGAGED | NEGATIVE) == 0 or _among(judged, known, row):
            continue
        judged[known] = row
        known += 1
        if signal & NEGATIVE == 0:
            found[kept] = back
            kept += 1
    return found[:kept]


@kernel
def engaged_rows(history: Rows, signals: NDArray[np.uint8], limit: int) -> Rows:
    """Rows at `engaged_places`."""
    places = engaged_places(history, signals, min(limit, len(history)))
    rows = np.empty(len(places), np.int32)
    for at in range(len(places)):
        rows[at] = history[places[at]]
    return rows


@kernel
def _among(rows: Rows, count: int, row: int) -> bool:
    for at in range(count):  # noqa: SIM110  numba knows no any() over a generator
        if rows[at] == row:
            return True
    return False
