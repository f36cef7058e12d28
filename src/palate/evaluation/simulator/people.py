"""People at a page: three models of how somebody reads a list, and what stays of it with them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np

from palate.arrays import Doubles, Floats, Mask, Rows
from palate.evaluation.simulator.world import Act, World, unit, wish_of

TIRED = 0.6
"""What a wish for an item is worth after each time it was seen and left alone."""
LEAVES, BORED = 0.2, 0.4
"""Chance to leave after a page on which something was taken, and after one without."""
PATIENCE = 8
"""Pages of a visit, at most."""


@dataclass(slots=True)
class Person:
    """Somebody, from visit to visit."""

    user: int
    taste: Floats
    mood: Floats
    left: Counter[int] = field(default_factory=Counter)
    """How often an item was looked at and left alone."""
    done: set[int] = field(default_factory=set)
    """Items that were taken in: nobody wants them again."""
    clicked: list[int] = field(default_factory=list)
    """Of this visit."""
    acts: int = 0
    """Clicks so far."""

    def arrive(self, mood: Floats) -> None:
        """Begin a visit."""
        self.mood = mood
        self.clicked = []


class Chances(NamedTuple):
    """The luck of one page: the same for every policy, so that comparisons are paired."""

    look: Doubles
    """(places,): uniform."""
    click: Doubles
    """(places,): uniform; by item, whatever place it has."""
    rest: np.random.Generator
    """For all that follows."""


class UserModel(Protocol):
    """How a list is read."""

    def clicks(self, wanted: Floats, chances: Chances) -> tuple[Mask, Mask]:
        """Places that were looked at, and of these the ones clicked (both masks)."""
        ...

    def wish(self, person: Person, world: World, rows: Rows) -> Floats:
        """With what probability each item is wanted now."""
        ...


def wanted(person: Person, world: World, rows: Rows) -> Floats:
    """By taste, mood, weariness and what is done with."""
    logits = world.logits(wish_of(person.taste, person.mood), rows)
    found = 1.0 / (1.0 + np.exp(-logits))
    tired = [TIRED ** person.left[row] for row in rows.tolist()]
    open_ = [row not in person.done for row in rows.tolist()]
    return np.asarray(found * tired * open_, np.float32)


@dataclass(frozen=True, slots=True)
class ByPosition:
    """Looks at places with falling probability, and judges each by itself (position-based)."""

    falls: float = 0.5

    def wish(self, person: Person, world: World, rows: Rows) -> Floats:
        return wanted(person, world, rows)

    def clicks(self, wanted: Floats, chances: Chances) -> tuple[Mask, Mask]:
        places = np.arange(1, len(wanted) + 1)
        looked = chances.look < places**-self.falls
        return looked, looked & (chances.click < wanted)


@dataclass(frozen=True, slots=True)
class Cascade:
    """Reads from the top; may stop after each item, and more likely after one that was good."""

    on: float = 0.93
    on_after_click: float = 0.6

    def wish(self, person: Person, world: World, rows: Rows) -> Floats:
        return wanted(person, world, rows)

    def clicks(self, wanted: Floats, chances: Chances) -> tuple[Mask, Mask]:
        clicked = chances.click < wanted
        goes_on = chances.look < np.where(clicked, self.on_after_click, self.on)
        looked = np.concatenate([[True], np.cumprod(goes_on)[:-1].astype(np.bool_)])[: len(wanted)]
        return looked, looked & clicked


@dataclass(frozen=True, slots=True)
class Varied:
    """Wants something else after two of a kind, and looks further down."""

    falls: float = 0.3
    near: float = 0.7
    """Cosine from which two items are of a kind."""
    fades: float = 0.6

    def wish(self, person: Person, world: World, rows: Rows) -> Floats:
        found = wanted(person, world, rows)
        if person.clicked:
            alike = world.vectors[rows] @ world.vectors[person.clicked].T > self.near
            found = found * self.fades ** np.maximum(alike.sum(axis=1) - 1, 0)
        return np.asarray(found, np.float32)

    def clicks(self, wanted: Floats, chances: Chances) -> tuple[Mask, Mask]:
        return ByPosition(self.falls).clicks(wanted, chances)


MODELS: dict[str, UserModel] = {"position": ByPosition(), "cascade": Cascade(), "varied": Varied()}


def read(
    person: Person, model: UserModel, world: World, rows: Rows, chances: Chances
) -> list[tuple[int, Act]]:
    """Look at a page: (place, act) of whatever is done; the person is changed by it."""
    wish = model.wish(person, world, rows)
    looked, clicked = model.clicks(wish, chances)
    done: list[tuple[int, Act]] = []
    for at, row in enumerate(rows.tolist()):
        if clicked[at]:
            done += [(at, act) for act in _taken(person, row, float(wish[at]), chances.rest)]
        elif looked[at]:
            person.left[row] += 1
    if person.clicked:
        last = world.vectors[person.clicked[-1]]
        person.mood = unit(0.6 * person.mood + 0.4 * last)
    return done


def _taken(person: Person, row: int, wish: float, dice: np.random.Generator) -> Sequence[Act]:
    """A click, and what comes of it."""
    person.clicked.append(row)
    person.acts += 1
    acts = [Act(person.user, row, "click")]
    share, more = float(np.clip(dice.normal(0.35 + 0.6 * wish, 0.25), 0.02, 1.0)), dice.random(2)
    if more[0] < 0.85:  # noqa: PLR2004  some open a thing and close it again
        person.done.add(row)
        kind = "skip" if share < 0.1 else "view"  # noqa: PLR2004  hardly begun
        acts.append(Act(person.user, row, kind, None if kind == "skip" else round(share, 2)))
        if more[1] < 0.2 * wish:
            acts.append(Act(person.user, row, "like"))
    return acts
