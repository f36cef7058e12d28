"""A site in a few lines of Python: what the HTTP API does, in this process and without a server.

``with Site.open("mysite") as site:`` opens the folder (a new one is made), folds what is appended
at once, and answers by the same path as over HTTP: ranked, explained, and logged as shown. Where
``palate up`` runs on the folder already, that one folds, and this process only asks and appends.
"""

import asyncio
import threading
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from contextlib import ExitStack
from os import environ
from pathlib import Path
from typing import Any, Self, TypedDict, TypeVar, Unpack

import msgspec

from palate.catalog import decode
from palate.catalog.item import Item
from palate.catalog.user import User
from palate.clock import Clock, SystemClock
from palate.errors import BadInput, Conflict
from palate.events.decode import events as decoded_events
from palate.events.kinds import Event
from palate.events.protocol import Appended
from palate.intake.profiles import store_users
from palate.serving.bodies import Ask, Recommendation
from palate.serving.forgetting import forget
from palate.serving.recommend import Recommending, recommendation_id
from palate.serving.routes.asking import check
from palate.serving.runtime import Runtime, running
from palate.settings import FILE, Settings
from palate.settings_files import load
from palate.spelling import hint
from palate.stores import Stores, close, open_stores, stream_worker
from palate.streaming.lock import only_worker
from palate.streaming.warming import warm
from palate.streaming.worker import StreamWorker
from palate.template import template

T = TypeVar("T")


class Asked(TypedDict, total=False):
    """What may be said of a request, as in the API's query string and body."""

    user_id: str
    session_id: str
    item_id: str
    limit: int
    cursor: str
    region: str
    age: int
    context: dict[str, Any]
    exclude: Sequence[str]
    budget_ms: int


class Site:
    """One open site: its items, users and events, and what it recommends. Threads may share it."""

    def __init__(self, stores: Stores, serving: "_Loop", worker: StreamWorker | None) -> None:
        self.stores, self.settings = stores, stores.settings
        self.items, self.users, self.events = Items(self), Users(self), Events(self)
        self._serving, self._worker = serving, worker
        self._folding = threading.Lock()
        self._open = ExitStack()

    @classmethod
    def open(cls, home: str | Path, *, clock: Clock | None = None) -> Self:
        """Open a site's folder; one that is empty or not there becomes a new site.

        Raises BadInput where the folder holds something else, or its settings are wrong.
        """
        settings, time = load(_made(Path(home)), environ), clock or SystemClock()
        with ExitStack() as stack:
            writes = _folds_here(stack, settings)
            stores = open_stores(settings, writer=writes)
            stack.callback(close, stores)
            worker = stream_worker(stores, time) if writes else None
            if worker:
                warm(settings)
                worker.recover()
                worker.drain()
            serving = _Loop(settings, time, stores)
            stack.callback(serving.close)
            site = cls(stores, serving, worker)
            site._open = stack.pop_all()
        return site

    def recommend(self, surface: str = "home", **asked: Unpack[Asked]) -> Recommendation:
        """A slate for a visitor, as the API answers it. Raises BadInput or NotFound.

        Nobody counts the time unless `budget_ms` is given: then parts that do not fit are left out.
        """
        runtime = self._serving.runtime
        strange = [name for name in asked if name not in Asked.__annotations__]
        if strange:
            raise BadInput("; ".join(map(_strange, strange)))
        said = {**asked, "exclude": tuple(asked.get("exclude", ()))}
        ask = Ask(surface=surface, **said)  # type: ignore[arg-type]
        check(ask, self.settings.serving.max_limit)
        return self._serving.run(_answered(runtime, ask))

    def close(self) -> None:
        """Write what is not written yet, and let another process have the site."""
        self._open.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _follow(self, *, settled: bool = False) -> None:
        """Show what was just written; with `settled`, also end what was left for later."""
        if self._worker:
            with self._folding:
                self._worker.drain()
            if settled:
                self._serving.run(self._serving.runtime.settle())
        self._serving.run(self._serving.runtime.tick())


class Items:
    """The items of an open site."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def put(self, items: Iterable[Item | Mapping[str, Any]]) -> int:
        """Insert or replace, all or nothing; returns how many differed. Raises BadInput."""
        given = _listed(items, "items")
        documents = [decode.encode(each) if isinstance(each, Item) else each for each in given]
        changed = self._site.stores.items.put(decode.items(documents))
        self._site._follow()  # noqa: SLF001  a part of the site
        return changed

    def find(self, item_ids: Sequence[str]) -> list[Item | None]:
        """One answer per id, in order; None where unknown."""
        return self._site.stores.items.find(item_ids)

    def remove(self, item_ids: Sequence[str]) -> int:
        """Forget items; returns how many there were."""
        gone = self._site.stores.items.remove(item_ids)
        self._site._follow()  # noqa: SLF001
        return gone


class Users:
    """The users of an open site."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def put(self, users: Iterable[User | Mapping[str, Any]]) -> int:
        """Insert or replace, all or nothing; returns how many differed. Raises BadInput."""
        given = _listed(users, "users")
        documents = [decode.encode_user(each) if isinstance(each, User) else each for each in given]
        stores, runtime = self._site.stores, self._site._serving.runtime  # noqa: SLF001
        found = decode.users(documents)
        now, by = runtime.clock.now(), stores.settings.features
        changed = store_users(found, stores.users, stores.log, by, received=now)
        for each in found:
            runtime.visitors.forget(each.user_id)
        self._site._follow()  # noqa: SLF001
        return changed

    def find(self, user_ids: Sequence[str]) -> list[User | None]:
        """One answer per id, in order; None where unknown."""
        return self._site.stores.users.find(user_ids)

    def forget(self, user_id: str) -> bool:
        """Drop profile, state and name of a user; False where nobody knew them."""
        serving = self._site._serving  # noqa: SLF001
        known = serving.run(forget(serving.runtime, user_id))
        self._site._follow(settled=True)  # noqa: SLF001
        return known


class Events:
    """The event log of an open site."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def append(self, events: Iterable[Event | Mapping[str, Any]]) -> Appended:
        """Store events, all or nothing: durable, and folded, when it returns. Raises BadInput."""
        serving, given = self._site._serving, _listed(events, "events")  # noqa: SLF001
        clock = serving.runtime.clock
        told = [each for each in given if not isinstance(each, Event)]
        read, problems = decoded_events(told, clock.now(), clock)
        if problems:
            raise BadInput.of(problems)
        made = [each for each in given if isinstance(each, Event)]
        done = serving.run(serving.runtime.commit.append([*made, *read]))
        self._site._follow()  # noqa: SLF001
        return done


class _Loop:
    """An event loop in a thread of its own, with what a worker process runs on it."""

    def __init__(self, settings: Settings, clock: Clock, stores: Stores) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="site", daemon=True)
        self._thread.start()
        self._running = running(settings, clock, stores)
        try:
            self.runtime: Runtime = self.run(self._running.__aenter__())
        except BaseException:
            self._stop()
            raise

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """What it comes to; waits for it. Raises Conflict where the site was closed."""
        if self._loop.is_closed():
            work.close()
            raise Conflict("this site was closed; open it again with Site.open")
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def close(self) -> None:
        try:
            self.run(self._running.__aexit__(None, None, None))
        finally:
            self._stop()

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _answered(runtime: Runtime, ask: Ask) -> Recommendation:
    now, draw = runtime.clock.now(), runtime.clock.draw()
    name = recommendation_id(now, draw)
    if ask.budget_ms is None:
        return await Recommending(runtime, ask, name, now).answer(draw)
    async with runtime.pacer.turn(ask.surface, ask.budget_ms) as turn:
        return await Recommending(runtime, ask, name, now, turn).answer(draw)


def _made(home: Path) -> Path:
    """The folder, made into a site where there is nothing in it."""
    try:
        if not home.exists() or (home.is_dir() and not any(home.iterdir())):
            home.mkdir(parents=True, exist_ok=True)
            (home / FILE).write_text(template(), "utf-8")
    except OSError as error:
        raise BadInput(f"{home} cannot be made a site: {error.strerror or error}") from error
    return home


def _listed(given: Iterable[T] | Mapping[str, Any], what: str) -> list[Any]:
    """What was given, as a list. Raises BadInput where it is one alone: it would fall apart."""
    if isinstance(given, Mapping | str | msgspec.Struct):
        raise BadInput(f"{what} come as a list: put [ ] around the one")
    return [dict(each) if isinstance(each, Mapping) else each for each in given]


def _strange(name: str) -> str:
    return f"nothing is asked by {name!r}; {hint(name, Asked.__annotations__, str)}"


def _folds_here(stack: ExitStack, settings: Settings) -> bool:
    """Whether this process is the site's stream worker; not where another one is."""
    try:
        stack.enter_context(only_worker(settings))
    except Conflict:
        return False
    return True
