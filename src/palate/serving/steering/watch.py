"""The rules that act now: a worker asks twice a second whether somebody changed them."""

import asyncio
import logging
import math
import threading
from collections.abc import Callable, Mapping
from os import environ
from time import monotonic
from typing import NamedTuple

from palate.clock import Clock
from palate.errors import PalateError, Unavailable
from palate.rules.decode import from_file
from palate.rules.documents import Rule
from palate.rules.protocol import By, RuleBook
from palate.serving.steering.placements import Placements
from palate.settings import FILE, Settings
from palate.settings_files import given
from palate.stores import Stores
from palate.surfaces.steered.program import Program, together

LOOK_AGAIN = 5.0
"""Seconds until a changed catalogue is looked at: items that rules name may have come."""
log = logging.getLogger("palate.serving")


class _Seen(NamedTuple):
    """What the program was made of."""

    book: int
    file: int
    """When `palate.toml` was written, in nanoseconds."""
    catalogue: int


class _Refused(NamedTuple):
    """A file whose rules are not taken up."""

    written: int
    at: float
    """When it was read, by the timer."""
    why: str


class RuleWatch:
    """Follows the book of rules and the rules of `palate.toml`.

    A book or a file that does not read, or whose rules make no sense, changes nothing: its rules
    that act go on acting, and the other's changes are taken up. Until they were read once there is
    no program, and so no recommendation: a block that is not known must hold.
    """

    def __init__(
        self,
        settings: Settings,
        book: RuleBook,
        clock: Clock,
        timer: Callable[[], float] = monotonic,
    ) -> None:
        self.book = book
        self._program: Program | None = None
        self.placements = Placements(book)
        self._settings, self._clock, self._timer = settings, clock, timer
        self._file = settings.path(FILE)
        self._written = self._stamp()
        self.from_file = from_file(settings.rules)
        self._seen = _Seen(-1, 0, 0)
        self._catalogue_at = -math.inf
        self._refused = _Refused(0, -math.inf, "")
        self._followed: tuple[Rule, ...] | None = None
        """The file's rules as the audit log has them, as far as is known here."""
        self._unlogged = ""
        """What keeps them out of it."""
        self._told: list[str] = []
        """Remarks that are in the log."""
        self._stores: Stores | None = None
        """What the program was made on: a release brings its own."""
        self._lock = threading.Lock()
        self.remark = ""
        """What keeps a change from acting; "" where nothing does."""

    @property
    def program(self) -> Program:
        """The rules that act. Raises Unavailable until they were read once."""
        if self._program is None:
            raise Unavailable(self._unread())
        return self._program

    @property
    def ready(self) -> bool:
        """Whether there are rules to act by."""
        return self._program is not None

    @property
    def version(self) -> int:
        """Of the book that acts."""
        return max(self._seen.book, 0)

    def remarks(self) -> list[str]:
        """What operators should know: rules that cannot act, changes that do not apply."""
        if self._program is None:
            return [self._unread()]
        told = self._program.remarks()
        if self._refused.why:
            told.append(f"the rules of {FILE} stay as they were: {self._refused.why}")
        if self._unlogged:
            told.append(f"changes of {FILE} are not in the audit log yet: {self._unlogged}")
        return [*told, f"the rules stay as they were: {self.remark}"] if self.remark else told

    def _unread(self) -> str:
        why = self.remark or "they are being read"
        return (
            "the rules of this site were not read yet, and nothing is recommended without them"
            f" (tried again all the time): {why}"
        )

    async def look(self, stores: Stores) -> None:
        """Take up what changed."""
        await asyncio.to_thread(self.look_now, stores)

    def end(self) -> None:
        """Tell what was placed last, and close the book. Blocks."""
        try:
            if self._program and self._program.capped:
                self.placements.settle()
        except (PalateError, OSError) as error:
            log.warning("what was placed last is not counted: %s", error)
        self.book.close()

    def look_now(self, stores: Stores) -> None:
        """The same, blocking."""
        try:
            if self._program and self._program.capped:
                self.placements.settle()
            with self._lock:  # a look that began before a change must not end after it
                self._take_up(stores)
                self._follow_file()
            self.remark = ""
        except PalateError as error:
            self.remark = error.detail
        self._log()

    def _log(self) -> None:
        """Say what is new, once."""
        told = self.remarks()
        for each in told:
            if each not in self._told:
                log.log(logging.WARNING if self.ready else logging.ERROR, "%s", each)
        self._told = told

    def _take_up(self, stores: Stores) -> None:
        self._read_file(stores)
        now, version = self._timer(), self.book.version()
        settled = now - self._catalogue_at < LOOK_AGAIN
        catalogue = self._seen.catalogue if settled else stores.columns.version
        seen = _Seen(version, self._written, catalogue)
        if seen == self._seen and stores is self._stores:
            return
        book = self.book.read()
        rules = together(self.from_file, book.rules)
        program = Program.standing(rules, stores, self.placements.spent)
        self._program, self._stores, self._catalogue_at = program, stores, now
        self._seen = _Seen(book.version, self._written, stores.columns.version)

    def _follow_file(self) -> None:
        """Log what changed in the file, once it acts; tried again where that fails."""
        if self._followed == self.from_file:
            return
        try:
            self.book.follow_file(self.from_file, By(FILE, self._clock.now()))
            self._followed, self._unlogged = self.from_file, ""
        except PalateError as error:
            self._unlogged = error.detail

    def _read_file(self, stores: Stores) -> None:
        """Take up what changed in the file, where all of it makes sense; tried again otherwise.

        What a rule asks for may come with the catalogue.
        """
        stamp, now = self._stamp(), self._timer()
        if stamp == self._written:
            self._refused = _Refused(0, -math.inf, "")
            return
        if stamp == self._refused.written and now - self._refused.at < LOOK_AGAIN:
            return
        try:
            found = from_file(_tables(self._settings))
            new = {f"[rules.{e.id}] ": e for e in found if e not in self.from_file}
            Program.checked(new, stores, later=True)
        except PalateError as error:
            self._refused = _Refused(stamp, now, error.detail)
        else:
            self.from_file, self._written = found, stamp
            self._refused = _Refused(0, -math.inf, "")

    def _stamp(self) -> int:
        return self._file.stat().st_mtime_ns if self._file.is_file() else 0


def _tables(settings: Settings) -> Mapping[str, dict[str, object]]:
    """``[rules.…]`` of the file as it is now; the rest of it needs a restart."""
    tables: Mapping[str, dict[str, object]] = given(settings.home, environ).get("rules", {})
    return tables


def sources(file: tuple[Rule, ...], rules: tuple[Rule, ...]) -> list[tuple[Rule, str]]:
    """Every rule that acts, and whether the `file` or the `book` has it."""
    own = {each.id for each in file}
    return [(each, "file" if each.id in own else "book") for each in together(file, rules)]
