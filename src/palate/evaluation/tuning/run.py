"""A whole tuning: co-visitation's settings, then the quotas of Home's generators."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypeAlias
from zlib import crc32

import msgspec
import numpy as np

from palate.catalog.alike import UNKNOWN, Alike
from palate.evaluation.as_of import Shelf, read_all
from palate.evaluation.run import FunnelOf, Learn, Progress
from palate.evaluation.split import Protocol
from palate.evaluation.tuning.covisit import GRIDS, CovisitJudge, grids, settled
from palate.evaluation.tuning.inside import Inside, drawn, inside
from palate.evaluation.tuning.journal import Journal
from palate.evaluation.tuning.learning import clear, folder_of, learnt
from palate.evaluation.tuning.quotas import Found, proposals, tuned
from palate.evaluation.tuning.search import Search
from palate.evaluation.workspace import Workspace
from palate.events.batch import EventBatch
from palate.settings import Settings
from palate.stores import Stores

ASKED = 2_000
"""Questions that co-visitation is asked at most."""
ASKED_ALL = 600
"""Questions that every generator is asked at most."""
FORM = 2
"""How a pool is filled beside quotas; what was found by another way counts as not tried."""

AlikeOf: TypeAlias = Callable[[Stores], Alike]


def nothing_alike(_: Stores) -> Alike:
    """Where nothing is known of what items are."""
    return UNKNOWN


@dataclass(frozen=True, slots=True)
class Order:
    """What to tune, and how."""

    parts: Collection[str] = ("covisit", "quotas")
    protocol: Protocol = "time"
    budget: int = 60
    """Settings of co-visitation that are tried at most."""
    seed: int = 1
    fixed: Mapping[str, Collection[str]] = field(default_factory=dict)
    """By table: what the operator has set, and nobody else may."""


@dataclass(frozen=True, slots=True)
class Tuned:
    """What was found."""

    settings: dict[str, dict[str, Any]]
    """As in ``tuned.toml``: by table and name."""
    numbers: dict[str, float]
    """Before and after, on validation."""
    tried: int
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Site:
    """The site, and what of its log may be tuned on."""

    stores: Stores
    shelf: Shelf
    past: Inside
    alike_of: AlikeOf


def tune(
    site: Stores,
    order: Order,
    funnel_of: FunnelOf,
    learn: Learn,
    progress: Progress,
    alike_of: AlikeOf = nothing_alike,
) -> Tuned:
    """Find settings on validation data inside train. The site is only read, but for the journal.

    `alike_of` says what the next release would find to be described alike. Interrupted, it goes on
    where it was when it is called again with the same order and log, in the middle of the training
    for the quotas, too. Raises BadInput where there are too few events.
    """
    shelf = Shelf.of(site.items)
    batch, _ = read_all(site.log, shelf, partial(progress, "read the log"))
    at = _Site(site, shelf, inside(batch, order.protocol, shelf.shown), alike_of)
    told = f"{len(batch)} {_checked(batch):08x} {order.protocol} {order.seed}"
    journal = Journal(site.settings.home, told)
    found = Tuned({}, {}, 0, _left_out(shelf.left_out(batch)))
    if "covisit" in order.parts:
        found = _with(found, _covisit(at, order, journal, progress))
    if "quotas" in order.parts:
        asking = _Asking(funnel_of, learn, progress)
        found = _with(found, _quotas(at, order, journal, asking, found))
    return found


def _with(found: Tuned, more: Tuned) -> Tuned:
    return Tuned(
        found.settings | more.settings,
        found.numbers | more.numbers,
        found.tried + more.tried,
        found.sentences + more.sentences,
    )


def _left_out(events: int) -> tuple[str, ...]:
    told = f"{events:,} events are left out: their items are hidden, or not in the catalogue."
    return (told,) if events else ()


def _checked(batch: EventBatch) -> int:
    """Another log has another one, however long it is."""
    found = 0
    for column in (batch.user, batch.item, batch.time):
        found = crc32(np.ascontiguousarray(column).tobytes(), found)
    return found


def _covisit(at: _Site, order: Order, journal: Journal, progress: Progress) -> Tuned:
    start = at.stores.settings.covisit
    progress("covisit", 0.0)
    alike = at.alike_of(at.stores)
    fixed = [*order.fixed.get("covisit", ()), *([] if len(alike.rows) else ["content_weight"])]
    asked, seen = drawn(at.past.cut, ASKED, order.seed), at.stores.settings.streaming.seen_limit
    judge = CovisitJudge(at.past, asked, start, alike, seen)
    told_of = {name: getattr(start, name) for name in ("neighbours", "megabytes")}
    about = _digest(told_of | {"alike": crc32(alike.rows.tobytes())})
    remembering = journal.remembering(f"covisit {about}", judge)
    tried = 0

    def told(point: Mapping[str, float]) -> float:
        nonlocal tried
        tried += 1
        progress("covisit", min(tried / order.budget, 1.0))
        return remembering(point)

    point = {name: float(getattr(start, name)) for name in GRIDS}
    before = remembering(point)
    best, after, count = Search(grids(fixed), told, order.budget).run(point)
    progress("covisit", 1.0)
    new = msgspec.to_builtins(settled(start, best))
    values = {name: new[name] for name in GRIDS if name not in fixed}
    sentence = f"covisit: NDCG@10 {before:.4f} before, {after:.4f} now, after {count} tries."
    numbers = {"covisit_ndcg_before": before, "covisit_ndcg": after}
    return Tuned({"covisit": values}, numbers, count, (sentence,))


@dataclass(frozen=True, slots=True)
class _Asking:
    """How a site is made that can be asked."""

    funnel_of: FunnelOf
    learn: Learn
    progress: Progress


def _quotas(at: _Site, order: Order, journal: Journal, how: _Asking, so_far: Tuned) -> Tuned:
    if "quotas" in order.fixed.get("retrieval", ()):
        return Tuned({}, {}, 0, ("quotas: set in palate.toml, and left as they are.",))
    settings = _without_quotas(at.stores.settings, so_far)
    task = f"quotas {FORM} {_digest(msgspec.to_builtins(settings, enc_hook=str))}"
    trial = journal.find(task, {})
    if trial is None:
        home = at.stores.settings.home
        found = _asked(at, order, how, settings, folder_of(home, journal.name(task)))
        trial = journal.add(task, {}, found.after, msgspec.to_builtins(found))
        clear(home)
    return _told(msgspec.convert(trial.result, Found))


def _asked(at: _Site, order: Order, how: _Asking, settings: Settings, folder: Path) -> Found:
    site = replace(at.stores, settings=settings)
    how.progress("fold the past", 0.0)
    space = Workspace.build(site, at.shelf, at.past.batch, at.past.cut, folder)
    how.progress("fold the past", 1.0)
    space = learnt(space, how.learn, how.progress)
    cases = drawn(at.past.cut, ASKED_ALL, order.seed)
    funnel = how.funnel_of(space.stores)
    return tuned(proposals(space, funnel, cases, order.seed, partial(how.progress, "ask")))


def _told(found: Found) -> Tuned:
    numbers = {"pool_recall_before": found.before, "pool_recall": found.after}
    numbers |= {f"{name}_recall": recall for name, recall in found.alone.items()}
    if not found.quotas:
        sentence = f"quotas: none; the pool finds {found.before:.1%} by worth alone, no less."
    else:
        sentence = f"quotas: the pool finds {found.after:.1%} instead of {found.before:.1%}."
    return Tuned({"retrieval": {"quotas": found.quotas}}, numbers, 0, (sentence,))


def _without_quotas(settings: Settings, so_far: Tuned) -> Settings:
    """The settings with what was found so far, and no quota."""
    covisit = settled(settings.covisit, so_far.settings.get("covisit", {}))
    nothing = msgspec.structs.replace(settings.retrieval, quotas={})
    return msgspec.structs.replace(settings, covisit=covisit, retrieval=nothing)


def _digest(tree: Mapping[str, Any]) -> str:
    return blake2b(repr(sorted(tree.items())).encode(), digest_size=6).hexdigest()
