"""A site of its own for an evaluation: everything as of the end of the training events."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import msgspec
import numpy as np

from palate.arrays import Doubles
from palate.catalog.columns import ItemColumns
from palate.catalog.protocol import read_catalog
from palate.evaluation.as_of import ItemsAsOf, PastLog, Retold, Shelf, retold
from palate.evaluation.slates import World
from palate.evaluation.split import Case, Split
from palate.events.batch import EventBatch, people
from palate.features.follows import followed
from palate.features.online.memory import MemoryOnline
from palate.features.record import UserState
from palate.funnel.types import Query
from palate.settings import Settings, StoreSettings
from palate.stores import Stores
from palate.streaming.replay import Replay

SURFACE, SIZE = "home", 20
"""What is judged: the first page of Home."""
DRAWS = 1 << 63


@dataclass(frozen=True, slots=True)
class Workspace:
    """The site as it was, and what each user who is asked knew themselves."""

    stores: Stores
    """In memory, folded from the training events and nothing else."""
    moment: float
    crowd: Replay
    """Folded from the training events."""
    visitors: Replay
    """Of those whose history holds events that train nobody, or who ask at another time: folded
    from all of it. Only the state of the user in question is ever read."""
    apart: frozenset[int]
    """Whose state that is."""

    @classmethod
    def build(cls, site: Stores, shelf: Shelf, batch: EventBatch, cut: Split, folder: Path) -> Self:
        """Fold the site's past in memory; whatever is written (a release) goes below `folder`.

        A user who is asked at another time than the rest (`Case.now`) has their own history moved
        so that they ask now: gaps stay, and no count is ever read as of its own past.
        """
        settings = _settled(site.settings, folder)
        items = ItemsAsOf(shelf, cut.moment)
        columns = _columns(items)
        past = retold(batch, cut.train)
        replay, visitors = Replay(settings, columns), Replay(settings, columns)
        _fold(replay, past)
        apart = [case for case in cut.cases if len(case.extra) or case.now != cut.moment]
        _fold(visitors, _own(batch, cut, apart))
        stores = Stores(
            settings=settings,
            items=items,
            users=site.users,
            log=PastLog(site.log, past),
            online=MemoryOnline(),
            columns=columns,
            states=replay.states,
            boards=replay.boards(cut.moment),
            covisit=replay.covisit,
            release=None,
        )
        return cls(stores, cut.moment, replay, visitors, frozenset(case.user for case in apart))

    def learnt(self, stores: Stores) -> "Workspace":
        """The same past with a release."""
        return replace(self, stores=stores)

    def user(self, case: Case) -> UserState:
        """What the funnel may know of the user who asks."""
        return (self.visitors if case.user in self.apart else self.crowd).user(case.user)

    def query(self, case: Case, seed: int) -> Query:
        """The question of one user; the history is excluded whatever the surface would hide."""
        user = self.user(case)
        return Query(
            SURFACE,
            user,
            SIZE,
            self.moment,
            draw=(case.user ^ seed) % DRAWS,
            excluded=case.taken,
            follows=followed(user, self.stores.columns),
        )

    def world(self, batch: EventBatch, cut: Split) -> World:
        """What the metrics may know of the items."""
        columns, size = self.stores.columns, self.stores.columns.size
        item, who = batch.item[cut.counted], people(batch)[cut.counted]
        first: Doubles = np.full(size, np.inf)
        np.minimum.at(first, item, batch.time[cut.counted])
        published = columns.published[:size]
        return World(
            candidates=int(columns.servable[:size].sum()),
            users=len(np.unique(who)),
            takers=np.bincount(item, minlength=size).astype(np.float64),
            content=columns.plain.content_vectors,
            born=np.where(np.isnan(published), np.where(np.isinf(first), np.nan, first), published),
            now=self.moment,
        )


def _settled(settings: Settings, folder: Path) -> Settings:
    return msgspec.structs.replace(settings, home=folder, stores=StoreSettings())


def _columns(items: ItemsAsOf) -> ItemColumns:
    columns = ItemColumns.in_memory(items.counts()[1] + 2)
    columns.undated_is_new = False
    for changes in read_catalog(items):
        columns.write(changes)
    return columns


def _fold(replay: Replay, told: Retold) -> None:
    for part in told.chunks():
        replay.apply(part)


def _own(batch: EventBatch, cut: Split, cases: Sequence[Case]) -> Retold:
    """All that these users did before they are asked, moved to where they ask; nobody else's."""
    who, known = people(batch), cut.train.copy()
    for case in cases:
        known[case.extra] = True
    users = np.array(sorted(case.user for case in cases), np.uint64)
    moved = {case.user: cut.moment - case.now for case in cases}
    seconds = np.array([moved[user] for user in users.tolist()])
    at = np.minimum(np.searchsorted(users, who), max(len(users) - 1, 0))
    own = users[at] == who if len(users) else np.zeros(len(who), np.bool_)
    return retold(batch, known & own, seconds[at] if len(users) else None)
