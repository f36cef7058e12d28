"""What one worker holds: the live release, the way into the log, names, visitors, traces."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

import msgspec
from litestar import Litestar, Request

from palate.clock import Clock
from palate.errors import PalateError
from palate.events.ingest import GroupCommit
from palate.events.protocol import EventLog
from palate.serving.accounting.books import FILE as BOOKS
from palate.serving.accounting.books import Books
from palate.serving.accounting.sampling import Sampler
from palate.serving.allowed.conditions import Conditions
from palate.serving.allowed.policies import Policies
from palate.serving.impressions import Impressions
from palate.serving.live import Live, ReleaseWatch
from palate.serving.meters import Meters
from palate.serving.names import Names
from palate.serving.observing.allowance import Allowance
from palate.serving.observing.faults import Faults
from palate.serving.observing.spans import Spans, opened
from palate.serving.pacing.aside import Aside
from palate.serving.pacing.pacer import Pacer
from palate.serving.processes.hanging import Hanging
from palate.serving.processes.warming import Asked
from palate.serving.steering.watch import RuleWatch
from palate.serving.tracing.features import FeatureWriter
from palate.serving.tracing.store import FILE, TraceStore, TraceWriter
from palate.serving.visitors import Visitors
from palate.serving.wording.wordings import Wordings
from palate.settings import ServingSettings, Settings
from palate.stores import (
    Stores,
    close,
    online_filled,
    open_rules,
    open_stores,
    open_waiting,
    refresh,
)
from palate.streaming.aside import count
from palate.surfaces.pages import HOME

TICK = 0.5
ACCOUNTS = 5.0
"""Seconds between two looks at sampled requests."""
REPLAYED = 24
"""Of the newest requests, so many are replayed to warm up."""
LOOKED_AT = 200
"""Events among which somebody is looked for, where no request is known."""
SETTLE = 3.0
"""Seconds that the end waits for impressions and traces to be written."""


@dataclass(frozen=True)
class Runtime:
    """One worker's view of one site; lives as long as the application."""

    settings: Settings
    clock: Clock
    watch: ReleaseWatch
    rules: RuleWatch
    commit: GroupCommit
    meters: Meters
    names: Names
    wordings: Wordings
    visitors: Visitors
    conditions: Conditions
    policies: Policies
    impressions: Impressions
    store: TraceStore
    traces: TraceWriter
    features: FeatureWriter
    faults: Faults
    pacer: Pacer
    aside: Aside
    tracing: Allowance
    """Of traces."""
    sampler: Sampler
    spans: Spans | None = None
    """The way to an OpenTelemetry collector, where one is named."""
    background: set[asyncio.Task[Any]] = field(default_factory=set)
    ending: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the worker ends: what another may do later is left to it."""

    @property
    def live(self) -> Live:
        """The release that serves now, with its stores and funnels."""
        return self.watch.live

    @property
    def stores(self) -> Stores:
        """The stores of the live release."""
        return self.watch.live.stores

    async def lag(self) -> float:
        """Seconds that the oldest event not yet folded has waited; 0 where there is none."""
        return await asyncio.to_thread(self.lag_now)

    def lag_now(self) -> float:
        """The same, blocking."""
        waiting = self.stores.log.read(self._shown(), 1)
        return max(0.0, self.clock.now() - waiting[0].received) if waiting else 0.0

    def behind(self) -> int:
        """Log positions that the state does not show yet; blocking."""
        return max(0, self.stores.log.end() - self._shown())

    def _shown(self) -> int:
        """Up to where pages know the log: counters of another layout wait to be made anew."""
        return min(self.stores.online.position(), self.stores.states.position)

    def refused(self) -> int:
        """Events that were set aside; blocking."""
        return count(self.settings.path(self.settings.stores.columns))

    async def tick(self) -> None:
        """Keep names and metrics fresh; what fails leaves the rest alone, and is warned of."""
        for name, step in self._steps():
            try:
                await step()
            except Exception as error:  # noqa: BLE001  whatever it is: the others go on
                self.faults.trouble(f"the upkeep of {name}", error)

    def _steps(self) -> Iterator[tuple[str, Callable[[], Awaitable[None]]]]:
        """What a tick does; first what needs no store, for when one fails it is looked at."""
        yield "metrics", self._show
        yield "columns", self._follow_columns
        yield "withdrawals", self._look_ahead
        yield "last slates", self._refresh_kept
        yield "names", self._refresh_names
        yield "event lag", self._show_lag
        yield "refused events", self._show_refused
        yield "the size of the user state", self._show_online

    async def _show(self) -> None:
        self.pacer.show()
        self.meters.queues(
            events=self.commit.waiting,
            requests=self.pacer.gate.waiting,
            impressions=self.impressions.waiting,
            traces=self.traces.waiting,
            features=self.features.waiting,
            spans=0 if self.spans is None else self.spans.waiting,
        )
        await asyncio.to_thread(self.meters.flush)
        self.meters.release(self.live.name)
        for cache, (hits, misses) in self._lookups():
            self.meters.looked_up(cache, hits, misses)

    async def _follow_columns(self) -> None:
        stores = self.stores
        refresh(stores)
        await asyncio.to_thread(stores.columns.follow, stores.items)

    async def _look_ahead(self) -> None:
        await asyncio.to_thread(self.stores.columns.look_ahead, self.stores.items)

    async def _refresh_kept(self) -> None:
        self.live.kept.refresh(self.stores)

    async def _refresh_names(self) -> None:
        await self.names.refresh(self.stores.columns.version)

    async def _show_lag(self) -> None:
        try:
            self.meters.lag(await self.lag(), await asyncio.to_thread(self.behind))
        except Exception:
            self.meters.lag_unknown()
            raise

    async def _show_online(self) -> None:
        self.meters.online_used(await asyncio.to_thread(online_filled, self.stores))

    async def _show_refused(self) -> None:
        self.meters.refused(await asyncio.to_thread(self.refused))

    def _lookups(self) -> Iterator[tuple[str, tuple[int, int]]]:
        """What each cache was asked since the last time."""
        yield "names", self.names.asked()
        yield "profiles", self.visitors.asked()

    async def settle(self) -> None:
        """Wait until impressions, traces and what else was left for later are written."""
        await self.impressions.settle()
        await self.traces.settle()
        await self.features.settle()
        if self.spans is not None:
            await self.spans.settle()
        await asyncio.gather(*self.background)  # last: it may wait for the stream worker


@asynccontextmanager
async def running(
    settings: Settings,
    clock: Clock,
    stores: Stores | None = None,
    hanging: Hanging | None = None,
) -> AsyncIterator[Runtime]:
    """Open the site, serve, and close it again with nothing left unwritten.

    Stores that are handed over are left open; surfaces that are `hanging` are not warmed up.
    """
    held = stores if stores is not None else await asyncio.to_thread(open_stores, settings)
    live = Live.on(held)
    live.kept.refresh(held)
    runtime = _assembled(settings, clock, live)
    runtime.watch.hanging = hanging or runtime.watch.hanging
    await runtime.watch.warm_up()
    await runtime.rules.look(held)
    await runtime.names.warm(held.boards.rows(), held.columns.size)
    tasks = [
        asyncio.create_task(runtime.watch.follow(runtime.ending)),
        asyncio.create_task(_ticking(runtime)),
        asyncio.create_task(_steering(runtime)),
        asyncio.create_task(_folding_in(runtime)),
        asyncio.create_task(_accounting(runtime)),
        asyncio.create_task(runtime.impressions.run()),
        asyncio.create_task(runtime.traces.run()),
        asyncio.create_task(runtime.features.run()),
    ]
    if runtime.spans is not None:
        tasks.append(asyncio.create_task(runtime.spans.run()))
    try:
        yield runtime
    finally:
        runtime.ending.set()
        with suppress(TimeoutError):
            await asyncio.wait_for(runtime.settle(), SETTLE)
        for task in (*tasks, *runtime.background):
            task.cancel()
        await asyncio.gather(*tasks, *runtime.background, return_exceptions=True)
        runtime.impressions.give_up()
        await asyncio.to_thread(runtime.commit.close)
        if runtime.spans is not None:
            await asyncio.to_thread(runtime.spans.close)
        runtime.store.close()
        runtime.features.close()
        runtime.sampler.books.close()
        await asyncio.to_thread(runtime.rules.end)
        if stores is None:
            close(held)


def attach(app: Litestar, runtime: Runtime) -> None:
    """Hand the runtime to the application's routes."""
    app.state["runtime"] = runtime


def runtime_of(request: Request[Any, Any, Any]) -> Runtime:
    """The worker's runtime."""
    return cast("Runtime", request.app.state["runtime"])


def _assembled(settings: Settings, clock: Clock, live: Live) -> Runtime:
    stores, meters, bounds = live.stores, Meters(), settings.serving
    meters.bounds(**_bounds(bounds))
    commit = GroupCommit(stores.log, clock, settings.serving.max_waiting_events)
    store = TraceStore(settings.path(FILE), settings.serving.traces)
    pacer = Pacer(settings.serving, meters)
    asked = partial(_asked, store, stores.log)
    return Runtime(
        settings=settings,
        clock=clock,
        watch=ReleaseWatch(live, clock, asked, lambda: pacer.gate.flying > 0),
        rules=RuleWatch(settings, open_rules(settings), clock),
        commit=commit,
        meters=meters,
        wordings=Wordings.of_site(settings.home, settings.site.language),
        names=Names(stores.items, stores.columns.version, bounds.names),
        visitors=Visitors(stores.users, stores.online, settings.features, clock, bounds.profiles),
        policies=Policies(stores.columns.plain, bounds.policies),
        conditions=Conditions(stores.columns.plain, bounds.compiled_filters, bounds.filters),
        impressions=Impressions(commit, meters, bounds.waiting_impressions),
        store=store,
        traces=TraceWriter(store, meters, bounds.waiting_traces),
        faults=Faults(),
        pacer=pacer,
        aside=Aside(),
        sampler=Sampler(
            settings.ledger,
            settings.attribution.hours,
            Books(settings.path(BOOKS), settings.ledger.keep_days),
        ),
        spans=opened(settings, meters),
        tracing=Allowance(bounds.traces_per_second, max(bounds.traces, 1)),
        features=FeatureWriter(
            open_waiting(settings),
            meters,
            settings.attribution.features_share,
            bounds.waiting_features,
        ),
    )


def _bounds(settings: ServingSettings) -> dict[str, int]:
    """What the queues may hold."""
    return {
        "events": settings.max_waiting_events,
        "requests": settings.most_waiting,
        "impressions": settings.waiting_impressions,
        "traces": settings.waiting_traces,
        "features": settings.waiting_features,
        "spans": settings.waiting_spans,
    }


def _asked(store: TraceStore, events: EventLog) -> list[Asked]:
    """What to warm up with: requests with a trace, else Home for who did something last."""
    try:
        found = store.asked(REPLAYED)
    except (PalateError, msgspec.DecodeError, zlib.error):  # traces are no store: go without
        found = []
    if found:
        return found
    newest = events.read(max(events.end() - LOOKED_AT, 0), LOOKED_AT)
    names = dict.fromkeys(each.event.user_id for each in reversed(newest) if each.event.user_id)
    return [Asked(HOME, f"user:{name}") for name in list(names)[:REPLAYED]]


async def _accounting(runtime: Runtime) -> None:
    """Enter sampled requests into the books when it is known what their visitors took."""
    while True:
        try:
            await runtime.sampler.settle(runtime.stores, runtime.clock.now())
        except Exception as error:  # noqa: BLE001  the next ones are
            runtime.faults.fault("accounting for a sampled request", error)
        await asyncio.sleep(ACCOUNTS)


async def _ticking(runtime: Runtime) -> None:
    while True:
        await runtime.tick()
        await asyncio.sleep(TICK)


async def _folding_in(runtime: Runtime) -> None:
    """Let newcomers learn, beside everything else."""
    while True:
        await asyncio.sleep(runtime.settings.serving.fold_in_seconds)
        try:
            await asyncio.to_thread(runtime.live.fold_in)
        except Exception as error:  # noqa: BLE001  it is tried again
            runtime.faults.fault("folding in new items", error)


async def _steering(runtime: Runtime) -> None:
    """Follow the rules, as the release is followed."""
    while True:
        try:
            await runtime.rules.look(runtime.stores)
        except Exception as error:  # noqa: BLE001  it is tried again
            runtime.faults.fault("looking at the rules", error)
        await asyncio.sleep(runtime.settings.serving.release_poll_seconds)
