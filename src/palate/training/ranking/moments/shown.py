"""Showings: what was really on a page, and what came of it.

Positive is what the visitor took within the attribution window; negative what stood above it, or
just below the last thing taken, and was left. What stood further down nobody may have seen, and a
page from which nothing was taken says nothing of what is better: neither is learnt from. But how
often things are taken at all is told by both kinds of pages together (`unanswered`).
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Keys, Rows
from palate.events.batch import EventBatch, people
from palate.events.kinds import Kind, Signal
from palate.training.ranking.lists import RankedList
from palate.training.ranking.moments.rows import Moment, outcome

STAYED = 1_800.0
"""Seconds."""
TELLING = Signal.CLICKED | Signal.ENGAGED | Signal.POSITIVE | Signal.NEGATIVE


class _Act(NamedTuple):
    """What a visitor did to an item after it was shown."""

    at: int
    time: float
    outcome: tuple[bool, ...]


def showings(events: EventBatch, since: int, count: int, window: float) -> list[Moment]:
    """At most `count` pages shown at log positions from `since` on, the newest, in log order.

    `window` is how many seconds after a showing an act on a shown item counts as its outcome.
    """
    users = people(events)
    acts = _acts(events, users, since)
    pages = (_page(events, users, page, acts, window) for page in _shown(events, since))
    return [page for page in pages if page is not None][-count:]


def unanswered(
    events: EventBatch, since: int, count: int, window: float, pages: Sequence[Moment]
) -> list[Moment]:
    """At most `count` pages from which nothing was taken, each with the weight of those left out.

    Only where the visitor was surely there: something else of theirs follows within half an hour.
    And only as far down as visitors look, by the pages from which something was taken (`pages`).
    """
    depth = int(np.median([page.places[-1] for page in pages if page.places is not None] or [0]))
    if not depth:
        return []
    users = people(events)
    stayed, acts = _stayed(events, users), _acts(events, users, since)
    found = [
        page
        for page in _shown(events, since)
        if stayed[page[-1]] and not _taken(events, users, page, acts, window)
    ]
    which = np.unique(np.linspace(0, len(found) - 1, min(count, len(found))).astype(int))
    return [_left(events, found[at], depth, len(found) / len(which)) for at in which.tolist()]


def _shown(events: EventBatch, since: int) -> list[NDArray[np.intp]]:
    """Rows of each page at log positions from `since` on."""
    shown = np.flatnonzero(
        (events.kind == Kind.IMPRESSION) & (events.item >= 0) & (events.position >= since)
    )
    starts = np.flatnonzero(np.diff(events.position[shown]) > 0) + 1
    return np.split(shown, starts) if len(shown) else []


def _stayed(events: EventBatch, users: Keys) -> NDArray[np.bool_]:
    """(events,): whether the visitor's next event in the log comes within half an hour."""
    order = np.argsort(users, kind="stable")
    same = users[order][1:] == users[order][:-1]
    later = np.diff(events.position[order]) > 0
    stayed = np.zeros(len(events), bool)
    stayed[order[:-1]] = same & later & (np.diff(events.time[order]) <= STAYED)
    return stayed


def _taken(
    events: EventBatch,
    users: Keys,
    page: NDArray[np.intp],
    acts: dict[tuple[int, int], list[_Act]],
    window: float,
) -> bool:
    """Whether anything was taken from a page."""
    now, user = float(events.time[page[0]]), int(users[page[0]])
    return any(
        act.outcome[0] and act.at > page[0] and now <= act.time <= now + window
        for row in events.item[page].tolist()
        for act in acts.get((user, row), ())
    )


def _left(events: EventBatch, page: NDArray[np.intp], depth: int, weight: float) -> Moment:
    at, seen = int(page[0]), page[events.place[page] <= depth]
    first = np.unique(events.item[seen], return_index=True)[1]
    first.sort()
    rows, places = events.item[seen][first], events.place[seen][first]
    return Moment(at, int(events.user[at]), float(events.time[at]), {}, rows, places, weight)


def parted(
    moments: Sequence[Moment], lists: Sequence[RankedList]
) -> tuple[list[RankedList], list[RankedList]]:
    """Reconstructed lists and those of pages really shown, each in log order.

    A reconstructed one is marked where what was taken first had been taken from a page.
    """
    pages = [moment for moment in moments if moment.shown is not None]
    taken = {(page.user, row) for page in pages for row, told in page.labels.items() if told[0]}
    made, logged = [], []
    for moment, each in zip(moments, lists, strict=True):
        if moment.shown is not None:
            logged.append(each)
            continue
        first = next(iter(moment.labels))
        made.append(replace(each, told=True) if (moment.user, first) in taken else each)
    return made, logged


def _acts(events: EventBatch, users: Keys, since: int) -> dict[tuple[int, int], list[_Act]]:
    which = ((events.signal & TELLING) > 0) & (events.item >= 0) & (events.position >= since)
    found: dict[tuple[int, int], list[_Act]] = {}
    for at in np.flatnonzero(which).tolist():
        told = outcome(int(events.kind[at]), int(events.signal[at]))
        key = (int(users[at]), int(events.item[at]))
        found.setdefault(key, []).append(_Act(at, float(events.time[at]), told))
    return found


def _page(
    events: EventBatch,
    users: Keys,
    page: NDArray[np.intp],
    acts: dict[tuple[int, int], list[_Act]],
    window: float,
) -> Moment | None:
    """One page with its outcomes; None where nothing was taken from it."""
    at, user = int(page[0]), int(users[page[0]])
    now = float(events.time[at])
    labels = {}
    for row in events.item[page].tolist():
        after = [
            act.outcome
            for act in acts.get((user, row), ())
            if act.at > at and now <= act.time <= now + window
        ]
        if after:
            labels[row] = tuple(map(any, zip(*after, strict=True)))
    places = events.place[page]
    taken = np.array([labels.get(row, (False,))[0] for row in events.item[page].tolist()])
    if not taken.any():
        return None
    seen = places <= places[taken].max() + 1
    rows: Rows = events.item[page][seen]
    first = np.unique(rows, return_index=True)[1]
    first.sort()
    return Moment(at, int(events.user[at]), now, labels, rows[first], places[seen][first])
