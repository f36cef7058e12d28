"""What is live: the stores, their release and the funnels built on it, swapped as one reference.

A new release is loaded and warmed off the event loop, by one worker after the other; requests that
run keep the old one until they are done. A release that does not verify is refused, said once, and
the old one keeps serving.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic

from palate.clock import Clock
from palate.errors import NotFound, PalateError
from palate.funnel.engine import Funnel
from palate.funnel.kept import KeptSlates
from palate.models.arrivals import Arrivals
from palate.releases.directory import ReleaseDirectory
from palate.releases.release import Release
from palate.serving.processes.hanging import Hanging
from palate.serving.processes.warming import Asked, Busy, gently, give_way, in_turn, touch, warm
from palate.stores import Stores, refresh, with_release
from palate.surfaces import funnels

RETRY = 300.0
"""Seconds until a refused release is tried again; at once where it is promoted again."""
log = logging.getLogger("palate.serving")


@dataclass(frozen=True, slots=True)
class Live:
    """One release and everything that stands on it."""

    name: str
    """The release's name; "none" before the first."""
    stores: Stores
    funnels: Mapping[str, Funnel]

    kept: KeptSlates
    """What answers when the funnels cannot; goes from release to release."""
    arrivals: Arrivals | None = None
    """Gives items that came after the release their own place; None where it cannot."""

    @classmethod
    def on(cls, stores: Stores, kept: KeptSlates | None = None) -> "Live":
        """Build the surfaces on these stores."""
        release = stores.release
        kept = kept or KeptSlates(stores.settings.serving.last_slates)
        built = {name: kept.behind(funnel) for name, funnel in funnels(stores).items()}
        name = release.name if release else "none"
        return cls(name, stores, built, kept, _arrivals(release, stores.settings.serving.newcomers))

    def funnel(self, surface: str) -> Funnel:
        """That of a surface. Raises NotFound, which names those that there are."""
        if surface not in self.funnels:
            known = ", ".join(sorted(self.funnels))
            raise NotFound(f"there is no surface {surface!r}; there are {known}")
        return self.funnels[surface]

    def fold_in(self) -> int:
        """Let the newest items learn from their first events; blocking. How many moved."""
        if self.arrivals is None:
            return 0
        stores = self.stores
        return self.arrivals.follow(stores.log, stores.online, stores.items, stores.columns)


def _arrivals(release: Release | None, most: int) -> Arrivals | None:
    tower = release.two_tower if release else None
    if release is None or tower is None or tower.background is None:
        return None
    return Arrivals(tower, tower.background, release.manifest.log_position, most)


class ReleaseWatch:
    """Follows the release pointer.

    `asked` tells what was asked of late, to be replayed; `busy` whether requests are under way.
    """

    def __init__(
        self,
        live: Live,
        clock: Clock,
        asked: Callable[[], Sequence[Asked]] = tuple,
        busy: Busy = bool,
        timer: Callable[[], float] = monotonic,
    ) -> None:
        self.live, self._old = live, list[Live]()
        self._clock, self.asked, self._busy = clock, asked, busy
        self._timer = timer
        self.hanging = Hanging()
        settings = live.stores.settings
        self._folder = settings.path(settings.stores.releases)
        self._mapped = (self._folder, settings.path(settings.stores.columns))
        self._most = settings.serving.warm_megabytes << 20
        self._directory = ReleaseDirectory(self._folder)
        self._refused: tuple[str, tuple[int, int]] | None = None
        self._retry = 0.0
        self._unread = self._touched = ""
        self._cold = True
        self.remark = ""
        """What keeps the promoted release from serving; "" where nothing does."""

    async def follow(self, stop: asyncio.Event) -> None:
        """Poll until stopped."""
        pause = self.live.stores.settings.serving.release_poll_seconds
        while not stop.is_set():
            await self.look()
            await self.warm_up()
            await asyncio.to_thread(self._let_go)
            try:
                await asyncio.wait_for(stop.wait(), pause)
            except TimeoutError:
                continue

    async def look(self) -> bool:
        """Swap where the pointer has moved; True where it did."""
        name = await asyncio.to_thread(self._pointer)
        asked = (name, self._directory.mark)
        if not name or name == self.live.name:
            self.remark = self._unread
            return False
        if asked == self._refused and self._timer() < self._retry:
            return False
        try:
            refresh(self.live.stores)
            fresh = await asyncio.to_thread(self._load, name)
        except PalateError as error:
            return self._refuse(asked, error.detail)
        except Exception as error:  # noqa: BLE001  whatever it is, the old release keeps serving
            return self._refuse(asked, f"it does not run: {type(error).__name__}: {error}")
        self._old.append(self.live)
        self.live, self._refused, self.remark = fresh, None, ""
        log.info("release %s is live", name)
        return True

    def _refuse(self, asked: tuple[str, tuple[int, int]], why: str) -> bool:
        self._refused, self._retry = asked, self._timer() + RETRY
        self.remark = f"release {asked[0]} refused, {self.live.name} keeps serving: {why}"
        log.error("%s", self.remark)
        return False

    async def warm_up(self) -> None:
        """Warm what is live, until there was somebody's history to warm it with."""
        if self._cold:
            refresh(self.live.stores)
            try:
                self._cold = not await asyncio.to_thread(self._warmed, self.live)
            except Exception:
                self._cold = False
                log.warning("warming up failed", exc_info=True)

    def _pointer(self) -> str:
        try:
            name = self._directory.current() or ""
        except PalateError as error:
            told = f"the release pointer does not read: {error.detail}"
            if told != self._unread:
                log.error("%s", told)  # noqa: TRY400
            self._unread = told
            return ""
        self._unread = ""
        return name

    def _load(self, name: str) -> Live:
        """Load and warm a release beside the requests: gently, and in turn with other workers."""
        with in_turn(self._folder):
            gently(lambda: self._directory.verify(name))
            give_way(self._busy)
            release = self._directory.load(name, verified=True)
            give_way(self._busy)
            fresh = Live.on(with_release(self.live.stores, release), self.live.kept)
            self._warmed(fresh)
        return fresh

    def _warmed(self, live: Live) -> bool:
        """Warm in a thread; whether there were users to do it with."""
        if self._touched != live.name:
            gently(lambda: touch(self._mapped, self._most))
            self._touched = live.name
        asked = self.asked()
        parts = live.stores, live.funnels, self._clock, asked, self._busy, self.hanging
        return warm(*parts) > 0

    def _let_go(self) -> None:
        """Free what served before, off the event loop, a while after the last request used it."""
        self._old.clear()
