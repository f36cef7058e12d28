"""What the living loop promises, judged on paired runs: the same people under every policy."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import msgspec
import numpy as np

from palate.evaluation.simulator.measures import Measures

Pair: TypeAlias = tuple[Measures, Measures]


class Goal(msgspec.Struct, frozen=True, kw_only=True):
    """One promise and what was measured."""

    name: str
    value: float
    """Over all seeds and user models."""
    least: float
    most: float
    """Over single seeds and user models."""
    error: float
    """Standard error over them."""
    target: str
    ok: bool
    by_model: dict[str, float]


def goals(found: Sequence[Measures]) -> list[Goal]:
    """Judge those of which there is something to judge."""
    clicks: Callable[[Pair], float] = lambda p: p[0].clicks_per_visit / p[1].clicks_per_visit  # noqa: E731
    told = [
        _goal("clicks per visit / popularity", found, "popularity", clicks, 1.60),
        _goal("clicks per visit / nightly iALS", found, "ials", clicks, 1.15),
        _goal("click rate newcomers / known, after 5 clicks", found, "oracle", _welcome, 0.80),
        _goal("fair exposure of good new items / ε-greedy", found, "greedy", _fair, -0.50),
        _goal("coverage / nightly iALS", found, "ials", lambda p: p[0].coverage / p[1].coverage, 1),
        _goal("Gini / nightly iALS", found, "ials", lambda p: p[0].gini / p[1].gini, -1),
        _goal("diversity / nightly iALS", found, "ials", _diverse, 1),
    ]
    return [each for each in told if each is not None]


def _diverse(pair: Pair) -> float:
    return pair[0].diversity / pair[1].diversity


def _welcome(pair: Pair) -> float:
    """Newcomers by their known twins, each by what the oracle gets from the same people.

    The known have taken in the best of the catalogue before, so they click less whoever serves.
    """
    ours, oracle = pair
    if not ours.twins or not oracle.twins:
        return float("nan")
    return ours.welcome / oracle.welcome if oracle.welcome else ours.welcome


def _fair(pair: Pair) -> float:
    return pair[0].fair_after / pair[1].fair_after if pair[1].fair_after else 1.0


def _goal(
    name: str,
    found: Sequence[Measures],
    other: str,
    ratio: Callable[[Pair], float],
    bound: float,
) -> Goal | None:
    """Palate against `other`; a negative bound is an upper one."""
    # a NaN is a pair in which nobody came so far: it says nothing
    held = {(each.policy, each.model, each.seed): each for each in found if each.whole}
    values: dict[str, list[float]] = {}
    for (policy, model, seed), theirs in held.items():
        ours = held.get(("palate", model, seed))
        if policy == other and ours is not None:
            values.setdefault(model, []).append(ratio((ours, theirs)))
    values = {model: [v for v in several if v == v] for model, several in values.items()}  # noqa: PLR0124
    values = {model: several for model, several in values.items() if several}
    every = np.array([value for several in values.values() for value in several])
    if not len(every):
        return None
    value = float(every.mean())
    return Goal(
        name=name,
        value=value,
        least=float(every.min()),
        most=float(every.max()),
        error=float(every.std(ddof=1) / np.sqrt(len(every))) if len(every) > 1 else 0.0,
        target=f"{'≥' if bound > 0 else '≤'} {abs(bound):g}",
        ok=value >= bound if bound > 0 else value <= -bound,
        by_model={model: float(np.mean(several)) for model, several in values.items()},
    )
