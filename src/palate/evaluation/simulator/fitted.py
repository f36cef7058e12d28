"""A world fitted to a site: what its people took in tells who likes what."""

from collections import defaultdict

import numpy as np

from palate.arrays import Floats
from palate.errors import BadInput
from palate.evaluation.simulator.world import (
    APPEAL,
    DIM,
    GOOD,
    OWN,
    Act,
    Size,
    World,
    settled,
    unit,
)
from palate.events.kinds import Event, Signal, signals_of
from palate.events.protocol import read_log
from palate.stores import Sources

LEAST = 40
"""Items and people below which nothing can be fitted."""
MOST = 6_000
"""Items at most: the square of them is decomposed."""


def fitted(sources: Sources, seed: int, size: Size) -> tuple[World, list[Act]]:
    """Directions by a truncated SVD of who took what in, appeal by how many did; and the past.

    New items are like old ones, of other appeal. Raises BadInput where the log says too little.
    """
    logged = (each.event for part in read_log(sources.log) for each in part)
    events = [event for event in logged if _takes(event)]
    taken: dict[str, set[str]] = defaultdict(set)
    for event in events:
        taken[event.user_id].add(event.item_id)
    named = _named(sources, sorted({event.item_id for event in events}))
    items = list(named)
    if len(items) < LEAST or len(taken) < LEAST:
        raise BadInput(f"the log knows {len(items)} items and {len(taken)} people: too few to fit")
    place, users = {item: row for row, item in enumerate(items)}, sorted(taken)
    table = np.zeros((len(users), len(items)), np.float32)
    for row, user in enumerate(users):
        table[row, [place[item] for item in taken[user] if item in place]] = 1.0
    world = _world(table, (tuple(users), named), seed, size)
    rows = {user: row for row, user in enumerate(users)}
    return world, [
        Act(rows[event.user_id], place[event.item_id], "view", time=event.time)
        for event in events
        if event.item_id in place
    ]


def _world(
    table: Floats, names: tuple[tuple[str, ...], dict[str, tuple[str, ...]]], seed: int, size: Size
) -> World:
    """From who (a row) took what (a column); `names` are the users, and categories by item."""
    users, named = names
    counts, items, categories = table.sum(axis=0), list(named), list(named.values())
    directions = _directions(table / np.sqrt(counts + 1.0))
    dice = np.random.Generator(np.random.PCG64([seed, 1]))
    like = dice.integers(0, len(items), size.arrivals)
    new = unit(directions[like] + dice.normal(scale=0.1, size=(size.arrivals, DIM)))
    appeal = np.log1p(counts)
    appeal = APPEAL * (appeal - appeal.mean()) / appeal.std()
    fresh = dice.normal(scale=APPEAL, size=size.arrivals)
    fresh[::2] += GOOD
    world = World(
        (*items, *(f"{OWN}{n}" for n in range(size.arrivals))),
        np.vstack([directions, new]),
        np.concatenate([appeal, fresh]).astype(np.float32),
        (*categories, *(categories[at] for at in like.tolist())),
        users,
        unit(table @ directions),
        np.empty(0, np.int32),
        size.arrivals,
        0.0,
    )
    return settled(world, size.newcomers, dice)


def _named(sources: Sources, items: list[str]) -> dict[str, tuple[str, ...]]:
    """Categories by id of the items that the catalogue knows."""
    found = zip(items, sources.items.find(items), strict=True)
    return dict([(name, item.categories) for name, item in found if item is not None][:MOST])


def _takes(event: Event) -> bool:
    signal = signals_of(event.kind, event.value)
    done = Signal.ENGAGED in signal and Signal.TOLD not in signal
    return bool(event.user_id and event.item_id and done)


def _directions(table: Floats) -> Floats:
    """(items, DIM): the leading right singular vectors, the first (popularity) left out."""
    values, vectors = np.linalg.eigh(table.T @ table)
    best = np.argsort(-values)[1 : DIM + 1]
    return unit(vectors[:, best] * np.sqrt(np.maximum(values[best], 0.0)))
