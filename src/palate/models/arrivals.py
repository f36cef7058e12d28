"""Items that came after the release learn from their first events, while the release serves.

The log is read from where the towers stopped reading. Whoever takes a newcomer in is turned into a
vector as of just before; the sum of these vectors is all that the closed form of `fold_in` needs.
What an item might have been taken instead of are the acts since it was first taken.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from palate.arrays import Doubles, Floats
from palate.catalog.columns import ItemColumns
from palate.catalog.protocol import ItemCatalog
from palate.events.batch import EventBatch
from palate.events.kinds import Signal
from palate.events.protocol import EventLog
from palate.features.online.claimed import whose
from palate.features.online.protocol import OnlineStore
from palate.features.record import UserState
from palate.models.fold_in import Background, solve
from palate.models.two_tower import TwoTower

READ = 5_000
"""Events read at a time."""
ENOUGH = 200
"""Events of an item after which the next release knows better than a closed form."""


class _Taken:
    """What is known of one newcomer."""

    def __init__(self, dim: int, since: int) -> None:
        self.wanted: Doubles = np.zeros(dim)
        self.count = 0
        self.since = since
        """Acts of everybody before it was first taken."""


class Arrivals:
    """Follows the log for one release's newcomers; one a process, not thread-safe."""

    def __init__(
        self, tower: TwoTower, background: Background, after: int, most: int = 20_000
    ) -> None:
        self._tower, self._background, self._after = tower, background, after
        self._most = most  # who comes later lives on content until the next release
        self._taken: dict[int, _Taken] = {}
        self._acts = 0

    def follow(
        self, log: EventLog, online: OnlineStore, items: ItemCatalog, columns: ItemColumns
    ) -> int:
        """Read on, `READ` events at most and none that is not folded yet; may take a while.

        Returns how many newcomers were placed anew.
        """
        folded = online.position()
        logged = [each for each in log.read(self._after, READ) if each.position <= folded]
        if not logged:
            return 0
        self._after = logged[-1].position
        batch = EventBatch.encode(logged, lambda ids: items.rows(ids, create=False))
        acts = (batch.signal & np.uint8(Signal.ENGAGED)) > 0
        before = self._acts + np.cumsum(acts)
        self._acts = int(before[-1]) if len(before) else self._acts
        late = self._tower.newcomers(columns)
        which = np.flatnonzero(acts & np.isin(batch.item, late))
        moved = self._hear(batch, which, before, self._vectors(batch, which, online, columns))
        if moved:
            self._place(sorted(moved), columns)
        return len(moved)

    def _hear(
        self,
        batch: EventBatch,
        which: np.ndarray,
        before: np.ndarray,
        vectors: Sequence[Floats | None],
    ) -> set[int]:
        moved = set()
        for at, vector in zip(which.tolist(), vectors, strict=True):
            row = int(batch.item[at])
            if vector is None or (row not in self._taken and len(self._taken) >= self._most):
                continue
            known = self._taken.setdefault(row, _Taken(len(vector), int(before[at]) - 1))
            if known.count < ENOUGH:
                known.wanted += vector
                known.count += 1
                moved.add(row)
        return moved

    def _vectors(
        self, batch: EventBatch, which: np.ndarray, online: OnlineStore, columns: ItemColumns
    ) -> list[Floats | None]:
        """Who took each, as of just before; None of whom nothing was known then."""
        found = []
        for at in which.tolist():
            key, raw = whose(online, int(batch.user[at]))
            now = float(batch.time[at])
            user = None if raw is None else before_then(UserState.unpack(key, raw), now)
            found.append(self._tower.user_vector(user, now, columns) if user else None)
        return found

    def _place(self, moved: list[int], columns: ItemColumns) -> None:
        rows = np.array(moved, np.int32)
        content = self._tower.content_of(rows, columns)
        own = {}
        for row, told in zip(moved, content, strict=True):
            known = self._taken[row]
            every = self._background.of(max(self._acts - known.since, known.count))
            own[row] = solve(known.wanted, every, told).astype(np.float32)
        self._tower.place(own)


def before_then(user: UserState, now: float) -> UserState:
    """The user with nothing in the history that happened at `now` or later."""
    past = user.times < now
    if past.all():
        return user
    return replace(
        user,
        history=user.history[past],
        times=user.times[past],
        values=user.values[past],
        kinds=user.kinds[past],
        signals=user.signals[past],
    )
