"""The gate: a learnt part ships only where it beats what serves without it."""

from collections.abc import Mapping
from typing import NamedTuple, TypeVar

import numpy as np
from msgspec.structs import replace

from palate.arrays import Doubles, Keys
from palate.models.visits import VISITS, Visit
from palate.releases.manifest import Verdict

K = TypeVar("K", bound=str)

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

    @property
    def worse(self) -> bool:
        """Whether it is below zero whichever users had been asked."""
        return self.high < FLOOR

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


def judge_ranker(
    tried: Mapping[K, Doubles], against: Mapping[str, Doubles], users: Keys, seed: int
) -> tuple[K, Verdict]:
    """Choose the best kind of ranker, and say whether it may ship.

    All are NDCG@10 by list (what was taken counts 1), of parts of the log that nobody has seen;
    `against` has at least `fusion`, and plain reciprocal ranks and each generator alone beside it.
    The best kind has to beat fusion, which would rank in its place, whichever users had been asked,
    and the best of the others must not beat it: of what cannot be told apart, what surely does
    better than what would replace it ships.
    """
    levels = {name: level(each, users) for name, each in against.items()}
    levels |= {str(kind): level(each, users) for kind, each in tried.items()}
    best = max(tried, key=lambda kind: levels[kind])
    gain = paired(tried[best], against["fusion"], users, seed)
    rival = max((name for name in against if name != "fusion"), key=levels.__getitem__, default="")
    over = paired(tried[best], against[rival], users, seed) if rival else gain
    beside = f" and {levels[rival]:.4f} of {_told(rival)} alone" if rival else ""
    shipped = gain.sure and not over.worse
    said = (
        f"The ranker ({best}) reaches NDCG@10 {levels[best]:.4f} against {levels['fusion']:.4f} of"
        f" weighted fusion{beside} on {len(users):,} held-out moments of"
        f" {len(np.unique(users)):,} users: {gain} over fusion"
        + (f"; {over} over {_told(rival)}. " if rival else ". ")
    )
    verdict = (
        "It ships."
        if shipped
        else f"It stays behind (all of the interval over fusion must lie above {FLOOR:g}, and not"
        " all of the other below): the release ranks by weighted fusion."
    )
    numbers = {str(name): round(each, 6) for name, each in levels.items()}
    numbers |= {"ranker": levels[best], **gain._asdict(), "users": float(len(np.unique(users)))}
    numbers |= {f"over_best/{name}": each for name, each in over._asdict().items()}
    return best, Verdict(part="ranker", shipped=shipped, sentence=said + verdict, numbers=numbers)


def _told(baseline: str) -> str:
    """A baseline by a name that people know."""
    return "plain reciprocal ranks" if baseline == "rrf" else baseline


def challenged(verdict: Verdict, best: str, levels: Mapping[str, float]) -> Verdict:
    """Say how the other kinds of ranker did on the last part."""
    rivals = {kind: each for kind, each in levels.items() if kind != best}
    if not rivals:
        return verdict
    told = ", ".join(f"{each:.4f} of {kind}" for kind, each in rivals.items())
    said = f"{verdict.sentence} On the last part alone: {levels[best]:.4f} against {told}."
    numbers = verdict.numbers | {f"last/{kind}": each for kind, each in levels.items()}
    return replace(verdict, sentence=said, numbers=numbers)


def by_visit(verdict: Verdict, numbers: Mapping[str, float]) -> Verdict:
    """Say in which kinds of visit fusion is heard beside the ranker, and what either reaches."""
    told = []
    for visit in VISITS:
        if share := numbers.get(f"{visit}/share", 0.0):
            own, fused = (numbers[f"{visit}/{name}"] for name in ("ranker", "fusion"))
            told.append(
                f"{_WHO[visit]} fusion has {share:.0%} of the say ({fused:.4f}, the ranker alone"
                f" {own:.4f}, both {numbers[f'{visit}/both']:.4f})"
            )
    said = f" With {'; '.join(told)}." if told else ""
    return replace(
        verdict,
        sentence=verdict.sentence + said,
        numbers=dict(verdict.numbers) | {name: round(each, 6) for name, each in numbers.items()},
    )


_WHO: Mapping[Visit, str] = {
    "newcomer": "newcomers",
    "returning": "those who come back",
    "within": "those who are in the middle of a visit",
}

FEWEST_ASKED = 20
"""People below whom a tower that is ahead has to be surely ahead."""
LESS = 0.25
"""What a tower proposes that does not beat what only counts, as a share of what is asked of it."""


def judge_tower(
    tower: Doubles, counted: Mapping[str, Doubles], users: Keys, seed: int
) -> tuple[Verdict, float]:
    """Compare NDCG@10 of questions after the events learnt from; also how much it may propose.

    All are by question, (n,), of `users` who chose nothing. Below popularity the tower does not
    ship. Where another baseline is above it, it ships with a smaller quota; so it does where fewer
    than `FEWEST_ASKED` people were asked and it is not surely ahead.
    """
    if not len(users):
        said = "There are no events to judge the two-tower by. It stays behind."
        return Verdict(part="two_tower", shipped=False, sentence=said), LESS
    levels = {name: level(each, users) for name, each in counted.items()}
    own, best = level(tower, users), max(levels, key=levels.__getitem__)
    gain = paired(tower, counted[best], users, seed)
    shipped = own > levels["popularity"]
    people = len(np.unique(users))
    ahead = own > levels[best]
    told_apart = people >= FEWEST_ASKED or gain.low > 0.0
    share = 1.0 if ahead and told_apart else LESS
    told = " and ".join(f"{each:.4f} of {name}" for name, each in levels.items())
    said = (
        f"The two-tower foresees {len(users):,} held-out events of {people:,} people"
        f" with NDCG@10 {own:.4f} against {told}: {gain} over {best}. "
    )
    verdict = "It ships." if shipped else "It stays behind."
    if shipped and share < 1.0:
        why = f"{people:,} people cannot tell" if ahead else f"counting alone ({best}) is better"
        verdict = f"It ships, but {why}, so it proposes {share:.0%}."
    numbers = {"two_tower": own, **levels, **gain._asdict(), "events": float(len(users))}
    numbers["share"] = share
    return Verdict(
        part="two_tower", shipped=shipped, sentence=said + verdict, numbers=numbers
    ), share


def refused(part: str, lacking: str, so: str = "") -> Verdict:
    """A part that was not tried: what there is too little of, and what follows from that."""
    return Verdict(part=part, shipped=False, sentence=f"{lacking[:1].upper()}{lacking[1:]}{so}.")
