"""Fills the page one by one, by rank, within what operators ask of it as a whole."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np
from msgspec import structs

from palate.arrays import Mask
from palate.funnel.stages import name_of
from palate.funnel.trace import HELD_BACK, PUT_HERE
from palate.funnel.types import Query, Slate
from palate.reranking.editorial.constraint import Constraint, Watch
from palate.reranking.editorial.pin import Pin
from palate.stores import Stores


@dataclass(frozen=True, slots=True)
class Compose:
    """Every place goes to the best candidate that all constraints allow there.

    Where none is left, constraints give way from the weakest to the strongest until there is one;
    which of them, and how often, is on record. So a page is never shorter for its rules.
    """

    always: ClassVar[bool] = True
    """What operators ask of a page holds of last slates and of static lists too."""

    constraints: tuple[Constraint, ...]
    """The strongest first."""

    @property
    def reads(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for each in self.constraints for name in each.reads))

    @property
    def required(self) -> bool:
        return False

    @classmethod
    def default(cls, stores: Stores) -> Self:
        return cls((Pin.default(stores),))

    def apply(self, query: Query, slate: Slate) -> Slate:
        page = min(query.size, len(slate))
        watches = [each.watch(query, slate, page) for each in self.constraints]
        filling = _Filling(self.constraints, watches, np.ones(len(slate), np.bool_))
        for place in range(page):
            filling.fill(place, page)
        order = np.concatenate([filling.chosen, np.flatnonzero(filling.free)]).astype(np.intp)
        marks = dict(slate.marks)
        for each in reversed(self.constraints):
            if isinstance(each, Pin) and each.reason is not None:
                for row in slate.rows[filling.by.get(each.id, [])].tolist():
                    marks[row] = each.reason.over(marks.get(row))
        return structs.replace(
            slate.take(order),
            marks=marks,
            notes={int(slate.rows[at]): tuple(told) for at, told in filling.notes.items()},
            relaxed=filling.relaxed(),
        )


@dataclass(slots=True)
class _Filling:
    """One page under way."""

    constraints: Sequence[Constraint]
    watches: Sequence[Watch]
    free: Mask
    """(candidates,): not on the page yet."""
    chosen: list[int] = field(default_factory=list)
    by: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    """Candidates that a constraint placed, by its id."""
    notes: dict[int, list[str]] = field(default_factory=lambda: defaultdict(list))
    broken: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def fill(self, place: int, page: int) -> None:
        """Choose who stands at `place`."""
        last = sum(each.owes() for each in self.watches) >= page - place
        masks = [each.allows(place, last=last) for each in self.watches]
        at = self._best(masks)
        best = int(np.argmax(self.free))
        for constraint, watch, mask in zip(self.constraints, self.watches, masks, strict=True):
            if watch.takes(at):
                self.by[constraint.id].append(at)
                self.notes[at] += [f"{name_of(constraint)}{PUT_HERE}"] * (at != best)
            elif mask is not None and not constraint.demands:
                self._limited(name_of(constraint), mask, at, best)
        self.free[at] = False
        self.chosen.append(at)

    def relaxed(self) -> dict[str, int]:
        """What was not kept: places where a limit was passed, places that a demand did not get."""
        for constraint, watch in zip(self.constraints, self.watches, strict=True):
            self.broken[name_of(constraint)] += watch.lacks()
        order = [name_of(each) for each in reversed(self.constraints)]
        return {name: self.broken[name] for name in order if self.broken.get(name)}

    def _best(self, masks: Sequence[Mask | None]) -> int:
        """The best that the first of the constraints allow, as many of them as can be kept."""
        allowed = self.free
        for mask in masks:
            if mask is not None and (allowed & mask).any():
                allowed = allowed & mask
        return int(np.argmax(allowed))

    def _limited(self, name: str, mask: Mask, at: int, best: int) -> None:
        """Note whom a limit held back, or that it was passed."""
        if not mask[at]:
            self.broken[name] += 1
        elif not mask[best] and f"{name}{HELD_BACK}" not in self.notes[best]:
            self.notes[best].append(f"{name}{HELD_BACK}")
