"""How the candidates suit who asks; see `reading.candidates`."""

import numpy as np
from numpy.typing import NDArray

from palate.arrays import Bytes, Floats, Mask, Rows, Times
from palate.catalog.quantised import unit_vector
from palate.events.kinds import Signal
from palate.features.folds import DAY, ITEM_SLOT
from palate.features.reading.past import EVER_AT, LONG_AGO, SINCE_AT, place_of, slot_of, topic_key
from palate.features.reading.shapes import LATELY, SOON, Memory, Met, Proposed, World
from palate.features.sources import AT, CANDIDATE
from palate.jit import ahead, kernel, ln, swift

ENGAGED = int(Signal.ENGAGED)
ENGAGED_TOTAL = ITEM_SLOT["engaged_total"]
YEAR = 365.25 * DAY
FEW = 3
WIDTH = len(CANDIDATE)
"""A generator's score and 1 / rank stand behind: two slots for each that the plan hears."""
FOUND, BEST = AT["found"], AT["best"]
COVISIT, CONTENT, TOWER = AT["covisit_1"], AT["content_1"], AT["tower_1"]
"""Where the seven slots of `sources.CLOSENESS` begin."""
SAYS, LIKED, DISLIKED = AT["content_known"], AT["content_liked"], AT["content_disliked"]
CATEGORY, CREATOR = AT["category_recent"], AT["creator_recent"]
TOPIC = AT["topic_recent"]
SHOWN, TAKEN = AT["shown"], AT["taken"]
ERA, POPULARITY = AT["era_gap"], AT["popularity_gap"]


@kernel
def read_pairs(raw: Floats, rows: Rows, world: World, memory: Memory, met: Met) -> None:
    """Fill the slots that hang on both."""
    _content(raw, rows, world.content, memory.content, memory.weights)
    if len(world.vectors):
        items = world.vectors, world.known, world.places
        _tower(raw, rows, items, memory.tower, memory.weights)
    _digest(raw, COVISIT, met.together, memory.weights)
    _tastes(raw, rows, world.categories, memory.tastes)
    _creators(raw, rows, world.creator, memory.creator_keys, memory.creators)
    _topics(raw, rows, world.codes, memory.topic_keys, memory.topics)
    _exposure(raw, met.shown, met.since, met.signals)
    _gaps(raw, rows, world.published, memory.published, memory.popularity)


@swift
def _content(raw: Floats, rows: Rows, vectors: Bytes, mine: Floats, weights: Floats) -> None:
    """Cosines of content with the last items, and with what was liked and disliked."""
    last, dots = len(vectors) - 1, np.zeros((len(rows), LATELY + 2), np.float32)
    own = np.empty(vectors.shape[1], np.float32)
    for j in range(len(rows)):
        ahead(vectors, min(rows[min(j + SOON, len(rows) - 1)], last))
        raw[SAYS, j] = unit_vector(own, vectors[min(rows[j], last)])
        for k in range(len(mine)):
            total = np.float32(0)
            for d in range(len(own)):
                total += own[d] * mine[k, d]
            dots[j, k] = total
        raw[LIKED, j], raw[DISLIKED, j] = dots[j, len(weights)], dots[j, len(weights) + 1]
    _digest(raw, CONTENT, dots, weights)


@swift
def _tower(
    raw: Floats,
    rows: Rows,
    items: tuple[Floats | NDArray[np.int8], Mask, NDArray[np.int32]],
    mine: Floats,
    weights: Floats,
) -> None:
    """Cosines by the two-tower; 0 where it does not know the candidate."""
    vectors, known, places = items
    last, dots = len(known) - 1, np.zeros((len(rows), LATELY), np.float32)
    for j in range(len(rows)):
        ahead(vectors, place_of(places, min(rows[min(j + SOON, len(rows) - 1)], last)))
        row, square = min(rows[j], last), np.float32(0)
        at = place_of(places, row)
        for d in range(vectors.shape[1]):
            own = np.float32(vectors[at, d])
            square += own * own
        scale = np.float32(1) / max(np.sqrt(square), np.float32(1e-6))
        if row != rows[j] or not known[row]:
            scale = np.float32(0)
        for k in range(len(mine)):
            total = np.float32(0)
            for d in range(vectors.shape[1]):
                total += np.float32(vectors[at, d]) * mine[k, d]
            dots[j, k] = total * scale
    _digest(raw, TOWER, dots, weights)


@kernel
def _digest(raw: Floats, slot: int, close: Floats, weights: Floats) -> None:
    """Sum up the closeness to each of the last items: see `sources.CLOSENESS`; 0 for no history."""
    count, whole = len(weights), np.float32(0)
    for k in range(count):
        whole += weights[k]
    each, some = np.float32(max(count, 1)), np.float32(max(min(count, FEW), 1))
    whole = max(whole, np.float32(1))
    for j in range(len(close)):
        few, best = close[j, 0], close[j, 0]
        total, first, every, liked = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
        for k in range(count):
            value, weight = close[j, k], weights[k]
            best = max(best, value)
            total += value * weight
            every += value
            liked += value if weight > np.float32(1) else np.float32(0)
            few = max(few, value) if k < FEW else few
            first += value if k < FEW else np.float32(0)
        raw[slot, j], raw[slot + 1, j], raw[slot + 2, j] = close[j, 0], few, best
        raw[slot + 3, j], raw[slot + 4, j] = total / whole, first / some
        raw[slot + 5, j], raw[slot + 6, j] = every / each, liked


@kernel
def _tastes(raw: Floats, rows: Rows, categories: NDArray[np.int16], table: Floats) -> None:
    """How a candidate's categories suit the tastes: means over them, the best, the last time."""
    last, sums = len(categories) - 1, np.empty(6, np.float32)
    for j in range(len(rows)):
        row, count, best, since = min(rows[j], last), 0, np.float32(0), np.float32(LONG_AGO)
        sums[:] = 0
        for place in range(categories.shape[1]):
            code = categories[row, place]
            count += code >= 0
            if 0 <= code < len(table):
                for column in range(5):
                    sums[column] += table[code, column]
                best = max(best, table[code, EVER_AT])
                sums[5] += table[code, EVER_AT] > 0
                since = min(since, table[code, SINCE_AT])
        share = np.float32(1) / np.float32(max(count, 1))
        for column in range(5):
            raw[CATEGORY + column, j] = sums[column] * share
        raw[CATEGORY + 5, j] = best
        raw[CATEGORY + 6, j] = sums[5] * share
        raw[CATEGORY + 7, j] = since


@kernel
def _creators(
    raw: Floats,
    rows: Rows,
    creator: NDArray[np.int32],
    keys: NDArray[np.int32],
    table: Floats,
) -> None:
    """What was done with other items of a candidate's creator."""
    last = len(creator) - 1
    for j in range(len(rows)):
        who = creator[min(rows[j], last)]
        slot = slot_of(keys, who) if who >= 0 else 0
        known = who >= 0 and keys[slot] == who
        for part in range(3):
            raw[CREATOR + part, j] = table[slot, part] if known else np.float32(0)


@kernel
def _topics(
    raw: Floats,
    rows: Rows,
    codes: NDArray[np.int16],
    keys: NDArray[np.int32],
    table: Floats,
) -> None:
    """What was done with items of a candidate's topic, and of the same part of it."""
    last = len(codes) - 1
    for j in range(len(rows)):
        row = min(rows[j], last)
        for parts in range(1, 3):
            key = topic_key(codes, row, parts)
            slot = slot_of(keys, key) if codes[row, 0] >= 0 else 0
            known = codes[row, 0] >= 0 and keys[slot] == key
            for column in range(4):
                share = table[slot, column] if known else np.float32(0)
                raw[TOPIC + 4 * (parts - 1) + column, j] = share


@kernel
def _exposure(raw: Floats, shown: Floats, since: Floats, signals: NDArray[np.uint32]) -> None:
    for j in range(len(shown)):
        taken = signals[j] & ENGAGED != 0
        raw[SHOWN, j] = shown[j]
        raw[SHOWN + 1, j] = np.float32(0) if taken else shown[j]
        raw[SHOWN + 2, j] = since[j]
        raw[TAKEN, j] = taken


@kernel
def _gaps(raw: Floats, rows: Rows, published: Times, mean: float, usual: float) -> None:
    """Years between publications, and how far a candidate's popularity is from the usual."""
    last, popularity = len(published) - 1, np.float32(usual)
    for j in range(len(rows)):
        gap = np.abs(published[min(rows[j], last)] - mean) / YEAR
        raw[ERA, j] = 0.0 if np.isnan(gap) else gap
        own = ln(np.float32(1) + max(raw[ENGAGED_TOTAL, j], np.float32(0)))
        raw[POPULARITY, j] = np.float32(0) if np.isnan(popularity) else abs(own - popularity)


@kernel
def read_words(raw: Floats, proposed: Proposed) -> None:
    """Fill in what the generators said."""
    _agreement(raw, proposed.ranks)
    for place in range(len(proposed.heard)):
        if proposed.heard[place] >= 0:
            _word(raw, WIDTH + 2 * place, proposed.heard[place], proposed.scores, proposed.ranks)


@kernel
def _agreement(raw: Floats, ranks: NDArray[np.int16]) -> None:
    for j in range(len(ranks)):
        found, best = 0, 32_768
        for g in range(ranks.shape[1]):
            rank = ranks[j, g]
            found += rank > 0
            best = min(best, rank) if rank > 0 else best
        raw[FOUND, j] = found
        raw[BEST, j] = np.float32(1) / np.float32(best) if found else np.float32(0)


@kernel
def _word(raw: Floats, slot: int, g: int, scores: Floats, ranks: NDArray[np.int16]) -> None:
    for j in range(len(ranks)):
        rank = ranks[j, g]
        raw[slot, j] = scores[j, g] if rank > 0 else np.float32(0)
        raw[slot + 1, j] = np.float32(1) / np.float32(rank) if rank > 0 else np.float32(0)
