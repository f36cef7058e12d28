"""The gate: a learnt part ships only where it beats what serves without it."""

from typing import NamedTuple

import numpy as np

from palate.arrays import Doubles, Keys
from palate.releases.manifest import Verdict

FLOOR = 0.0
"""What the lower end of the 90 % interval has to exceed."""
LEVEL = 0.9
RESAMPLES = 2_000


class Gain(NamedTuple):
    """A difference in means over users, and its 90 % interval."""

    mean: float
    low: float
    high: float

    @property
    def sure(self) -> bool:
        """Whether it is above zero whichever users had been asked."""
        return self.low > FLOOR

    def __str__(self) -> str:
        return f"{self.mean:+.4f}, 90 % interval {self.low:+.4f} to {self.high:+.4f}"


def paired(challenger: Doubles, champion: Doubles, users: Keys, seed: int) -> Gain:
    """Compare list by list; every user counts once, and the users are resampled."""
    _, who = np.unique(users, return_inverse=True)
    counts = np.bincount(who)
    each = np.bincount(who, challenger - champion) / counts
    dice = np.random.Generator(np.random.PCG64(seed))
    means = each[dice.integers(0, len(each), (RESAMPLES, len(each)))].mean(axis=1)
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Gain(float(each.mean()), float(low), float(high))


def level(values: Doubles, users: Keys) -> float:
    """Mean over users of their lists' means."""
    _, who = np.unique(users, return_inverse=True)
    return float((np.bincount(who, values) / np.bincount(who)).mean())


def judge_ranker(ranker: Doubles, fusion: Doubles, users: Keys, seed: int) -> Verdict:
    """Compare NDCG@10 (what was taken counts 1) of the served order with that of weighted fusion.

    One value per list, on parts of the log that neither side has seen.
    """
    gain = paired(ranker, fusion, users, seed)
    ours, theirs = level(ranker, users), level(fusion, users)
    said = (
        f"The ranker reaches NDCG@10 {ours:.4f} against {theirs:.4f} of weighted fusion on"
        f" {len(users):,} held-out moments of {len(np.unique(users)):,} users: {gain}. "
    )
    verdict = (
        "It ships."
        if gain.sure
        else f"It stays behind (the interval must lie above {FLOOR:g}): the release ranks by"
        " weighted fusion."
    )
    numbers = {"ranker": ours, "fusion": theirs, **gain._asdict(), "users": len(np.unique(users))}
    return Verdict(part="ranker", shipped=gain.sure, sentence=said + verdict, numbers=numbers)


def judge_tower(tower: float, popularity: float, events: int) -> Verdict:
    """Compare how well the very next event is foreseen, on events after those learnt from."""
    shipped = events > 0 and tower > popularity
    said = (
        f"The two-tower foresees the next of {events:,} held-out events with NDCG@10 {tower:.4f}"
        f" against {popularity:.4f} of popularity. "
        if events
        else "There are no events to judge the two-tower by. "
    )
    verdict = "It ships." if shipped else "It stays behind: the release does without it."
    return Verdict(
        part="two_tower",
        shipped=shipped,
        sentence=said + verdict,
        numbers={"two_tower": tower, "popularity": popularity, "events": float(events)},
    )


def refused(part: str, why: str) -> Verdict:
    """A part that was not tried."""
    return Verdict(part=part, shipped=False, sentence=why)
