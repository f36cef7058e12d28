"""What Palate is held against: popularity, and a top-N by implicit ALS made anew every night."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, TypeAlias

import numpy as np

from palate.arrays import Floats, Rows
from palate.evaluation.simulator.world import Act, World

TAKING = frozenset({"click", "view", "like", "purchase"})
Fit: TypeAlias = Callable[[Sequence[Rows], int], Callable[[Rows], Floats]]
"""From everybody's items and the number of items to a scorer: a history in, (items,) out."""


class Page(NamedTuple):
    """What a policy shows."""

    rows: Rows
    explore: Sequence[bool]
    name: str = ""
    """The recommendation's id, for the acts that follow."""


@dataclass(slots=True)
class Visit:
    """One visit to the site, from page to page."""

    user: int
    shown: set[int] = field(default_factory=set)
    done: frozenset[int] = frozenset()
    """What the visitor has taken in before."""
    cursor: str = ""


class Policy(Protocol):
    """Decides what is shown; learns from what is done."""

    name: str

    def open_day(self, there: int) -> None:
        """A new day begins; items up to row `there` exist."""
        ...

    def page(self, visit: Visit, size: int) -> Page:
        """The next page of a visit."""
        ...

    def tell(self, acts: Sequence[Act]) -> None:
        """What people did meanwhile."""
        ...


class Popular:
    """What most people took in of late, as of now: nobody sees twice what they have taken in."""

    name = "popularity"

    def __init__(self, world: World, past: Sequence[Act], fades: float = 0.7) -> None:
        self._counts = np.zeros(len(world.items), np.float32)
        self._there, self._fades = world.there, fades
        self.tell(past)

    def open_day(self, there: int) -> None:
        self._there = there
        self._counts *= self._fades

    def page(self, visit: Visit, size: int) -> Page:
        return best(self._counts[: self._there], visit, size)

    def tell(self, acts: Sequence[Act]) -> None:
        for act in acts:
            self._counts[act.item] += act.kind in TAKING


class NightlyIals:
    """Implicit ALS, learnt every night from all there is; by day everybody's list is fixed.

    Whoever came after the night is shown what was popular then.
    """

    name = "ials"

    def __init__(self, world: World, past: Sequence[Act], fit: Fit) -> None:
        self._fit, self._world = fit, world
        self._taken: dict[int, list[int]] = {}
        self._lists: dict[int, Floats] = {}
        self._popular = np.zeros(len(world.items), np.float32)
        self.tell(past)

    def open_day(self, there: int) -> None:
        histories = {user: _rows(taken) for user, taken in self._taken.items()}
        score = self._fit(list(histories.values()), there)
        counts = np.bincount(np.concatenate(list(histories.values())), minlength=there)
        self._popular = counts.astype(np.float32)
        self._lists = {user: score(taken[::-1]) for user, taken in histories.items()}

    def page(self, visit: Visit, size: int) -> Page:
        return best(self._lists.get(visit.user, self._popular), visit, size)

    def tell(self, acts: Sequence[Act]) -> None:
        for act in acts:
            if act.kind in TAKING:
                self._taken.setdefault(act.user, []).append(act.item)


class Oracle:
    """Knows everybody's long-term taste (not the mood of the moment): what could be had."""

    name = "oracle"

    def __init__(self, world: World) -> None:
        self._world, self._rows = world, np.arange(world.there, dtype=np.int32)

    def open_day(self, there: int) -> None:
        self._rows = np.arange(there, dtype=np.int32)

    def page(self, visit: Visit, size: int) -> Page:
        return best(self._world.logits(self._world.tastes[visit.user], self._rows), visit, size)

    def tell(self, acts: Sequence[Act]) -> None:
        """It knows."""


def best(scores: Floats, visit: Visit, size: int) -> Page:
    """The best that the visitor has neither taken in nor been shown on this visit."""
    held = scores.copy()
    held[[row for row in visit.shown | visit.done if row < len(held)]] = -np.inf
    rows = np.argsort(-held, kind="stable")[:size].astype(np.int32)
    visit.shown.update(rows.tolist())
    return Page(rows, [False] * len(rows))


def _rows(taken: Sequence[int]) -> Rows:
    """Distinct items, oldest first."""
    return np.array(list(dict.fromkeys(taken)), np.int32)
