"""What is live: the stores, their release and the funnels built on it, swapped as one reference.

A new release is loaded and warmed off the event loop; requests that run keep the old one until they
are done. A release that does not verify is refused, said once, and the old one keeps serving.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from time import perf_counter

from palate.clock import Clock
from palate.errors import PalateError
from palate.features.record import UserState
from palate.funnel.budget import LATE, Plan
from palate.funnel.engine import Funnel
from palate.funnel.kept import KeptSlates
from palate.funnel.types import Query
from palate.models.arrivals import Arrivals
from palate.releases.directory import ReleaseDirectory
from palate.releases.release import Release
from palate.stores import Stores, refresh, with_release
from palate.surfaces import funnels

WARM_SIZE, WARM_USERS = 20, 3
WARM_SECONDS = 10.0
"""A surface whose generators take longer is not waited for: one that hangs must not keep a worker
from its work."""
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
        return cls(name, stores, built, kept, _arrivals(release))

    def fold_in(self) -> int:
        """Let the newest items learn from their first events; blocking. How many moved."""
        if self.arrivals is None:
            return 0
        stores = self.stores
        return self.arrivals.follow(stores.log, stores.online, stores.items, stores.columns)


def _arrivals(release: Release | None) -> Arrivals | None:
    tower = release.two_tower if release else None
    if release is None or tower is None or tower.background is None:
        return None
    return Arrivals(tower, tower.background, release.manifest.log_position)


class ReleaseWatch:
    """Follows the release pointer."""

    def __init__(self, live: Live, clock: Clock) -> None:
        self.live = live
        self._clock = clock
        self._directory = ReleaseDirectory(
            live.stores.settings.path(live.stores.settings.stores.releases)
        )
        self._refused: tuple[str, tuple[int, int]] | None = None
        self._retry = 0.0
        self._unread = ""
        self._cold = True
        self.remark = ""
        """What keeps the promoted release from serving; "" where nothing does."""

    async def follow(self, stop: asyncio.Event) -> None:
        """Poll until stopped."""
        pause = self.live.stores.settings.serving.release_poll_seconds
        while not stop.is_set():
            await self.look()
            await self.warm_up()
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
        if asked == self._refused and self._clock.now() < self._retry:
            return False
        try:
            refresh(self.live.stores)
            self.live = await asyncio.to_thread(self._load, name)
        except PalateError as error:
            return self._refuse(asked, error.detail)
        except Exception as error:  # noqa: BLE001  whatever it is, the old release keeps serving
            return self._refuse(asked, f"it does not run: {type(error).__name__}: {error}")
        self._refused, self.remark = None, ""
        log.info("release %s is live", name)
        return True

    def _refuse(self, asked: tuple[str, tuple[int, int]], why: str) -> bool:
        self._refused, self._retry = asked, self._clock.now() + RETRY
        self.remark = f"release {asked[0]} refused, {self.live.name} keeps serving: {why}"
        log.error("%s", self.remark)
        return False

    async def warm_up(self) -> None:
        """Warm what is live, until there was somebody's history to warm it with."""
        if self._cold:
            refresh(self.live.stores)
            try:
                self._cold = not await asyncio.to_thread(_warmed, self.live, self._clock)
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
        stores = with_release(self.live.stores, self._directory.load(name))
        fresh = Live.on(stores, self.live.kept)
        _warmed(fresh, self._clock)
        return fresh


def _warmed(live: Live, clock: Clock) -> bool:
    """Warm in a thread; whether there were users to do it with."""
    return asyncio.run(warm(live, clock)) > 0


async def warm(live: Live, clock: Clock) -> int:
    """Run each surface for somebody new and for a few users: no visitor pays for first calls.

    Returns how many users there were.
    """
    users = _some_users(live.stores)
    for surface, funnel in live.funnels.items():
        for visitor in (UserState.nobody(), *users):
            query = Query(surface, visitor, WARM_SIZE, clock.now(), clock.draw())
            answer = await funnel.answer(query, Plan(ends=perf_counter() + WARM_SECONDS))
            if LATE in answer.trace.skipped.values():
                late = [name for name, why in answer.trace.skipped.items() if why == LATE]
                log.warning("warming up %s was given up: %s took too long", surface, late[0])
                break
    return len(users)


def _some_users(stores: Stores) -> list[UserState]:
    found = islice(stores.online.scan("users"), WARM_USERS)
    return [UserState.unpack(key, raw) for key, raw in found]
