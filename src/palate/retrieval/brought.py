"""A model of your own as a generator: one function that learns, one that scores."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Floats, Rows
from palate.catalog.columns import ItemColumns
from palate.errors import BadInput, told_of
from palate.events.protocol import EventLog, read_log
from palate.funnel.types import Candidates, Query, Reason
from palate.stores import Stores
from palate.streaming.state import encode

GROWTH = 1.25
"""A model is learnt anew when the log has grown by a quarter."""


class Taken(NamedTuple):
    """Who took what in, in log order: what a model may learn from."""

    users: NDArray[np.int32]
    """(n,): dense numbers from 0."""
    items: Rows
    """(n,)."""
    size: int
    """Item rows are below it. Those of items that come later are not, and need no numbers."""


Score: TypeAlias = Callable[[Rows], Floats]
"""Rows of a visitor's history (newest first) -> (Taken.size,), a number for every item row that
there was when it was learnt, however many have come since: those wait until it is learnt anew."""
Learn: TypeAlias = Callable[[Taken], Score]


class Model(NamedTuple):
    """What was learnt, and from how many item rows: newer ones it is not told."""

    score: Score
    size: int

    def scores(self, history: Rows) -> Floats:
        """(size,). Raises ValueError where the model gives another number of them."""
        found = np.asarray(self.score(history), np.float32)
        if found.shape != (self.size,):
            told = f"learn was told of {self.size} item rows (Taken.size), and its score"
            raise ValueError(f"{told} gave numbers of shape {found.shape}, not ({self.size},)")
        return found


@dataclass(frozen=True, slots=True)
class Brought:
    """What a model that somebody brought along scores highest for a visitor's history."""

    model: Model | None
    """None where there is nothing to learn from yet."""
    columns: ItemColumns
    history: int = 50
    """How many of the visitor's last items the model is told."""

    @classmethod
    def default(cls, stores: Stores) -> Self:
        return cls(None, stores.columns)

    async def generate(self, query: Query, limit: int) -> Candidates:
        if self.model is None:
            return Candidates.none()
        history = query.about(self.history)
        history = history[history < self.model.size]
        if not len(history):
            return Candidates.none()
        size = self.columns.size
        scores = np.full(size, -np.inf, np.float32)
        found = self.model.scores(history)[:size]
        scores[: len(found)] = found
        scores[query.servable(self.columns)[:size] == 0] = -np.inf
        scores[query.excluded[query.excluded < size]] = -np.inf
        rows = np.argsort(-scores, kind="stable")[:limit].astype(np.int32)
        rows = rows[np.isfinite(scores[rows])]
        return Candidates(rows, scores[rows])

    def explain(self, query: Query, row: int) -> Reason:
        return Reason("taste", tuple(query.about(2).tolist()))


def brought(name: str, learn: Learn) -> type[Brought]:
    """Make a generator class called `name` of a function that learns.

    Wherever the generator is built, on a live site, in a replay or in an evaluation, the model
    knows the log as far as it is folded there and no further, so that nothing is foretold. It is
    learnt once for every quarter of growth, and held in memory. Where `learn` breaks, building the
    generator raises BadInput that says what broke and where; it is tried again a quarter later.
    """
    learnt = _Learnt(learn)

    def default(cls: type[Brought], stores: Stores) -> Brought:
        return cls(learnt.as_of(stores), stores.columns)

    members: dict[str, Any] = {"__slots__": (), "__doc__": learn.__doc__}
    return type(name, (Brought,), members | {"default": classmethod(default)})


@dataclass(slots=True)
class _Learnt:
    """Models of one log, by the position up to which they know it."""

    learn: Learn
    log: EventLog | None = None
    models: dict[int, Model] = field(default_factory=dict)
    broken: dict[int, str] = field(default_factory=dict)
    """What broke, by the same: a replay builds often, and the log is long."""

    def as_of(self, stores: Stores) -> Model | None:
        if stores.log is not self.log:
            self.log, self.models, self.broken = stores.log, {}, {}
        until = _step(stores.states.position)
        if until and until not in self.models and until not in self.broken:
            told = taken(stores, until)
            if not len(told.items):
                return None
            self._learn(told, until)
        if until in self.broken:
            raise BadInput(self.broken[until])
        return self.models.get(until)

    def _learn(self, told: Taken, until: int) -> None:
        try:
            model = Model(self.learn(told), told.size)
            model.scores(told.items[-1:])  # one that scores nobody is found here, and told of
            self.models[until] = model
        except Exception as error:  # noqa: BLE001  whatever it is: the site goes on without it
            self.broken[until] = told_of(error)


def taken(stores: Stores, until: int) -> Taken:
    """Read what people took in, up to a position of the log."""
    users, items = [np.empty(0, np.uint64)], [np.empty(0, np.int32)]
    for logged in read_log(stores.log, until=until):
        batch, _ = encode(logged, lambda ids: stores.items.rows(ids, create=False))
        users.append(batch.user[batch.engaged])
        items.append(batch.item[batch.engaged])
    numbers = np.unique(np.concatenate(users), return_inverse=True)[1]
    rows = np.concatenate(items)
    size = max(stores.columns.size, int(rows.max(initial=-1)) + 1)
    return Taken(numbers.astype(np.int32), rows, size)


def _step(position: int) -> int:
    """The largest step of growth that has been reached: 0, 1, 1.25, 1.56, …, rounded up."""
    if position < 1:
        return 0
    return int(np.ceil(GROWTH ** np.floor(np.log(position) / np.log(GROWTH) + 1e-9) - 1e-9))
