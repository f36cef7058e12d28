"""What a matrix is read from: the arrays of a site, as the kernel takes them."""

from dataclasses import dataclass, field
from operator import is_
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Doubles, Floats, Mask, Rows, Times
from palate.catalog.columns import ItemColumns
from palate.features.items import ItemStates
from palate.features.reading.shapes import Person, When, World
from palate.features.record import UserState


class PairTable(Protocol):
    """Co-visitation's arrays; see `models.covisit.Table`."""

    @property
    def slots(self) -> Rows: ...
    @property
    def rows(self) -> NDArray[np.int32]: ...
    @property
    def weights(self) -> Floats: ...
    @property
    def counts(self) -> Doubles: ...
    @property
    def last(self) -> Times: ...
    @property
    def sizes(self) -> NDArray[np.int32]: ...


class Damping(Protocol):
    """Co-visitation's constants."""

    @property
    def alpha(self) -> float: ...
    @property
    def beta(self) -> float: ...


class Pairs(Protocol):
    """Co-visitation, as far as features read it."""

    @property
    def table(self) -> PairTable: ...
    @property
    def settings(self) -> Damping: ...
    @property
    def fading(self) -> tuple[float, float]: ...


class Vectors(Protocol):
    """Item vectors of a release; see `models.two_tower.ItemTable`."""

    @property
    def vectors(self) -> Floats | NDArray[np.int8]: ...
    @property
    def known(self) -> Mask: ...
    @property
    def places(self) -> NDArray[np.int32]: ...


NO_VECTORS = (np.empty((0, 1), np.float32), np.empty(0, np.bool_), np.empty(0, np.int32))


class Sight:
    """The arrays of a site as the kernel takes them: made anew when one of them is another."""

    __slots__ = ("_told",)

    def __init__(self) -> None:
        self._told: tuple[tuple[NDArray[Any], ...], World] | None = None

    def of(self, arrays: tuple[NDArray[Any], ...]) -> World:
        """A `World` of these; those that it was made of last are held, so none is mistaken."""
        told = self._told
        if told is None or not all(map(is_, told[0], arrays)):
            told = arrays, World(*map(frozen, arrays))
            # what had to be copied shows its moment alone
            self._told = told if all(each.flags.c_contiguous for each in arrays) else None
        return told[1]


@dataclass(frozen=True, slots=True)
class Known:
    """The site as of now, or as of a replayed moment; the arrays are never changed here."""

    columns: ItemColumns
    states: ItemStates
    pairs: Pairs
    vectors: Vectors | None = None
    sight: Sight = field(default_factory=Sight)

    def when(self, now: float) -> When:
        """`now`, and the site's time: the newest event's, or `now` where that is earlier."""
        newest, damping = self.states.newest, self.pairs.settings
        at = min(now, newest) if newest else now
        alpha, beta = float(damping.alpha), float(damping.beta)
        return When(now, at, alpha, beta, *self.pairs.fading, self.states.first_region)

    def world(self) -> World:
        """The arrays as they are now."""
        columns, states, pairs = self.columns, self.states, self.pairs.table
        tower = self.vectors
        arrays: tuple[NDArray[Any], ...] = (
            columns.published,
            columns.expires,
            columns.min_age,
            columns.regions,
            columns.categories,
            columns.creator,
            columns.tags,
            columns.content,
            columns.codes,
            states.slots,
            states.counts,
            states.times,
            *states.engaged,
            pairs.slots,
            pairs.rows,
            pairs.weights,
            pairs.counts,
            pairs.last,
            pairs.sizes,
            *(NO_VECTORS if tower is None else (tower.vectors, tower.known, tower.places)),
        )
        return self.sight.of(arrays)


def frozen(array: NDArray[Any]) -> NDArray[Any]:
    """A read-only, aligned, contiguous view: one form of each array, so one compiled kernel."""
    flags = array.flags
    if type(array) is not np.ndarray or not (flags.c_contiguous and flags.aligned):
        array = np.array(array, order="C") if not flags.c_contiguous else np.asarray(array)
        flags = array.flags
    if flags.writeable:
        array = array.view()
        array.flags.writeable = False
    return array


def person_of(user: UserState) -> Person:
    """A record as the kernel takes it."""
    numbers = np.array(
        (
            user.segment,
            user.total,
            user.sessions,
            user.session_events,
            user.first_time,
            user.last_time,
            user.session_start,
        ),
        np.float64,
    )
    lists: tuple[NDArray[Any], ...] = (
        user.counters,
        user.history,
        user.times,
        user.values,
        user.kinds,
        user.signals,
        user.shown,
        user.shown_times,
        user.seen,
        user.seen_signals,
    )
    return Person(frozen(numbers), *map(frozen, lists))
