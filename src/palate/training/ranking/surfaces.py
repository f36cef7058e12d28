"""What the ranker's numbers mean on a surface: calibrated on pages that were really shown there."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain

import numpy as np

from palate.features.sources import generator_of
from palate.features.vector import BY_NAME
from palate.models.ranker import HEADS, Knots
from palate.training.ranking.folds import Fold, Kind, Layout, curves, raw_of
from palate.training.ranking.lists import RankedList
from palate.training.ranking.moments.rows import SURFACE

FEWEST = 100
"""Of what came true on a surface, before a head has a curve of its own there."""


HEARD: Mapping[str, frozenset[str]] = {SURFACE: frozenset(), "new_for_you": frozenset({"fresh"})}
"""The surfaces that the ranker ranks, and the generators that it hears there; where none is named,
all of Home's, by which the rows are made."""


def of_surfaces(
    kind: Kind, layout: Layout, folds: Sequence[Fold], knots: Mapping[str, Knots]
) -> dict[str, dict[str, Knots]]:
    """By surface and head; only where enough was taken from pages of the surface.

    Each page is answered for by a ranker that has learnt from earlier ones, and that is told of it
    what it is told on that surface. Where too little came true for a head, it keeps the curve of
    the reconstruction (`knots`), lowered as much as the clicks are: so the heads stay in proportion
    in the value formula.
    """
    found: dict[str, dict[str, Knots]] = {}
    for surface in HEARD:
        pages = [_pages(layout, fold, surface) for fold in folds]
        own = _of_pages(kind, folds, pages, knots)
        found |= {surface: own} if own else {}
    return found


def _of_pages(
    kind: Kind,
    folds: Sequence[Fold],
    pages: Sequence[Sequence[RankedList]],
    knots: Mapping[str, Knots],
) -> dict[str, Knots]:
    """By head; {} where too little was taken from these pages, which are told by fold."""
    whole = list(chain(*pages))
    came = sum((each.labels[each.kept].sum(axis=0) for each in whole), np.zeros(len(HEADS)))
    if came[0] < FEWEST:
        return {}
    told = zip(folds, pages, strict=True)
    raw = np.concatenate([raw_of(fold.answers[kind].learnt, page) for fold, page in told if page])
    own, clicks = curves(raw, whole), HEADS[0]
    lower = own[clicks].apply(raw[:, 0]).mean() / max(knots[clicks].apply(raw[:, 0]).mean(), 1e-9)
    enough = {head: bool(count >= FEWEST) for head, count in zip(HEADS, came, strict=True)}
    return {
        head: own[head] if enough[head] else _lowered(knots[head], min(float(lower), 1.0))
        for head in HEADS
    }


def _pages(layout: Layout, fold: Fold, surface: str) -> list[RankedList]:
    """The surface's pages of a fold's time, as the ranker is told of them there."""
    pages = layout.shown_during(fold.judge, surface)
    if not HEARD[surface]:
        return pages
    told = (_as_told(page, layout.features, HEARD[surface]) for page in pages)
    return [page for page in told if len(page.kept)]


def _as_told(page: RankedList, names: Sequence[str], heard: frozenset[str]) -> RankedList:
    """A page with the words of these generators alone, and what they found of it."""
    said = {at: word for at, name in enumerate(names) if (word := _word(name))}
    mine = [at for at, (by, word) in said.items() if by in heard and word == "rank"]
    others = [at for at, (by, _) in said.items() if by not in heard]
    features = page.features.copy()
    features[:, others] = 0.0
    ranks = features[:, mine]
    found = (ranks > 0).any(axis=1)
    agreed = {"found_by": (ranks > 0).sum(axis=1), "best_rank": ranks.max(axis=1, initial=0.0)}
    for at in (at for at, name in enumerate(names) if name in agreed):
        features[:, at] = agreed[names[at]]
    return replace(page, kept=page.kept[found], features=features[found])


def _word(name: str) -> tuple[str, str] | None:
    """Whose word a feature is, and which; None for what is no generator's."""
    return None if name in BY_NAME else generator_of(name)


def _lowered(knots: Knots, share: float) -> Knots:
    return Knots(knots.raw, tuple(each * share for each in knots.observed))
