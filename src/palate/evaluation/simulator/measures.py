"""What a run says: clicks, welcome, discovery, and how wide and how even the pages were."""

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from palate.arrays import Floats
from palate.evaluation.simulator.run import Look, Plan, Run, there
from palate.evaluation.simulator.world import World

KNOWN_AFTER = 5
"""Clicks after which somebody new should be served like anybody else."""
FAIR = 20
"""Showings from which a click rate can be told: what every new item deserves."""
GOOD_SHARE = 0.8
"""A new item is good where it is worth more than this share of the old ones."""


class Measures(msgspec.Struct, frozen=True, kw_only=True):
    """One run in numbers."""

    policy: str
    model: str
    seed: int
    visits: int
    pages: int
    clicks: int
    clicks_per_visit: float
    click_rate: float
    """Clicks by places shown."""
    newcomers: float
    """Click rate of newcomers on pages after `KNOWN_AFTER` clicks."""
    twins: float
    """The same of the known people with the same tastes, on pages after as many clicks here."""
    first_page: float
    """Click rate of newcomers on their very first page."""
    fair_after: float
    """Showings of anything, from their arrival, until good new items had been shown `FAIR` times:
    the mean over them, those that never were counted with all showings there were."""
    fair_share: float
    """Of the good new items, how many got there."""
    good: int
    coverage: float
    """Items shown at all, as a share of those there were."""
    gini: float
    diversity: float
    """1 - mean cosine of the true directions of two items of a page."""
    explored: float
    """Share of the places that explored."""
    whole: bool = True

    @property
    def welcome(self) -> float:
        """Newcomers' click rate by that of the known."""
        return self.newcomers / self.twins if self.twins else 0.0


def measures(run: Run, world: World, plan: Plan, names: tuple[str, str]) -> Measures:
    """Count a run; `names` are those of the policy and of the user model."""
    looks = run.looks
    late = [look for look in looks if look.acts >= KNOWN_AFTER]
    twins = set(world.twins.tolist())
    shown = np.concatenate([look.rows for look in looks]) if looks else np.empty(0, np.int32)
    counts = np.bincount(shown, minlength=there(world, plan.days - 1))
    good = good_arrivals(world)
    reached = [_reached(looks, row) for row in good]
    return Measures(
        policy=names[0],
        model=names[1],
        seed=plan.seed,
        visits=run.visits,
        pages=len(looks),
        clicks=sum(len(look.clicked) for look in looks),
        clicks_per_visit=sum(len(look.clicked) for look in looks) / max(run.visits, 1),
        click_rate=_rate(looks),
        newcomers=_rate([look for look in late if look.user >= world.known]),
        twins=_rate([look for look in late if look.user in twins]),
        first_page=_rate(_first(looks, world)),
        fair_after=float(np.mean([at for at, _ in reached])) if reached else 0.0,
        fair_share=float(np.mean([met for _, met in reached])) if reached else 0.0,
        good=len(good),
        coverage=float((counts > 0).mean()),
        gini=_gini(counts),
        diversity=float(np.mean([_unlike(world.vectors[look.rows]) for look in looks])),
        explored=sum(sum(look.explore) for look in looks) / max(len(shown), 1),
        whole=run.whole,
    )


def good_arrivals(world: World) -> list[int]:
    """New items that many want."""
    worth = world.worth()
    bar = float(np.quantile(worth[: world.there], GOOD_SHARE))
    return [row for row in range(world.there, len(world.items)) if worth[row] > bar]


def _reached(looks: Sequence[Look], row: int) -> tuple[int, bool]:
    """After how many showings since its arrival an item had its own, and whether it had."""
    passed = own = 0
    for look in looks:
        if look.day == 0:
            continue
        passed += len(look.rows)
        own += int((look.rows == row).sum())
        if own >= FAIR:
            return passed, True
    return passed, False


def _first(looks: Sequence[Look], world: World) -> list[Look]:
    met: set[int] = set()
    found = []
    for look in looks:
        if look.user >= world.known and look.user not in met:
            found.append(look)
        met.add(look.user)
    return found


def _rate(looks: Sequence[Look]) -> float:
    return sum(len(x.clicked) for x in looks) / max(sum(len(x.rows) for x in looks), 1)


def _unlike(vectors: Floats) -> float:
    n = len(vectors)
    cosines = vectors @ vectors.T
    return 1.0 - float((cosines.sum() - np.trace(cosines)) / max(n * (n - 1), 1))


def _gini(counts: NDArray[np.int64]) -> float:
    """0: every item as often; towards 1: a few take all places."""
    held, n = np.sort(counts), len(counts)
    place = np.arange(1, n + 1)
    return float(((2 * place - n - 1) * held).sum() / max(n * int(held.sum()), 1))
