"""What is true: who likes what, and how much. Nothing of it reaches a policy but what people do.

An item is a direction (what it is about) and an appeal (how good it is to everybody); a person is a
direction, too. Whether something is wanted is the logit `base + appeal + PULL · direction·wish`,
where a wish is a taste mixed with the mood of the moment.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Doubles, Floats, Rows

DIM = 16
PULL = 5.0
"""How much a perfect match adds to the logit."""
MOOD = 0.4
"""Share of the mood in a wish; the rest is the long-term taste."""
WANTED = 0.04
"""Share of all pairs of person and item in which it is wanted; `base` makes it so."""
APPEAL, GOOD = 0.8, 1.5
"""Spread of the appeal, and what good new items have more."""
OWN = "sim-item-"
"""How items that are made up are called."""
SHELVES = 20
SHORT = 8
"""Items of a shelf that are fewer than a page has places."""
"""Parts of the catalogue by lot (attribute `shelf`), so that a filter can ask for one."""
FEW = 200
"""People whose wishes tell what an item is worth on average."""


class Act(NamedTuple):
    """Something that a person did, in rows of the world."""

    user: int
    item: int
    kind: str
    value: float | None = None
    time: float | None = None
    """Seconds since the epoch; None is now."""
    page: str = ""
    """The recommendation that it followed from."""
    position: int = 0


@dataclass(frozen=True, slots=True)
class World:
    """Items and people, the new ones last.

    The last `arrivals` items are not there yet; the last people are unknown, and each is the twin
    of somebody known, of the same taste.
    """

    items: tuple[str, ...]
    vectors: Floats
    """(items, DIM): what each is about, of length 1."""
    appeal: Floats
    """(items,): logits."""
    categories: tuple[tuple[str, ...], ...]
    users: tuple[str, ...]
    tastes: Floats
    """(users, DIM): of length 1."""
    twins: Rows
    """(newcomers,): the known person of the same taste."""
    arrivals: int
    base: float

    @property
    def known(self) -> int:
        """People with a past: the first so many."""
        return len(self.users) - len(self.twins)

    @property
    def there(self) -> int:
        """Items that are there from the beginning: the first so many."""
        return len(self.items) - self.arrivals

    def logits(self, wish: Floats, rows: Rows) -> Floats:
        """(n,): how much items are wanted by a wish."""
        found: Floats = self.base + self.appeal[rows] + PULL * (self.vectors[rows] @ wish)
        return found

    def worth(self) -> Floats:
        """(items,): with what probability people want each, on average."""
        some = self.tastes[:: max(1, len(self.tastes) // FEW)]
        logits = self.base + self.appeal + PULL * (some @ self.vectors.T)
        found: Floats = _share(logits).mean(axis=0)
        return found

    def filters(self) -> tuple[str, ...]:
        """None, one that some hundred items pass, and one that makes a page short, as far as known.

        Of a fitted world only its categories are known, and what is rare there may be gone.
        """
        if self.items[0].startswith(OWN):
            return "", "shelf == 1", f"shelf == 1 and place < {SHORT}"
        return tuple(dict.fromkeys(("", self._narrow())))

    def _narrow(self) -> str:
        counts = Counter(name for names in self.categories[: self.there] for name in names)
        fit = {name: n for name, n in counts.items() if 30 <= n <= 200 and '"' not in name}  # noqa: PLR2004
        return f'"{min(fit, key=lambda name: abs(fit[name] - 100))}" in categories' if fit else ""

    def documents(self, rows: Sequence[int]) -> list[dict[str, Any]]:
        """Items as the API takes them: what can be known before anybody has tried them."""
        return [
            {
                "item_id": self.items[row],
                "title": f"{' '.join(self.categories[row])} {self.items[row]}",
                "categories": list(self.categories[row]),
                "attributes": {"shelf": row % SHELVES, "place": row // SHELVES},
            }
            for row in rows
        ]


class Size(NamedTuple):
    """How large a free world is."""

    items: int = 2_000
    users: int = 800
    topics: int = 24
    arrivals: int = 40
    newcomers: int = 160
    past: int = 36
    """Acts of a known person, on average."""


def free(seed: int, size: Size) -> World:
    """A world by chance: topics, items about one or two of them, people who like a few."""
    dice = np.random.Generator(np.random.PCG64([seed, 1]))
    centres = unit(dice.normal(size=(size.topics, DIM)))
    total = size.items + size.arrivals
    about = dice.integers(0, size.topics, (total, 2))
    share = dice.uniform(0.55, 1.0, (total, 1))
    mixed = share * centres[about[:, 0]] + (1 - share) * centres[about[:, 1]]
    vectors = unit(mixed + dice.normal(scale=0.12, size=(total, DIM)))
    liked = dice.dirichlet(np.full(size.topics, 0.12), size.users)
    tastes = unit(liked @ centres + dice.normal(scale=0.05, size=(size.users, DIM)))
    appeal = dice.normal(scale=APPEAL, size=total)
    appeal[size.items :: 2] += GOOD
    names = [tuple(dict.fromkeys((f"topic-{a}", f"topic-{b}"))) for a, b in about.tolist()]
    items = tuple(f"{OWN}{n}" for n in range(total))
    return settled(
        World(
            items,
            vectors,
            appeal.astype(np.float32),
            tuple(names),
            tuple(f"sim-user-{n}" for n in range(size.users)),
            tastes,
            np.empty(0, np.int32),
            size.arrivals,
            0.0,
        ),
        size.newcomers,
        dice,
    )


def settled(world: World, newcomers: int, dice: np.random.Generator) -> World:
    """The world with its newcomers, and with the base that makes `WANTED` true."""
    twins = dice.permutation(len(world.users))[:newcomers].astype(np.int32)
    users = (*world.users, *(f"sim-new-{n}" for n in range(len(twins))))
    some = world.tastes[:: max(1, len(world.tastes) // FEW)]
    logits = world.appeal + PULL * (some @ world.vectors.T)
    low, high = -30.0, 10.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if _share(logits + middle).mean() < WANTED else (low, middle)
    return World(
        world.items,
        world.vectors,
        world.appeal,
        world.categories,
        users,
        np.vstack([world.tastes, world.tastes[twins]]),
        twins,
        world.arrivals,
        low,
    )


def past(world: World, seed: int, now: float, mean: int, days: float = 60.0) -> Iterator[Act]:
    """What known people took in before anything was recommended to them, in order of time."""
    dice = np.random.Generator(np.random.PCG64([seed, 2]))
    acts: list[Act] = []
    rows = np.arange(world.there, dtype=np.int32)
    for user in range(world.known):
        taken = np.zeros(world.there, np.bool_)
        for _ in range(1 + int(dice.poisson(mean / 6.0))):
            mood = world.vectors[_drawn(world, world.tastes[user], rows, dice, 1)[0]]
            wish = wish_of(world.tastes[user], mood)
            logits = world.logits(wish, rows) + dice.gumbel(size=len(rows))
            logits[taken] = -np.inf
            began = now - dice.uniform(0.02, 1.0) * days * 86_400.0
            chosen = np.argsort(-logits)[: int(dice.integers(3, 9))]
            taken[chosen] = True
            for step, item in enumerate(chosen.tolist()):
                value = round(float(dice.beta(4.0, 2.0)), 2)
                acts.append(Act(user, item, "view", value, began + 120.0 * step))
    yield from sorted(acts, key=lambda act: act.time or 0.0)


def _drawn(
    world: World, wish: Floats, rows: Rows, dice: np.random.Generator, size: int
) -> NDArray[np.intp]:
    """Items by chance, the wanted ones more often."""
    logits = world.logits(wish, rows) + dice.gumbel(size=len(rows))
    return np.argsort(-logits)[:size]


def wish_of(taste: Floats, mood: Floats) -> Floats:
    """What somebody wants now."""
    return unit((1.0 - MOOD) * taste + MOOD * mood)


def unit(vectors: Floats | NDArray[np.float64]) -> Floats:
    """The same directions with length 1."""
    length = np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)
    return np.asarray(vectors / length, np.float32)


def _share(logits: Floats | Doubles) -> Floats:
    return np.asarray(1.0 / (1.0 + np.exp(-logits)), np.float32)
