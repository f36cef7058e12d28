"""Releases that are nothing but weights, as training fits them, for bench/why.py."""

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np

from palate.funnel.types import Query
from palate.funnel.worth import SENSIBLE
from palate.models.visits import VISITS
from palate.releases.manifest import Manifest
from palate.releases.release import Release

GRID = (0.0, 0.1, 0.25, 0.5, 1.0, 2.0)
MOVIELENS = {
    "two_tower": 1.2,
    "covisit": 1.0,
    "linear": 0.25,
    "ials": 0.25,
    "together": 0.25,
    "popular_in_segment": 1.0,
    "popular_in_region": 0.1,
    "popular": 0.0,
    "followed": 0.0,
    "content": 0.5,
    "popular_in_genre": 0.25,
    "trending": 0.3,
    "fresh": 0.5,
    "anything": 0.0,
}
"""As `palate train` fitted them on MovieLens-1M, 2026-12-01."""
LISTS = ("history", "times", "values", "kinds", "signals")


def manifest_of(file: Path) -> Manifest:
    """The manifest of a release, read from its file."""
    return msgspec.json.decode(file.read_bytes(), type=Manifest)


def released(dice: np.random.Generator, manifest: Manifest | None) -> Release:
    """A release with the weights of `manifest`; without one those of MovieLens, or random ones."""
    if manifest is None:
        fusion, admitted = dict(MOVIELENS), {}
        if dice.random() < 1 / 2:
            fusion = {name: float(dice.choice(GRID)) for name in SENSIBLE}
            visit, some = str(dice.choice(VISITS)), dice.permutation(list(SENSIBLE))[:4].tolist()
            fusion |= {f"{visit}/{name}": float(dice.choice(GRID)) for name in some}
            admitted = {str(name): float(dice.choice(GRID)) for name in some}
        manifest = Manifest(created=0.0, version="bench", fusion=fusion, admitted=admitted)
    return Release("fitted", manifest, fusion=manifest.fusion, admitted=manifest.admitted)


def visiting(dice: np.random.Generator, query: Query) -> Query:
    """The visitor after a few acts, or in the middle of a visit, or as they are."""
    user, fate = query.user, dice.random()
    if fate < 1 / 3:
        acts = slice(int(dice.integers(1, 10)))
        user = replace(user, **{name: getattr(user, name)[acts] for name in LISTS})
    elif fate < 2 / 3 and len(user.times):
        user = replace(user, times=user.times - user.times[-1] + query.now - 60.0)
    return replace(query, user=user)
