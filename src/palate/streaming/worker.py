"""The stream worker: from the log to the state, as it happens. The only writer there is."""

import logging
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import inf
from time import perf_counter, thread_time

from palate.catalog.columns import ItemColumns
from palate.catalog.protocol import ItemCatalog, UserCatalog
from palate.clock import Clock
from palate.errors import CorruptState, CorruptStore, Unavailable
from palate.events.batch import EventBatch
from palate.events.protocol import EventLog, Logged
from palate.features.boards import Leaderboards
from palate.features.folds import LAST_AT
from palate.features.items import ItemStates
from palate.features.online.protocol import OnlineStore
from palate.features.record import owner_of, readable
from palate.features.users import UserTable
from palate.models.covisit import Covisit
from palate.settings import Settings
from palate.streaming.aside import Aside
from palate.streaming.lock import Turn
from palate.streaming.rebuild import recount
from palate.streaming.state import LiveState, Refused, actors, encode

log = logging.getLogger("palate.stream")

CHANGES = 2_000
"""Catalogue changes shown in one step, so that bulk work on it does not hold up the events."""
CATCH_UP = 16
"""Far behind, so many batches are folded as one: the state is the same, the commits are fewer."""
WORKING_SET = 8_000
"""Users kept unpacked between batches, 11 to 16 kB each; to read one anew takes 0.1 ms."""
BOARDS_REST = 5.0
"""Boards rest so many times as long as they took to compute."""
QUICK = 0.01
"""Seconds: boards that take less are computed whenever the stream comes to rest."""
HELD_UP = 1.0
"""Seconds until a disk that took nothing is tried again."""
TELL_SECONDS = 5.0
"""A worker that is behind says so this often."""


@dataclass(slots=True)
class StreamWorker:
    """Keeps online store, columns, counters, boards and co-visitation up with log and catalogue.

    The mapped counters and tables are its working memory: marked dirty before a fold, stamped with
    the position after the commit. Whatever happens in between, `recover` reads them anew.
    """

    settings: Settings
    items: ItemCatalog
    users: UserCatalog
    log: EventLog
    online: OnlineStore
    columns: ItemColumns
    states: ItemStates
    boards: Leaderboards
    covisit: Covisit
    clock: Clock
    _state: LiveState = field(init=False)
    _behind: bool = field(init=False, default=False)
    _held_up: bool = field(init=False, default=False)
    _more: bool = field(init=False, default=False)
    """Whether more of the catalogue's changes may wait."""
    _stale: bool = field(init=False, default=True)
    _built: float = field(init=False, default=-inf)
    _cost: float = field(init=False, default=0.0)
    _told: float = field(init=False, default_factory=perf_counter)
    _turn: Turn = field(init=False)

    def __post_init__(self) -> None:
        self._turn = Turn(self.settings)
        self._forget()

    @property
    def position(self) -> int:
        """Log position that everything shows."""
        return self.states.position

    @property
    def lag(self) -> int:
        """How far the log is ahead, in positions."""
        return self.log.end() - self.position

    def recover(self) -> bool:
        """Read the projections anew from the online store where they do not show what it holds.

        Where it was counted with other settings of [covisit], where records have another form, or
        where it is damaged, the whole log is folded first. Returns whether that was needed. Raises
        CorruptStore where the state is ahead of the log.
        """
        with self._turn.taken():
            try:
                return self._recover()
            except CorruptState as error:
                self._begin_anew(error)
                return True

    def _recover(self) -> bool:
        position = self.online.position()
        if position > self.log.end():
            raise CorruptStore(
                f"the state shows log position {position}, the log ends at {self.log.end()}: it is"
                " another log's; run `palate rebuild`"
            )
        if self._counted_otherwise():
            log.warning("[covisit] or the form of records changed: the whole log is counted again")
            recount(self.settings, self.log, self.online, partial(self.items.rows, create=True))
            self._reload()
            return True
        shown = (self.states.position, self.covisit.position)
        if shown == (position, position) and not (self.states.dirty or self.covisit.dirty):
            return False
        self._reload()
        return True

    def _counted_otherwise(self) -> bool:
        """Whether the online store holds what we would not have made; one record of each tells."""
        _, pairs = next(iter(self.online.scan("covisit")), (0, b""))
        _, user = next(iter(self.online.scan("users")), (0, b""))
        _, item = next(iter(self.online.scan("items")), (0, b""))
        read = ((pairs, self.covisit.counted), (user, readable), (item, self.states.readable))
        return any(raw and not fits(raw) for raw, fits in read)

    def _reload(self) -> None:
        """Read the projections anew from the online store, beside those that are being read."""
        self._mark(dirty=1)
        position = self.online.position()
        with self.states.anew(), self.covisit.anew():
            for row, raw in self.online.scan("items"):
                self.states.load(row, raw)
            for row, raw in self.online.scan("covisit"):
                self.covisit.load(row, raw)
            last = self.states.times[:, LAST_AT]
            self.states.stamp(newest=float(last.max()))
            self._mark(position=position)
        self._forget()
        self._stale = True

    def step(self) -> int:
        """Show the catalogue's next changes, fold the next events; returns how many of these.

        A state that does not read back is begun anew: the log leads to it again.
        """
        with self._turn.taken():
            try:
                return self._step()
            except CorruptState as error:
                self._begin_anew(error)
                return self._step()

    def _step(self) -> int:
        self._check_files()
        if self.states.dirty or self.covisit.dirty:
            self._recover()
        self._show_catalogue()
        limit = self.settings.streaming.batch * (CATCH_UP if self._behind else 1)
        logged = self.log.read(self.online.position(), limit)
        self._behind = len(logged) == limit
        if logged:
            self._fold(logged)
            self._stale = True
        else:
            self.states.stamp(beat=self.clock.now())
        self._refresh_boards(idle=not (logged or self._more))
        return len(logged)

    def drain(self, stop: threading.Event | None = None) -> int:
        """Step until no event or change is left (or `stop` is set), then compute the boards.

        Returns how many events there were.
        """
        folded = 0
        while not (stop and stop.is_set()) and ((count := self.step()) or self._more):
            folded += count
            if perf_counter() - self._told > TELL_SECONDS:
                self._tell()
        self._build_boards()
        return folded

    def run(self, stop: threading.Event) -> None:
        """Step until `stop` is set; the batch in hand is finished first."""
        recovered = False
        while not stop.is_set():
            try:
                if not recovered:
                    recovered = self.recover() or True
                folded = self.step()
            except Unavailable as error:
                self._wait_for(error, stop)
                continue
            self._resumed()
            if folded == 0 and not self._more:
                stop.wait(self.settings.streaming.poll_milliseconds / 1_000)
            elif self._behind and perf_counter() - self._told > TELL_SECONDS:
                self._tell()

    def _check_files(self) -> None:
        """Make mapped files anew that somebody else wrote over; they are only projections."""
        shared = (self.columns, self.states, self.covisit, self.boards)
        damaged = sum(not each.whole for each in shared)
        if not damaged:
            return
        where = self.settings.path(self.settings.stores.columns)
        log.error("%d mapped files in %s are damaged: they are made anew", damaged, where)
        self.columns.renew()
        self.boards.renew()
        self._reload()

    def _begin_anew(self, error: CorruptState) -> None:
        """Fold the whole log again; items' counters stay to be seen until that is done."""
        log.error("the whole log is folded again, for the state is damaged: %s", error.detail)
        recount(self.settings, self.log, self.online, partial(self.items.rows, create=True))
        self._reload()

    def _wait_for(self, error: Unavailable, stop: threading.Event) -> None:
        """A disk that is full or takes nothing: what is in the log is folded when it does again."""
        if not self._held_up:
            log.error("events wait in the log: %s", error.detail)
        self._held_up = True
        stop.wait(HELD_UP)

    def _resumed(self) -> None:
        if self._held_up:
            log.warning("events are folded again, from log position %d", self.position)
        self._held_up = False

    def _fold(self, logged: Sequence[Logged]) -> None:
        batch, refused = encode(logged, partial(self.items.rows, create=True))
        if refused:
            self._keep_aside(refused)
        self._load(batch)
        self._mark(dirty=1)
        touched = self._state.apply(batch)
        position = logged[-1].position
        self.online.commit(self._state.change(touched, position))
        self._mark(dirty=0, position=position)

    def _load(self, batch: EventBatch) -> None:
        if len(self._state.users) > WORKING_SET:
            self._forget()
        users = self._state.users
        held = self._held(key for key in actors(batch).tolist() if key not in users)
        owners = {owner_of(raw) for raw in held.values()} - held.keys() - {0}
        for key, raw in (self._held(key for key in owners if key not in users) | held).items():
            users.load(key, raw)

    def _held(self, keys: Iterable[int]) -> dict[int, bytes]:
        """Records by key, of those that have one."""
        keys = list(keys)
        found = zip(keys, self.online.users(keys), strict=True)
        return {key: raw for key, raw in found if raw is not None}

    def _show_catalogue(self) -> None:
        changes = self.items.changes(self.columns.version, CHANGES)
        self._more = len(changes) == CHANGES
        if changes:
            self.columns.write(changes)
            self._stale = True

    def _refresh_boards(self, *, idle: bool) -> None:
        """Compute boards when due; a costly site spends a bounded share of its time on them."""
        if not self._stale:
            return
        quick = idle and self._cost < QUICK
        wait = max(self.settings.streaming.boards_seconds * (not idle), BOARDS_REST * self._cost)
        if quick or perf_counter() - self._built >= wait:
            self._build_boards()

    def _build_boards(self) -> None:
        start = thread_time()
        self.boards.build(self.states, self.columns, self.clock.now())
        self._cost = thread_time() - start
        self._built = perf_counter()
        self._stale = False

    def _tell(self) -> None:
        self._told = perf_counter()
        log.info("at log position %d, %d behind", self.position, self.lag)

    def _keep_aside(self, refused: Sequence[Refused]) -> None:
        """Write down what cannot be folded; it stays in the log, and the stream goes on."""
        for entry in Aside(self.settings.path(self.settings.stores.columns)).keep(refused):
            log.warning("event %s: %s", entry.logged.event.event_id, entry.problem.problem)

    def _mark(self, **scalars: int) -> None:
        self.states.stamp(**scalars)
        self.covisit.stamp(**scalars)

    def _forget(self) -> None:
        self._state = LiveState(self.settings.streaming, self.states, self.covisit, UserTable())
