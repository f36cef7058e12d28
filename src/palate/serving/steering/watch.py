"""The rules that act now: a worker asks twice a second whether somebody changed them."""

import asyncio
import logging
import math
import threading
from collections.abc import Callable, Mapping
from os import environ
from time import monotonic
from typing import NamedTuple

from palate.errors import PalateError, Unavailable
from palate.rules.decode import from_file
from palate.rules.documents import Rule
from palate.rules.protocol import RuleBook
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


class RuleWatch:
    """Follows the book of rules and the rules of `palate.toml`.

    What does not read or convert changes nothing: the rules that act go on acting. Until they were
    read once there is no program, and so no recommendation: a block that is not known must hold.
    """

    def __init__(
        self, settings: Settings, book: RuleBook, timer: Callable[[], float] = monotonic
    ) -> None:
        self.book = book
        self._program: Program | None = None
        self.placements = Placements(book)
        self._settings, self._timer = settings, timer
        self._file = settings.path(FILE)
        self._written = self._stamp()
        self.from_file = from_file(settings.rules)
        self._seen = _Seen(-1, 0, 0)
        self._catalogue_at = -math.inf
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
        told = [f"rule {each.rule.id} cannot act: {each.why}" for each in self._program.dormant]
        told += [
            f"rule {each.rule.id} names what is not there: {', '.join(map(repr, each.missing))}"
            for each in self._program.made
            if each.missing
        ]
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
        except PalateError as error:
            if error.detail != self.remark:
                kept = "the rules stay as they were" if self.ready else "there are no rules yet"
                log.error("%s: %s", kept, error.detail)  # noqa: TRY400
            self.remark = error.detail

    def _take_up(self, stores: Stores) -> None:
        stamp = self._stamp()
        if stamp != self._written:
            self.from_file = from_file(_tables(self._settings))
            self._written = stamp
        now, version = self._timer(), self.book.version()
        settled = now - self._catalogue_at < LOOK_AGAIN
        catalogue = self._seen.catalogue if settled else stores.columns.version
        seen = _Seen(version, self._written, catalogue)
        if seen == self._seen and stores is self._stores:
            self.remark = ""
            return
        book = self.book.read()
        rules = together(self.from_file, book.rules)
        program = Program.standing(rules, stores, self.placements.spent)
        self._program, self._stores, self._catalogue_at = program, stores, now
        self._seen = _Seen(book.version, self._written, stores.columns.version)
        self.remark = ""
        for each in program.dormant:
            log.warning("rule %s cannot act: %s", each.rule.id, each.why)

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
