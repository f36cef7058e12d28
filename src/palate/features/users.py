"""Users' records while they are being folded: unpacked into columns, one slot a user."""

from collections.abc import Iterator
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Keys
from palate.events.batch import EventBatch
from palate.features.folds import USER_FOLDS
from palate.features.kernel import Users
from palate.features.record import FOLLOWS, HISTORY, LAYOUT, LISTS, SHOWN, USER_DTYPE, unpack_lists

T = TypeVar("T", bound=np.generic)

SLOTS = 64
ARENA = 4_096
SHAPES: dict[str, tuple[str, tuple[int, ...]]] = {
    "alive": ("u1", ()),
    "owner": ("i8", ()),
    "numbers": ("i8", (4,)),
    "moments": ("f8", (3,)),
    "counters": ("f8", (len(USER_FOLDS), 2)),
    "sizes": ("i8", (4,)),
    "history": ("f8", (HISTORY, 5)),
    "shown": ("f8", (SHOWN, 2)),
    "follows": ("f8", (FOLLOWS, 3)),
    "seen_at": ("i8", ()),
}
NUMBERS = ("segment", "total", "sessions", "session_events")
MOMENTS = ("first_time", "last_time", "session_start")
SIZES = ("history", "shown", "seen", "follows")
ENTRIES: dict[str, tuple[str, int]] = {
    "times": ("history", 0),
    "history": ("history", 1),
    "values": ("history", 2),
    "kinds": ("history", 3),
    "signals": ("history", 4),
    "shown_times": ("shown", 0),
    "shown": ("shown", 1),
    "follow_times": ("follows", 0),
    "follows": ("follows", 1),
    "following": ("follows", 2),
}
"""Lists of a record, and the column of the working set that each one is."""


class UserTable:
    """The working set. Seen lists lie in one arena and move to its end when they outgrow a place.

    >>> table = UserTable()
    >>> table.slots(np.array([7, 9, 7], np.uint64)).tolist()
    [0, 1, 0]
    """

    def __init__(self) -> None:
        self._slot: dict[int, int] = {}
        self._keys: list[int] = []
        self._arrays: dict[str, NDArray[Any]] = {
            n: np.zeros((SLOTS, *shape), d) for n, (d, shape) in SHAPES.items()
        }
        self._end = np.zeros(SLOTS, np.int64)
        self._seen = np.zeros(ARENA, np.int32)
        self._seen_signals = np.zeros(ARENA, np.uint32)
        self._used = 0

    def __len__(self) -> int:
        return len(self._slot)

    def __contains__(self, key: int) -> bool:
        return key in self._slot

    def __iter__(self) -> Iterator[int]:
        """Keys of all who have a slot, also of those whose record is blank."""
        return iter(self._slot)

    def columns(self) -> Users:
        """View the working set as the kernel's arrays."""
        return Users(**self._arrays, seen=self._seen, seen_signals=self._seen_signals)

    def slots(self, keys: Keys) -> NDArray[np.int64]:
        """Slots by user key; a new user gets a blank one."""
        distinct, inverse = np.unique(keys, return_inverse=True)
        found = np.array([self._slot_of(key) for key in distinct.tolist()], np.int64)
        return found[inverse] if len(found) else np.empty(0, np.int64)

    def owners(self, keys: Keys) -> Keys:
        """Keys of the users who claimed sessions among these."""
        slots = [self._slot[key] for key in keys.tolist() if key in self._slot]
        owners = np.unique(self._arrays["owner"][slots]) if slots else np.empty(0, np.int64)
        return np.array([self._keys[at - 1] for at in owners.tolist() if at], np.uint64)

    def reserve(self, acting: NDArray[np.int64], joined: NDArray[np.int64]) -> None:
        """Make room in the seen lists for a batch: `acting` slots, and sessions that merge in."""
        slots, more = np.unique(acting, return_counts=True)
        need = dict(zip(slots.tolist(), more.tolist(), strict=True))
        for owner, count in zip(self._arrays["owner"][slots].tolist(), more.tolist(), strict=True):
            if owner:
                need[owner - 1] = need.get(owner - 1, 0) + count
        pairs = np.unique(np.stack((acting, joined), axis=1)[joined >= 0], axis=0)
        gained = [int(self._arrays["sizes"][s, 2]) + need.get(s, 0) for s in pairs[:, 1].tolist()]
        for slot, more_seen in zip(pairs[:, 0].tolist(), gained, strict=True):
            need[slot] += more_seen
        touched = np.fromiter(need.keys(), np.int64, len(need))
        wanted = np.fromiter(need.values(), np.int64, len(need))
        wanted += self._arrays["sizes"][touched, 2]
        short = self._arrays["seen_at"][touched] + wanted > self._end[touched]
        for slot, size in zip(touched[short].tolist(), wanted[short].tolist(), strict=True):
            self._move(slot, size)

    def load(self, key: int, raw: bytes) -> None:
        """Take over a packed record. The owner's, where it names one, has to be taken over, too."""
        slot = self._slot_of(key)
        head = np.frombuffer(raw, USER_DTYPE, 1)[0]
        lists = unpack_lists(head, raw, f"user {key:016x}")
        owner = self._slot_of(int(head["owner"])) + 1 if head["owner"] else 0
        held = self._arrays
        held["alive"][slot] = 1
        held["owner"][slot] = owner
        held["numbers"][slot] = [head[name] for name in NUMBERS]
        held["moments"][slot] = [head[name] for name in MOMENTS]
        held["counters"][slot] = head["counters"]
        held["sizes"][slot] = [head[name] for name in SIZES]
        seen, signals = lists.pop("seen"), lists.pop("seen_signals")
        for name, values in lists.items():
            array, column = ENTRIES[name]
            held[array][slot, : len(values), column] = values
        self._move(slot, len(seen), keep=False)
        start = held["seen_at"][slot]
        self._seen[start : start + len(seen)] = seen
        self._seen_signals[start : start + len(seen)] = signals

    def pack(self, key: int) -> bytes | None:
        """One user's record, as the online store keeps it; None where there is none."""
        slot = self._slot.get(key)
        held = self._arrays
        if slot is None or not held["alive"][slot]:
            return None
        head = np.zeros(1, USER_DTYPE)
        head["layout"], head["counters"] = LAYOUT, held["counters"][slot]
        owner = int(held["owner"][slot])
        head["owner"] = self._keys[owner - 1] if owner else 0
        for names, column in ((NUMBERS, "numbers"), (MOMENTS, "moments"), (SIZES, "sizes")):
            for name, value in zip(names, held[column][slot].tolist(), strict=True):
                head[name] = value
        sizes = dict(zip(SIZES, held["sizes"][slot].tolist(), strict=True))
        start = int(held["seen_at"][slot])
        lists = {"seen": self._seen[start:], "seen_signals": self._seen_signals[start:]}
        for name, (array, place) in ENTRIES.items():
            lists[name] = held[array][slot, :, place]
        parts = [lists[name][: sizes[of]].astype(dtype) for name, dtype, of in LISTS]
        return b"".join((head.tobytes(), *(part.tobytes() for part in parts)))

    def _slot_of(self, key: int) -> int:
        slot = self._slot.get(key)
        if slot is None:
            slot = len(self._slot)
            if slot == len(self._end):
                self._widen()
            self._slot[key] = slot
            self._keys.append(key)
        return slot

    def _widen(self) -> None:
        for name, array in self._arrays.items():
            self._arrays[name] = _doubled(array)
        self._end = _doubled(self._end)

    def _move(self, slot: int, need: int, *, keep: bool = True) -> None:
        """Give a seen list a place of twice the need at the arena's end."""
        room = 2 * need
        while self._used + room > len(self._seen):
            self._seen, self._seen_signals = _doubled(self._seen), _doubled(self._seen_signals)
        if keep:
            start, size = self._arrays["seen_at"][slot], self._arrays["sizes"][slot, 2]
            for arena in (self._seen, self._seen_signals):
                arena[self._used : self._used + size] = arena[start : start + size]
        self._arrays["seen_at"][slot] = self._used
        self._used += room
        self._end[slot] = self._used


def _doubled(array: NDArray[T]) -> NDArray[T]:
    """With as much room again, of which nothing is held until it is written to."""
    wider = np.zeros((2 * len(array), *array.shape[1:]), array.dtype)
    wider[: len(array)] = array
    return wider


def slots_of(table: UserTable, batch: EventBatch) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Slots of who acted, and of the sessions that turn out to be theirs (-1: none)."""
    acting = table.slots(batch.user)
    joined = np.full(len(batch), -1, np.int64)
    named = batch.session != 0
    joined[named] = table.slots(batch.session[named])
    return acting, joined
