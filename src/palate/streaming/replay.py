"""The log told again, in memory: what was known at any moment, by the same fold as live."""

from collections.abc import Sequence

from palate.catalog.columns import ItemColumns
from palate.events.batch import EventBatch, RowsOf
from palate.events.protocol import EventLog, Logged, read_log
from palate.features.boards import Leaderboards
from palate.features.items import ItemStates
from palate.features.online.protocol import StateChange
from palate.features.record import UserState
from palate.features.users import UserTable
from palate.models.covisit import Covisit
from palate.settings import Settings
from palate.streaming.state import LiveState, Touched, encode


class Replay:
    """A site's state as of a position of the log. Training and evaluation walk through it."""

    def __init__(self, settings: Settings, columns: ItemColumns) -> None:
        self.columns = columns
        self.position = 0
        self._state = LiveState(
            settings.streaming,
            ItemStates.in_memory(
                segments=settings.features.segments, regions=settings.features.regions
            ),
            Covisit.in_memory(settings.covisit),
            UserTable(),
        )
        self._boards = Leaderboards.in_memory()
        self._segment: dict[int, int] = {}

    @property
    def states(self) -> ItemStates:
        """Item counters as of `position`."""
        return self._state.states

    @property
    def covisit(self) -> Covisit:
        """Co-visitation as of `position`."""
        return self._state.covisit

    def apply(self, batch: EventBatch) -> Touched:
        """Fold the next events of the log."""
        touched = self._state.apply(batch)
        if len(batch):
            self.position = int(batch.position[-1])
            self.states.stamp(position=self.position)
            self.covisit.stamp(position=self.position)
        return touched

    def read(self, log: EventLog, rows_of: RowsOf, *, until: int | None = None) -> None:
        """Fold what the log holds after `position`, up to `until` (its end by default)."""
        for entries in read_log(log, self.position, until):
            self.fold(entries, rows_of)

    def fold(self, entries: Sequence[Logged], rows_of: RowsOf) -> Touched:
        """Fold entries of the log as the stream worker does, leaving out what it leaves out."""
        batch, _ = encode(entries, rows_of)
        touched = self.apply(batch)
        if entries:
            self.position = entries[-1].position
            self.states.stamp(position=self.position)
            self.covisit.stamp(position=self.position)
        return touched

    def boards(self, now: float) -> Leaderboards:
        """Leaderboards as of `position`, computed anew; the same object each time."""
        self._boards.build(self.states, self.columns, now)
        return self._boards

    def user(self, key: int) -> UserState:
        """One user as of `position`; nobody where nothing is known."""
        raw = self._state.users.pack(key)
        return UserState.nobody() if raw is None else UserState.unpack(key, raw)

    def changed(self, touched: Touched) -> StateChange:
        """What a fold changed, as the online store would be told of it."""
        return self._state.change(touched, self.position)

    def record(self) -> StateChange:
        """Everything, as the online store would hold it."""
        packed = {key: self._state.users.pack(key) for key in self._state.users}
        return StateChange(
            self.position,
            {key: raw for key, raw in packed.items() if raw is not None},
            self.states.packed(self.states.allotted),
            {row: self.covisit.pack(row) for row in self.covisit.taken.tolist()},
        )
