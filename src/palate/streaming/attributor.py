"""Keeps the offline store up with the log: reads, joins, joins again, compacts, forgets.

What is read becomes parts at once. A part is joined with what came of it at ever longer intervals,
and for the last time when its longest window is over. At most `part_rows` rows are in memory.
"""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import msgspec
import polars as pl

from palate.catalog.user import session_key, user_key
from palate.clock import Clock
from palate.errors import CorruptStore, Unavailable
from palate.events.protocol import EventLog, Logged
from palate.features.offline.protocol import Landing, OfflineStore, OfflineTable, Part
from palate.features.offline.waiting import Waiting
from palate.settings import Settings
from palate.streaming.attribution import HOUR, SECOND, VISIT_HOURS, Windows, joined
from palate.streaming.shown import FEATURE, Stretch, day_of

log = logging.getLogger("palate.attribute")

READ = 1_000
"""Entries of the log read at a time."""
SETTLE = 2.0
"""Seconds: what came in since then is left for the next step; its features may not be written."""
SOON, GROWTH = 60.0, 4.0
"""A part is joined again when it is so many times as old as at the last join."""
FAN = 8
"""So many small neighbours become one part."""
ORDER = ("log_position", "place")
NEEDED = ("log_position", "received", "time", "user", "item_id", "recommendation_id")


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """What one step did."""

    position: int
    """Log position up to which everything shown is in the store."""
    events: int
    rows: int
    """Rows of what was shown that are new."""
    joined: int
    """Parts whose outcomes were looked up."""
    finished: int
    """Rows to which nothing will be added any more."""
    parts: int
    """Files of the table `shown`, after compacting."""


@dataclass(slots=True)
class Attributor:
    """The only writer of a site's offline store."""

    settings: Settings
    log: EventLog
    store: OfflineStore
    waiting: Waiting
    clock: Clock
    windows: Windows = field(init=False)

    def __post_init__(self) -> None:
        self.windows = Windows.of(self.settings)

    def step(self, *, eager: bool = True, stop: threading.Event | None = None) -> Done:
        """Take in what is new; `eager` looks up every outcome now, not by and by.

        Raises CorruptStore where the store is ahead of the log.
        """
        shows, ends = self.store.held().position, self.log.end()
        if shows > ends:
            raise CorruptStore(
                f"the offline store shows log position {shows}, the log ends at {ends}: it is"
                " another log's; `palate attribute --anew` makes it again"
            )
        self._forget()
        now, ended = self.clock.now(), stop or threading.Event()
        events, rows = self._read(now, ended)
        joins = finished = 0
        for part in self._open(now, eager=eager):
            if ended.is_set():
                break
            joins += 1
            finished += self._join(part, now)
        self._compact(now)
        held = self.store.held()
        return Done(
            position=held.position,
            events=events,
            rows=rows,
            joined=joins,
            finished=finished,
            parts=len(held.of("shown")),
        )

    def run(self, stop: threading.Event, tell: Callable[[Done], None]) -> None:
        """Step until `stop` is set."""
        held_up = ""
        while not stop.wait(self.settings.attribution.every_seconds):
            try:
                done = self.step(eager=False, stop=stop)
            except Unavailable as error:
                if not held_up:
                    log.error("what was shown waits to be joined: %s", error.detail)  # noqa: TRY400
                held_up = str(error)
                continue
            if held_up:
                log.warning("what was shown is joined again")
            held_up = ""
            if done.rows or done.joined or done.finished:
                tell(done)

    def clear(self) -> None:
        """Let go of everything: the next step reads the log from its beginning."""
        held = self.store.held()
        self.store.land(Landing(0, drop=list(held.parts.values())))

    def _read(self, now: float, stop: threading.Event) -> tuple[int, int]:
        """Make parts of what is new in the log; how many events and rows there were."""
        events = rows = 0
        while not stop.is_set():
            stretch, count = self._stretch(now)
            if not count:
                break
            self._land(stretch)
            events, rows = events + count, rows + len(stretch.shown)
        return events, rows

    def _stretch(self, now: float) -> tuple[Stretch, int]:
        """What comes next in the log, as much as a part may hold."""
        stretch, after, count = Stretch(), self.store.held().position, 0
        while len(stretch) < self.settings.attribution.part_rows:
            entries = list(_settled(self.log.read(after, READ), now))
            for entry in entries:
                stretch.add(entry)
            count += len(entries)
            if len(entries) < READ:
                break
            after = entries[-1].position
        return stretch, count

    def _land(self, stretch: Stretch) -> None:
        pages = list(stretch.pages)
        found = self.waiting.find(pages)
        put = _parts("shown", stretch, stretch.shown_table(found), "time")
        put += _parts("acts", stretch, stretch.acts_table(), "received")
        self.store.land(Landing(stretch.last, put))
        self.waiting.done(list(found))

    def _open(self, now: float, *, eager: bool) -> list[Part]:
        """Parts whose outcomes are to be looked up."""
        held = self.store.held()
        news = max((part.until for part in held.of("acts")), default=0.0)
        return [
            part
            for part in held.of("shown")
            if not part.finished
            and (self._over(part, now) or (part.joined < news if eager else _older(part, now)))
        ]

    def _over(self, part: Part, now: float) -> bool:
        return now > part.until + self.windows.span / SECOND + SETTLE

    def _join(self, part: Part, now: float) -> int:
        """Look up what came of a part; how many rows are finished by it."""
        held, finished = self.store.held(), self._over(part, now)
        rows = self.store.scan([part]).collect().sort(ORDER, maintain_order=True)
        features = rows.select(name for name in rows.columns if name.startswith(FEATURE))
        rows = rows.drop(features.columns)  # nothing happens to them, and they are most of it
        acts = _near(held.of("acts"), part, self.windows.span / SECOND)
        others = _near(held.of("shown"), part, self.windows.span / SECOND)
        told = joined(rows, self._needed(others), self._acts(acts, rows), self.windows)
        told = told.with_columns(pl.lit(finished).alias("finished")).hstack(features)
        after = msgspec.structs.replace(part, joined=now - SETTLE, finished=finished)
        self.store.land(Landing(held.position, [(after, told)]))
        return len(told) if finished else 0

    def _needed(self, parts: Sequence[Part]) -> pl.LazyFrame:
        return self.store.scan(parts).select(NEEDED)

    def _acts(self, parts: Sequence[Part], rows: pl.DataFrame) -> pl.LazyFrame:
        """What was done in these parts; nothing where there are none."""
        return self.store.scan(parts) if parts else Stretch().acts_table().lazy()

    def _compact(self, now: float) -> None:
        held = self.store.held()
        for table in ("shown", "acts"):
            for several in self._small(held.of(table), now):
                self._merge(several)
        self._drop_acts(now)

    def _small(self, parts: Sequence[Part], now: float) -> Iterator[list[Part]]:
        """Neighbours that can be one part: of one day, and open ones of one hour."""

        def alike(part: Part) -> tuple[object, ...]:
            hour = 0 if part.finished else int(part.since * SECOND // HOUR)
            return part.day, part.finished, hour

        most = self.settings.attribution.part_rows
        ordered = sorted(parts, key=lambda part: (part.day, part.first))
        for _, several in groupby(ordered, key=alike):
            run: list[Part] = []
            for part in several:
                if run and sum(each.rows for each in run) + part.rows > most:
                    yield from [run] if len(run) > 1 else []
                    run = []
                run.append(part)
            if len(run) >= FAN or (len(run) > 1 and self._quiet(run, now)):
                yield run

    def _quiet(self, run: Sequence[Part], now: float) -> bool:
        """Whether no neighbour will come any more."""
        since = 2 * self.windows.span / SECOND if run[0].finished else HOUR / SECOND
        return now > run[-1].until + since

    def _merge(self, several: Sequence[Part]) -> None:
        rows = self.store.scan(several).collect()
        whole = msgspec.structs.replace(
            several[0],
            last=several[-1].last,
            rows=len(rows),
            since=min(part.since for part in several),
            until=max(part.until for part in several),
            joined=min(part.joined for part in several),
        )
        self.store.land(Landing(self.store.held().position, [(whole, rows)], several))

    def _drop_acts(self, now: float) -> None:
        """Let go of acts that can be nobody's outcome any more."""
        held = self.store.held()
        open_ = [part.since for part in held.of("shown") if not part.finished]
        oldest = min([now - SETTLE, *open_]) - VISIT_HOURS * HOUR / SECOND
        old = [part for part in held.of("acts") if part.until < oldest]
        if old:
            self.store.land(Landing(held.position, drop=old))

    def _forget(self) -> None:
        """Give who was forgotten a name that leads nowhere, wherever their rows lie.

        Until the log has lost the name too, what is read next may bring it again.
        """
        keys = self.waiting.forgotten()
        if not keys:
            return
        named = {key for pair in self.log.forgets() for key in _keys(*pair)}
        names = {key: self.clock.draw() for key in keys}
        held = self.store.held()
        for part in held.parts.values():
            columns = ["user"] if part.table == "shown" else ["user", "session"]
            theirs = pl.any_horizontal(pl.col(columns).is_in(keys))
            if self.store.scan([part]).filter(theirs).select(pl.len()).collect().item():
                rows = self.store.scan([part]).collect()
                renamed = rows.with_columns(pl.col(columns).replace(names))
                self.store.land(Landing(held.position, [(part, renamed)]))
        self.waiting.blurred([key for key in keys if key not in named])


def _keys(user: str, session: str) -> Iterator[int]:
    """Of a user, and of a session where one is named."""
    yield user_key(user)
    if session:
        yield session_key(session)


def _settled(entries: Sequence[Logged], now: float) -> Iterator[Logged]:
    """Entries up to the first of the last seconds; a clock that was set back holds nothing up."""
    for entry in entries:
        if now - SETTLE < entry.received <= now:
            return
        yield entry


def _parts(
    table: OfflineTable, stretch: Stretch, rows: pl.DataFrame, moment: str
) -> list[tuple[Part, pl.DataFrame]]:
    """The rows of a stretch by day."""
    parts = []
    for (day,), some in rows.with_columns(day_of(pl.col(moment)).alias("_day")).group_by("_day"):
        part = Part(
            table=table,
            day=str(day),
            first=stretch.first,
            last=stretch.last,
            rows=len(some),
            since=stretch.since,
            until=stretch.until,
        )
        parts.append((part, _bare(some).sort("log_position", maintain_order=True)))
    return sorted(parts, key=lambda each: each[0].day)


def _bare(rows: pl.DataFrame) -> pl.DataFrame:
    """Without the day, and without features that no row has."""
    empty = [c for c in rows.columns if c.startswith(FEATURE) and rows[c].null_count() == len(rows)]
    return rows.drop("_day", *empty)


def _near(parts: Sequence[Part], part: Part, span: float) -> list[Part]:
    """Parts of which something may have to do with `part`."""
    begin, end = part.since - VISIT_HOURS * HOUR / SECOND, part.until + span
    return [each for each in parts if each.until >= begin and each.since <= end]


def _older(part: Part, now: float) -> bool:
    """Whether it has grown so much older that another look is worth it."""
    known = max(part.joined - part.since, 0.0)
    return now - part.since >= max(SOON, GROWTH * known)
