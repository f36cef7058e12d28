"""What the living loop promises, judged on paired runs: the same people under every policy."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec
import numpy as np

from palate.evaluation.simulator.measures import Measures

Pair: TypeAlias = tuple[Measures, Measures]
STUDENT = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)
"""Student's t at 97.5 %, by degrees of freedom from 1."""
NORMAL, BEYOND = 1.960, 2.65
"""And for more of these: within .01 of it."""


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
    low: float | None
    high: float | None
    """Of the mean over seeds, at 95 % by Student's t, each seed being the mean of its user models
    (the world is the same for all of them); None for a single seed."""
    seeds: int
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
    pairs = {
        (model, seed): ratio((held["palate", model, seed], theirs))
        for (policy, model, seed), theirs in held.items()
        if policy == other and ("palate", model, seed) in held
    }
    pairs = {at: value for at, value in pairs.items() if np.isfinite(value)}
    if not pairs:
        return None
    every = np.array(list(pairs.values()))
    value, by_seed = float(every.mean()), _means(pairs, 1)
    low, high = _interval(list(by_seed.values()))
    return Goal(
        name=name,
        value=value,
        least=float(every.min()),
        most=float(every.max()),
        error=float(every.std(ddof=1) / np.sqrt(len(every))) if len(every) > 1 else 0.0,
        low=low,
        high=high,
        seeds=len(by_seed),
        target=f"{'≥' if bound > 0 else '≤'} {abs(bound):g}",
        ok=value >= bound if bound > 0 else value <= -bound,
        by_model=_means(pairs, 0),
    )


def _means(pairs: Mapping[tuple[str, int], float], part: int) -> dict[Any, float]:
    """Mean by one part of the key."""
    found: dict[Any, list[float]] = {}
    for at, value in pairs.items():
        found.setdefault(at[part], []).append(value)
    return {name: float(np.mean(several)) for name, several in found.items()}


def _interval(values: Sequence[float]) -> tuple[float, float] | tuple[None, None]:
    """Of their mean."""
    free = len(values) - 1
    if free < 1:
        return None, None
    wide = STUDENT[free - 1] if free <= len(STUDENT) else NORMAL + BEYOND / free
    half = wide * float(np.std(values, ddof=1)) / len(values) ** 0.5
    middle = float(np.mean(values))
    return middle - half, middle + half
