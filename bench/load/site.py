"""A site of any size on disk, of the real shape: what `palate serve` opens, filled by chance."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from time import perf_counter, time

import msgspec
import numpy as np

import palate
from funnel import (
    DIM,
    HISTORY,
    fill_columns,
    fill_covisit,
    fill_states,
    one_user,
    tower_parts,
    unit_vectors,
    write_ranker,
)
from load.hollow import save_hollow
from load.taken import fill_counts, fill_pairs, takers
from palate.catalog.columns import ItemColumns
from palate.catalog.encoded import LEVELS
from palate.catalog.encoder import CONTENT_DIM
from palate.catalog.item import Item
from palate.catalog.user import user_key
from palate.cli.output import console
from palate.features.online.protocol import OnlineStore, StateChange
from palate.features.record import LAYOUT, LISTS, USER_DTYPE, UserState
from palate.features.segments import REGION_AT
from palate.features.vector import layout_hash, meanings
from palate.index.opening import Building
from palate.models.content import ContentFacts, ContentModel, Directions, TermEncoder
from palate.models.two_tower import save_table
from palate.releases.directory import ReleaseDirectory
from palate.releases.manifest import Manifest
from palate.settings import FILE, Settings
from palate.stores import Stores, close, open_stores
from palate.training.export import write_user
from palate.training.towers import UserTower

CHUNK = 20_000
CENTRES = 256
"""Of each level of content codes."""
HISTORIES = 2_000
"""Different histories; a user has one of them under a key of their own."""


def made(
    home: Path, items: int, users: int, full: int | None = None, taken: int | None = None
) -> float:
    """Build a site where there is none; how many seconds that took."""
    started = perf_counter()
    if not (home / FILE).exists():
        home.mkdir(parents=True, exist_ok=True)
        console.print(f"{items:,} items, {users:,} users: building a site …")
        build(Settings(home=home), (items, full or items), users, time(), taken)
    return round(perf_counter() - started, 1)


def build(
    settings: Settings, size: tuple[int, int], users: int, now: float, taken: int | None = None
) -> None:
    """Fill an empty site: catalogue, columns, counts, co-visitation, boards, users, a release.

    `size` is how many items there are, and how many of the first of them get contents, counts,
    vectors and neighbours. The rest is hollow: given, servable, dated and in categories, mapped
    like all others and empty. So a site of ten million can be looked at on a machine that has no
    hour to fill it. With `taken` only so much was taken in all, by Zipf's law, and so not every
    item has counts and neighbours; without it, all have all that they can have.
    """
    items, full = size[0], min(size)
    dice = np.random.default_rng(1)
    settings.path(FILE).write_text('[site]\nname = "synthetic"\n', "utf-8")
    stores = open_stores(settings, writer=True)
    try:
        _catalogue(settings.path("catalog.db"), full)
        _given(settings.path("catalog.db"), full, items)
        fill_columns(stores.columns, items, dice, now, version=items, full=full)
        stores.states.grow(items)
        stores.covisit._grow(items)  # noqa: SLF001  a fold grows it by itself
        if taken is None:
            fill_states(stores.states, full, dice, now)
            fill_covisit(stores.covisit, full, dice, items)
        else:
            often, shown = takers(full, taken, dice)
            fill_counts(stores.states, often, shown, dice, now)
            fill_pairs(stores.covisit, often, items, dice)
        # as the online store has it, or a stream worker would doubt it
        stores.states.stamp(position=0)
        stores.boards.build(stores.states, stores.columns, now)
        _people(stores.online, full, users, dice, now)
        _release(settings, stores, (items, full), dice, now)
    finally:
        close(stores)


def _catalogue(file: Path, items: int) -> None:
    """Rows as `SqliteItems.put` leaves them, without its looking up of each."""
    encode = msgspec.msgpack.Encoder(order="deterministic").encode
    with closing(sqlite3.connect(file)) as db:
        for at in range(0, items, CHUNK):
            rows = range(at, min(at + CHUNK, items))
            some = (Item(item_id=f"i{n}", title=f"The story of number {n}") for n in rows)
            told = [
                (n, each.item_id, n + 1, encode(each)) for n, each in zip(rows, some, strict=True)
            ]
            db.executemany(
                "insert into item (row, item_id, version, document) values (?, ?, ?, ?)", told
            )
            db.commit()


def _given(file: Path, first: int, items: int) -> None:
    """Rows that have an id and no document, as events give them."""
    with closing(sqlite3.connect(file)) as db:
        db.execute(
            "with recursive n(x) as (select ? where ? < ? union all select x + 1 from n"
            " where x + 1 < ?) insert into item (row, item_id, version) select x, 'i' || x, x + 1"
            " from n",
            (first, first, items, items),
        )
        db.commit()


def _people(
    online: OnlineStore, items: int, users: int, dice: np.random.Generator, now: float
) -> None:
    raw = [packed(one_user(items, dice, now)) for _ in range(min(users, HISTORIES))]
    for at in range(0, users, CHUNK):
        some = range(at, min(at + CHUNK, users))
        told: dict[int, bytes | None] = {user_key(f"u{n}"): raw[n % len(raw)] for n in some}
        online.commit(StateChange(0, told))


def packed(user: UserState) -> bytes:
    """A record as the stream worker keeps it."""
    head = np.zeros(1, USER_DTYPE)
    for name in ("first_time", "last_time", "session_start", "total", "sessions", "counters"):
        head[name] = getattr(user, name)
    head["segment"], head["layout"] = user.segment + REGION_AT * user.region, LAYOUT
    for name in ("history", "shown", "seen", "follows"):
        head[name] = len(getattr(user, name))
    lists = (np.asarray(getattr(user, name)).astype(dtype) for name, dtype, _ in LISTS)
    return b"".join((head.tobytes(), *(each.tobytes() for each in lists)))


def _content(columns: ItemColumns, dice: np.random.Generator) -> ContentModel:
    """The vectors that the columns have, as a release brings them, with codes by chance."""
    names, few = ("story", "number"), np.ones(2, np.float32)
    nothing, none = np.zeros((0, CONTENT_DIM), np.float32), np.zeros(0, np.float32)
    placed = unit_vectors(len(names), CONTENT_DIM, dice)
    encoder = TermEncoder(names, Directions(few, placed, nothing, none, nothing, none))
    vectors = columns.content[: columns.size]
    codes = dice.integers(0, CENTRES, (len(vectors), LEVELS), np.int16)
    books = dice.standard_normal((LEVELS, CENTRES, CONTENT_DIM), np.float32)
    facts = ContentFacts(encoder="tfidf", version=columns.version, terms=names)
    return ContentModel(facts, encoder, (vectors, codes), books)


def _release(
    settings: Settings,
    stores: Stores,
    items: tuple[int, int],
    dice: np.random.Generator,
    now: float,
) -> None:
    directory = ReleaseDirectory(settings.path(settings.stores.releases))
    staging = directory.begin()
    ranker = write_ranker(staging / "ranker", dice)
    _content(stores.columns, dice).save(staging / "content")
    tower = staging / "two_tower"
    tower.mkdir()
    every, full = items
    facts, table = tower_parts(full, stores.columns, dice)
    if full == every:
        save_table(tower, facts, table, Building(threads=os.cpu_count() or 1))
    else:
        save_hollow(tower, facts, table, every, dice)
    write_user(tower / "user.onnx", UserTower(DIM, HISTORY, 1, 0.0), DIM)
    manifest = Manifest(
        created=now,
        version=palate.__version__,
        features=ranker.features,
        definitions=meanings(ranker.features),
        layout=layout_hash(ranker.features),
    )
    directory.promote(directory.publish(staging, manifest))
