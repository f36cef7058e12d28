"""What a running site stands on: one field per back-end protocol or shared projection.

`open_stores` is the only wiring; a component asks for the narrow thing it needs and never learns
which technology answers.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from palate.catalog.columns import ItemColumns
from palate.catalog.encoded import EncodedColumns
from palate.catalog.protocol import ItemCatalog, UserCatalog
from palate.catalog.sqlite import SqliteItems, SqliteUsers
from palate.clock import Clock
from palate.errors import BadInput, CorruptRelease, MissingExtra, NotFound, Problem
from palate.events.protocol import EventLog
from palate.events.sqlite import SqliteLog
from palate.features.boards import Leaderboards
from palate.features.items import ItemStates
from palate.features.known import Sight
from palate.features.offline.waiting import FILE as WAITING
from palate.features.offline.waiting import Waiting
from palate.features.online.lmdb import LmdbStore
from palate.features.online.protocol import OnlineStore
from palate.features.online.sound import is_sound
from palate.index.opening import CLUSTERED
from palate.models.covisit import Covisit
from palate.releases.directory import ReleaseDirectory
from palate.releases.release import Release
from palate.rules.protocol import RuleBook
from palate.rules.sqlite import SqliteRules
from palate.settings import Settings
from palate.streaming.worker import StreamWorker

log = logging.getLogger("palate.stores")

T = TypeVar("T")
STATES, COVISIT = "states", "covisit"
"""Folders of projections."""

PLANNED = {
    "catalog": ("postgresql",),
    "rules": ("postgresql",),
    "events": ("kafka",),
    "online": ("redis", "rediss"),
    "index": ("milvus",),
    "offline": ("s3",),
}
"""Schemes that have a name already and no adapter yet."""


@dataclass(frozen=True, slots=True)
class Stores:
    """One site, as seen by one process. Replay and evaluation build one in memory."""

    settings: Settings
    items: ItemCatalog
    users: UserCatalog
    log: EventLog
    online: OnlineStore
    columns: ItemColumns
    """What the catalogue says of each row."""
    states: ItemStates
    """What events said of each row."""
    boards: Leaderboards
    """The heads of the decayed counts, ready to read."""
    covisit: Covisit
    release: Release | None
    """What training made; None before the first release."""
    sight: Sight = field(default_factory=Sight, repr=False, compare=False)
    """Its arrays as features read them."""


@dataclass(frozen=True, slots=True)
class Sources:
    """The two truths of a site, its catalogue and its event log: all that an import writes to."""

    settings: Settings
    items: ItemCatalog
    users: UserCatalog
    log: EventLog


@contextmanager
def open_sources(settings: Settings) -> Iterator[Sources]:
    """Open catalogue and log alone, beside whatever else runs on the site; the worker follows.

    Raises BadInput for an unknown URL scheme, MissingExtra for one that this version cannot serve.
    """
    sources = _sources(settings)
    try:
        yield sources
    finally:
        close(sources)


def open_stores(settings: Settings, *, writer: bool = False) -> Stores:
    """Open a site as its settings say; what a fresh site does not have yet is made or stays empty.

    With `writer`, the projections are opened for writing: the stream worker's privilege, Conflict
    where another process has it. Raises BadInput for an unknown URL scheme, MissingExtra for one
    that this version cannot serve. A release that does not verify is logged and left out.
    """
    urls = settings.stores
    settings.home.mkdir(parents=True, exist_ok=True)
    index_kind(settings)
    adapter("offline", urls.offline, {"file": lambda path: path}, settings)
    shared, sources = settings.path(urls.columns), _sources(settings)
    opened = Stores(
        settings=settings,
        items=sources.items,
        users=sources.users,
        log=sources.log,
        online=open_online(settings, write=writer),
        columns=ItemColumns.open(shared / "items", write=writer),
        states=open_states(settings, write=writer),
        boards=Leaderboards.open(shared / "boards", write=writer),
        covisit=Covisit.open(shared / COVISIT, settings.covisit, write=writer),
        release=None,
    )
    return with_release(opened, current_release(settings))


def open_online(settings: Settings, *, write: bool = False) -> OnlineStore:
    """The state alone. Who writes it has the stream worker's turn. Raises as `open_sources`."""
    size = settings.stores.online_gigabytes
    adapters = {"lmdb": lambda path: LmdbStore(path, write=write, gigabytes=size)}
    store: OnlineStore = adapter("online", settings.stores.online, adapters, settings)
    return store


def open_states(settings: Settings, *, write: bool = False) -> ItemStates:
    """Item counters alone."""
    folder, wanted = settings.path(settings.stores.columns) / STATES, settings.features
    return ItemStates.open(folder, write=write, segments=wanted.segments, regions=wanted.regions)


def distrust(settings: Settings) -> bool:
    """Let the stream worker read its projections anew before it goes on.

    Has to precede what makes them wrong. False where there are none of these settings.
    """
    shared, wanted = settings.path(settings.stores.columns), settings.features
    states = ItemStates.distrust(shared / STATES, segments=wanted.segments, regions=wanted.regions)
    return Covisit.distrust(shared / COVISIT, settings.covisit) and states


def index_kind(settings: Settings) -> str:
    """What releases of this site are to be searched with: a name of `index.opening.CLUSTERED`.

    Raises as `open_sources` does.
    """
    kinds = dict.fromkeys(CLUSTERED, lambda path: path)
    adapter("index", settings.stores.index, kinds, settings)
    return settings.stores.index.partition(":")[0]


def open_rules(settings: Settings) -> RuleBook:
    """The site's book of rules; close it afterwards. Raises as `open_sources` does."""
    book: RuleBook = adapter("rules", settings.stores.rules, {"sqlite": SqliteRules}, settings)
    return book


def open_waiting(settings: Settings) -> Waiting:
    """What serving leaves for the join of impressions and outcomes."""
    return Waiting(settings.path(WAITING), settings.attribution.features_megabytes)


def stream_worker(stores: Stores, clock: Clock) -> StreamWorker:
    """The stream worker of a site that was opened with `writer`."""
    return StreamWorker(
        stores.settings,
        stores.items,
        stores.users,
        stores.log,
        stores.online,
        stores.columns.plain,
        stores.states,
        stores.boards,
        stores.covisit,
        clock,
    )


def look_at_state(stores: Stores) -> None:
    """Set aside a state that ends whoever reads it; the stream worker folds it again."""
    online, urls = stores.online, stores.settings.stores
    if not isinstance(online, LmdbStore):
        return
    path = stores.settings.path(urls.online.partition(":")[2])
    if not is_sound(path, urls.online_gigabytes):
        log.error("%s cannot be read to its end: it is set aside, and the log folded again", path)
        online.set_aside()


def online_filled(stores: Stores) -> float:
    """Share of its bound that the user state takes, as far as it has one; blocks."""
    return stores.online.filled() if isinstance(stores.online, LmdbStore) else 0.0


def refresh(stores: Stores) -> None:
    """See what the stream worker has grown since the last request; cheap."""
    stores.columns.refresh()
    stores.states.refresh()
    stores.boards.refresh()
    stores.covisit.refresh()


def with_release(stores: Stores, release: Release | None) -> Stores:
    """The same site with another release live; funnels are built anew on it.

    What it makes of items' content comes with it; what it does not know yet is encoded here.
    """
    columns = stores.columns.plain
    if release is not None and release.content is not None:
        columns = EncodedColumns(columns, release.content)
        columns.follow(stores.items)
    return replace(stores, release=release, columns=columns, sight=Sight())


def close(stores: Stores | Sources) -> None:
    """Release files and locks."""
    for name in ("columns", "online", "log", "items", "users"):
        with suppress(AttributeError):
            getattr(stores, name).close()


def unfolded(stores: Stores) -> str:
    """What the stream worker has not taken in yet, in words; "" where nothing waits."""
    waiting = []
    if stores.items.changes(stores.columns.version, 1):
        waiting.append("changes of the catalogue")
    if stores.log.read(stores.online.position(), 1):
        waiting.append("events")
    return " and ".join(waiting)


def current_release(settings: Settings) -> Release | None:
    """The live release, else the last one before it that can be trusted; None where there is none.

    Where every ranker needs features of another build, the newest serves without: by its fusion.
    What cannot be trusted is logged.
    """
    directory = ReleaseDirectory(settings.path(settings.stores.releases))
    try:
        lived = directory.history()
    except CorruptRelease as error:
        log.error("serving without a release: %s", error)  # noqa: TRY400  the sentence is enough
        return None
    for name, ranked in [*((name, True) for name in lived), *((name, False) for name in lived)]:
        try:
            found = directory.load(name, ranked=ranked)
        except (CorruptRelease, NotFound) as error:
            if ranked:
                log.error("release %s is passed over: %s", name, error)  # noqa: TRY400
            continue
        if not ranked:
            log.error("release %s serves without its ranker", name)
        return found
    if lived:
        log.error("serving without a release: none of %d can be trusted", len(lived))
    return None


def _sources(settings: Settings) -> Sources:
    urls = settings.stores
    return Sources(
        settings=settings,
        items=adapter("catalog", urls.catalog, {"sqlite": SqliteItems}, settings),
        users=adapter("catalog", urls.catalog, {"sqlite": SqliteUsers}, settings),
        log=adapter("events", urls.events, {"sqlite": SqliteLog}, settings),
    )


def adapter(
    field: str, url: str, adapters: Mapping[str, Callable[[Path], T]], settings: Settings
) -> T:
    """The adapter of a URL's scheme. Raises as `open_sources` does."""
    scheme, _, rest = url.partition(":")
    if scheme in adapters:
        return adapters[scheme](settings.path(rest))
    if scheme in PLANNED[field]:
        raise MissingExtra(
            f"[stores] {field} = {url!r}: this version has no {scheme} adapter; use"
            f" {' or '.join(adapters)}:"
        )
    problem = f"unknown scheme in {url!r}; known here: {', '.join(adapters)}"
    raise BadInput(f"[stores] {field}: {problem}", [Problem(f"/stores/{field}", problem)])
