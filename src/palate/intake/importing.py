"""Files into the catalogue and the log: whole batches, bad rows set aside, nothing twice."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from itertools import islice
from typing import Any, TypeAlias, TypeVar

import msgspec

from palate.catalog import embeddings
from palate.catalog.decode import ITEM, USER, read_items, read_users
from palate.catalog.fields import EARLIEST
from palate.catalog.user import User
from palate.clock import Clock
from palate.errors import BadInput, Problem
from palate.events.decode import EVENT, event_fields
from palate.events.kinds import Event, Kind
from palate.intake.listing import create, items_of, unlisted
from palate.intake.mapping import Columns, columns_of
from palate.intake.profiles import store_users
from palate.intake.rejects import Rejects
from palate.intake.scale import Ratings, Scale
from palate.intake.tables import Row, Table
from palate.intake.time_order import TimeOrder
from palate.stores import Sources
from palate.streaming.state import unfit

Progress: TypeAlias = Callable[[str, int, int], None]
"""Told (what is being done, how many rows are done, of how many)."""

ENTITIES, EVENTS = 1_000, 10_000
"""Rows of one transaction: few syncs, and live events never wait long for their turn."""
AHEAD = 86_400.0
"""Seconds that another machine's clock may be ahead."""
TOLD_EVERY = 1_000
T = TypeVar("T")
_canonical = msgspec.json.Encoder(order="deterministic").encode


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did."""

    what: str
    file: str
    rows: int
    new: int
    """Stored now for the first time."""
    known: int
    """Held already, word for word."""
    rejected: int
    created: int = 0
    """Items made for events that named them."""
    unlisted: int = 0
    """Items that events named and the catalogue does not hold: they are never shown."""
    changed: int = 0
    """Items or users that were held and are now as this file says."""
    remarks: tuple[str, ...] = ()
    """What was made of the file where that is not plain, and what of it was not used."""


@dataclass(frozen=True, slots=True)
class Import:
    """One file on its way into a site."""

    table: Table
    pairs: Sequence[str]
    """``field=column``, as after ``--map``."""
    sources: Sources
    rejects: Rejects
    progress: Progress
    clock: Clock

    def items(self) -> Imported:
        """Put every item of the file; an id that comes twice is rejected the second time."""
        columns = columns_of(self.table, ITEM, self.pairs, extra="attributes", required=["item_id"])
        self._check_end(lambda row: read_items([columns.document(row.values)], "")[1])
        found = self._entities(columns, "item_id", read_items)
        held = self._counted(self.sources.items, "item_id")
        return self._stored("items", found, held, columns)

    def users(self) -> Imported:
        """As `items`, with a PROFILE event for each user that changed."""
        columns = columns_of(self.table, USER, self.pairs, extra="attributes", required=["user_id"])
        to, features = self.sources, self.sources.settings.features

        def put(users: Sequence[User]) -> int:
            return store_users(users, to.users, to.log, features, received=self.clock.now())

        self._check_end(lambda row: read_users([columns.document(row.values)], "")[1])
        held = self._counted(to.users, "user_id", put)
        found = self._entities(columns, "user_id", read_users)
        return self._stored("users", found, held, columns)

    def events(
        self, kind: str | None, *, create_items: bool = False, scale: Scale | None = None
    ) -> Imported:
        """Append every event, oldest first; one that the log holds already is known, not new.

        `kind` is the kind of all of them where no column says it. With `create_items`, an item that
        the catalogue does not hold is put there, with nothing but its id. Ratings are on `scale`;
        BadInput, and nothing is stored, where none is given and they cannot be stars.
        """
        needs = ["kind", "user_id|session_id|anonymous_id", "time"]
        constants = {"kind": kind} if kind else {}
        columns = columns_of(
            self.table, EVENT, self.pairs, extra="properties", required=needs, constants=constants
        )
        self._check_end(lambda row: _event_problems(columns.document(row.values))[1])
        order, told, ratings = TimeOrder(), set[str](), Ratings()
        for row in self._rows("reading"):
            event = _read_event(row, columns, self.rejects, self.clock.now() + AHEAD, scale)
            if event is not None:
                ratings.add(row.line, event[0])
                order.add(row.line, event[0], made_up=event[1])
                told.update(items_of(event[0]))
        if scale is None:
            ratings.check(self.table.path)
        lacking = unlisted(sorted(told), self.sources)
        new = append_in_order(order, self.sources, self.clock, self.progress)
        done = self._imported("events", new, order.count)
        if create_items:
            return replace(done, created=create(lacking, self.sources))
        return replace(done, unlisted=len(lacking))

    def _check_end(self, problems_of: Callable[[Row], list[Problem]]) -> None:
        """Refuse a file that ends within its last cell, before a row of it is stored."""
        row = self.table.unended
        problems = problems_of(row) if row is not None and not row.problem else []
        if row is not None and problems:
            raise BadInput(
                f"{self.table.path}: line {row.line} ends in the middle ({problems[0].problem});"
                " the file is cut short, or lacks a newline behind a row that is wrong"
            )

    def _entities(
        self,
        columns: Columns,
        id_: str,
        read: Callable[[Sequence[object], str], tuple[list[T | None], list[Problem]]],
    ) -> Iterator[tuple[Row, T]]:
        """The good rows with what they say, each id once."""
        met: dict[str, int] = {}
        for row in self._rows("importing"):
            if row.problem:
                self.rejects.add(row.line, "", row.problem, row.values)
                continue
            (entity,), problems = read([columns.document(row.values)], "")
            if entity is not None:
                name = getattr(entity, id_)
                if met.setdefault(name, row.line) == row.line:
                    yield row, entity
                    continue
                problem = f"{name!r} was on line {met[name]} already; an id may come once"
                problems = [Problem(f"/{id_}", problem)]
            _reject(row, columns, problems, self.rejects)

    def _counted(
        self, to: Any, id_: str, put: Callable[[list[Any]], int] | None = None
    ) -> Callable[[list[Any]], tuple[int, int]]:
        """Put a batch, and say how many were new and how many changed."""
        write = put or to.put

        def both(batch: list[Any]) -> tuple[int, int]:
            new = sum(held is None for held in to.find([getattr(each, id_) for each in batch]))
            return new, write(batch) - new

        return both

    def _stored(
        self,
        what: str,
        found: Iterator[tuple[Row, T]],
        put: Callable[[list[T]], tuple[int, int]],
        columns: Columns,
    ) -> Imported:
        new = changed = good = 0
        while batch := list(islice(found, ENTITIES)):
            kept, counts = self._put(batch, put, columns)
            new, changed, good = new + counts[0], changed + counts[1], good + kept
        return replace(self._imported(what, new, good - changed), changed=changed)

    def _put(
        self,
        batch: list[tuple[Row, T]],
        put: Callable[[list[T]], tuple[int, int]],
        columns: Columns,
    ) -> tuple[int, tuple[int, int]]:
        """Put what the catalogue takes, and set the rest aside; (how many it took, its counts)."""
        try:
            return len(batch), put([entity for _, entity in batch])
        except BadInput as wrong:
            problems = embeddings.places_of(wrong)
        for place, problem in problems.items():
            _reject(
                batch[place][0], columns, [Problem("/embedding", problem.problem)], self.rejects
            )
        rest = [each for place, each in enumerate(batch) if place not in problems]
        return self._put(rest, put, columns)

    def _imported(self, what: str, new: int, good: int) -> Imported:
        table = self.table
        return Imported(what, str(table.path), table.count, new, good - new, self.rejects.count)

    def _rows(self, doing: str) -> Iterator[Row]:
        for done, row in enumerate(self.table.read(), start=1):
            yield row
            if done % TOLD_EVERY == 0 or done == self.table.count:
                self.progress(doing, done, self.table.count)


def append_in_order(
    order: TimeOrder, sources: Sources, clock: Clock, progress: Progress, *, shift: float = 0.0
) -> int:
    """Append what was gathered, a transaction a batch; returns how many were new."""
    new = done = 0
    for batch in order.batches(EVENTS, shift=shift):
        new += sources.log.append(batch, clock.now()).accepted
        done += len(batch)
        progress("storing", done, order.count)
    return new


def row_id(values: dict[str, Any], time: float, kind: str = "") -> str:
    """An event id made of the row's content: the same row gives the same id in every import.

    It begins with the time, so that a history that is logged in time order fills the log's index
    from one end (a fifth of the writing of random ids).
    """
    told = blake2b(kind.encode() + _canonical(values), digest_size=12).hexdigest()
    return f"row-{int(time) - int(EARLIEST):09x}-{told}"


def _event_problems(document: dict[str, Any]) -> tuple[dict[str, Any] | None, list[Problem]]:
    problems: list[Problem] = []
    if "time" not in document:
        problems.append(Problem("/time", "an imported event needs its time"))
    return event_fields(document, "", 0.0, problems), problems


def _read_event(
    row: Row, columns: Columns, rejects: Rejects, latest: float, scale: Scale | None
) -> tuple[Event, bool] | None:
    """An event, and whether its id was made of its row."""
    if row.problem:
        rejects.add(row.line, "", row.problem, row.values)
        return None
    fields, problems = _event_problems(columns.document(row.values))
    if not problems and fields and fields["time"] > latest:
        problems.append(Problem("/time", "it has not happened yet"))
    if problems or fields is None:
        _reject(row, columns, problems, rejects)
        return None
    made_up = fields["event_id"] is None
    if made_up:
        kind = str(columns.constants.get("kind", ""))
        fields["event_id"] = row_id(row.values, fields["time"], kind)
    event = Event(**fields)
    if scale and event.kind is Kind.RATING and event.value is not None:
        problems += scale.problems(event.value)
        event = msgspec.structs.replace(event, value=scale.stars(event.value))
    if problem := unfit(event):
        problems.append(problem)
    if problems:
        _reject(row, columns, problems[:1], rejects)
        return None
    return event, made_up


def _reject(row: Row, columns: Columns, problems: Sequence[Problem], rejects: Rejects) -> None:
    """Name the file's own column for each field that is wrong."""
    names = [p.pointer.removeprefix("/0").strip("/").partition("/")[0] for p in problems]
    field = ", ".join(dict.fromkeys(columns.column(name) for name in names if name))
    rejects.add(row.line, field, "; ".join(p.problem for p in problems), row.values)
