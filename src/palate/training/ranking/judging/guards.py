"""What a ranker has to keep besides its hits: breadth, variety, news, and honest probabilities."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from msgspec.structs import replace

from palate.arrays import Doubles, Floats, Rows, Times
from palate.releases.manifest import Verdict
from palate.settings import GateSettings
from palate.training.dataset import Dataset
from palate.training.ranking.lists import RankedList, firsts

NEW = 30 * 86_400.0
"""Seconds since its first act in which an item counts as new; what nobody took yet does, too."""


SEEN = 0.002
"""Share of new items on fusion's pages, one in fifty pages of ten, below which there is nothing to
give up: three new items of seven thousand are luck."""


class Items(NamedTuple):
    """What is known of the items."""

    content: Floats
    """(rows, dim) of unit length."""
    born: Times
    """(rows,): time of the first act; infinite where there was none."""


def items_of(data: Dataset, content: Floats) -> Items:
    """When each item was first taken in."""
    born: Times = np.full(max(data.rows, len(content)), np.inf)
    events = data.events.take(data.engaged)
    np.minimum.at(born, events.item, events.time)
    return Items(content, born)


class Breadth(NamedTuple):
    """The first pages of one order."""

    coverage: float
    """Different items on them."""
    diversity: float
    """1 - mean cosine of the content of a page's items."""
    fresh: float
    """Share of items new within 30 days."""


def breadth(lists: Sequence[RankedList], scores: Floats, items: Items) -> Breadth:
    """Look at the ten that each list would show first."""
    pages = firsts(lists, scores)
    fresh = [
        (each.now - items.born[page] < NEW).mean()
        for each, page in zip(lists, pages, strict=True)
        if len(page)
    ]
    apart = [_apart(items.content, page) for page in pages]
    return Breadth(
        float(len(np.unique(np.concatenate(pages)))),
        float(np.mean(apart)),
        float(np.mean(fresh)) if fresh else 0.0,
    )


def _apart(content: Floats, page: Rows) -> float:
    known = page[page < len(content)]
    vectors = content[known]
    alike: Doubles = (vectors @ vectors.T).astype(np.float64)
    pairs = len(known) * (len(known) - 1)
    return 1.0 - float((alike.sum() - np.trace(alike)) / pairs) if pairs else 0.0


def given_up(both: tuple[Breadth, Breadth], limits: GateSettings, seen: float = SEEN) -> list[str]:
    """What the first pages have less of than `limits` let them, beside those that come second.

    Where these have a smaller share of new items than `seen`, there are none to give up.
    """
    found = []
    for name, own, other in zip(Breadth._fields, *both, strict=True):
        least = getattr(limits, name) * other
        if own < least and (name != "fresh" or other >= seen):
            found.append(f"{name} {own:.3g} of at least {least:.3g} ([gate] {name})")
    return found


def guarded(
    verdict: Verdict,
    both: tuple[Breadth, Breadth],
    metrics: Mapping[str, float],
    limits: GateSettings,
) -> Verdict:
    """Hold back a ranker that gives up more than `limits` allow; say what, and how much.

    `both` are its first pages and fusion's; errors of calibration are the metrics named ``ece``.
    """
    numbers = dict(verdict.numbers)
    for name, own, fusion in zip(Breadth._fields, *both, strict=True):
        numbers |= {name: round(own, 4), f"fusion/{name}": round(fusion, 4)}
    broken = given_up(both, limits)
    errors = {name: each for name, each in metrics.items() if name.endswith("/ece")}
    for name, error in errors.items():
        if error > limits.calibration:
            broken.append(f"{name} {error:.3f} of at most {limits.calibration:.3f}")
    if not broken or not verdict.shipped:
        return replace(verdict, numbers=numbers)
    said = verdict.sentence.replace("It ships.", f"But it gives up too much: {'; '.join(broken)}.")
    said += " It stays behind: the release ranks by weighted fusion."
    return replace(verdict, shipped=False, sentence=said, numbers=numbers)
