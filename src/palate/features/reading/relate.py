"""How a few candidates, side by side, suit who asks; see `reading.tile`."""

import numpy as np

from palate.arrays import Floats, Rows
from palate.events.kinds import Signal
from palate.features.folds import DAY, ITEM_SLOT
from palate.features.reading.past import EVER_AT, LONG_AGO, SINCE_AT, slot_of
from palate.features.reading.shapes import LATELY, TILE, Memory, Met, Proposed, World
from palate.features.sources import AT, CANDIDATE
from palate.jit import kernel, ln, swift

ENGAGED = int(Signal.ENGAGED)
ENGAGED_TOTAL = ITEM_SLOT["engaged_total"]
YEAR = 365.25 * DAY
FEW, MEAN = 3, 3
"""The last few items; where the weighted mean stands, behind the last and the best."""
WIDTH = len(CANDIDATE)
"""A generator's score and 1 / rank stand behind: two slots for each that the plan hears."""
FOUND, BEST = AT["found"], AT["best"]
COVISIT, CONTENT, TOWER = AT["covisit_1"], AT["content_1"], AT["tower_1"]
"""Each followed by the best of 3, the best of 10 and the weighted mean."""
TOGETHER_LIKED = AT["covisit_liked_10"]
MEAN_3, MEAN_10 = AT["content_mean_3"], AT["content_mean_10"]
LIKED, DISLIKED = AT["content_liked"], AT["content_disliked"]
CATEGORY = AT["category_recent"]
CREATOR = AT["creator_recent"]
SHOWN, TAKEN = AT["shown"], AT["taken"]
ERA, POPULARITY = AT["era_gap"], AT["popularity_gap"]


@kernel
def read_pairs(raw: Floats, rows: Rows, start: int, world: World, memory: Memory, met: Met) -> None:
    """Fill the slots that hang on both."""
    close = np.zeros((LATELY + 2, TILE), np.float32)
    _compare(close, rows, world.content, memory.content)
    _extremes(raw, CONTENT, close, memory)
    _means(raw, close, len(memory.lately))
    if world.vectors.shape[0] > 0:
        _compare_known(close, rows, world, memory.tower)
        _extremes(raw, TOWER, close, memory)
    for k in range(len(memory.lately)):
        for j in range(TILE):
            at = min(start + j, met.together.shape[1] - 1)
            close[k, j] = met.together[k, at]
    _extremes(raw, COVISIT, close, memory)
    _together_liked(raw, close, memory)
    _tastes(raw, rows, world, memory)
    _exposure(raw, start, met)
    _gaps(raw, rows, world, memory)


@swift
def _compare(close: Floats, rows: Rows, vectors: Floats, mine: Floats) -> None:
    """Dot products of each candidate with each row of `mine`; candidates side by side."""
    last = len(vectors) - 1
    for j in range(TILE):
        vector = vectors[min(rows[j], last)]
        for k in range(len(mine)):
            total = np.float32(0)
            for d in range(len(vector)):
                total += vector[d] * mine[k, d]
            close[k, j] = total


@swift
def _compare_known(close: Floats, rows: Rows, world: World, mine: Floats) -> None:
    """Cosines by the two-tower; 0 where it does not know the candidate."""
    size = len(world.known)
    for j in range(TILE):
        row = min(rows[j], size - 1)
        vector, total = world.vectors[row], np.float32(0)
        for d in range(len(vector)):
            total += vector[d] * vector[d]
        known = row == rows[j] and world.known[row]
        scale = np.float32(1) / max(np.sqrt(total), np.float32(1e-6)) if known else np.float32(0)
        for k in range(len(mine)):
            total = np.float32(0)
            for d in range(len(vector)):
                total += vector[d] * mine[k, d]
            close[k, j] = total * scale


@kernel
def _extremes(raw: Floats, slot: int, close: Floats, memory: Memory) -> None:
    """The last, the best of 3, the best of all, and their weighted mean; 0 without a history."""
    count, weight = len(memory.lately), np.float32(0)
    for part in range(4):
        for j in range(TILE):
            raw[slot + part, j] = close[0, j] if count and part < MEAN else np.float32(0)
    for k in range(count):
        weight += memory.weights[k]
        for j in range(TILE):
            if k < FEW:
                raw[slot + 1, j] = max(raw[slot + 1, j], close[k, j])
            raw[slot + 2, j] = max(raw[slot + 2, j], close[k, j])
            raw[slot + MEAN, j] += close[k, j] * memory.weights[k]
    for j in range(TILE):
        raw[slot + MEAN, j] /= max(weight, np.float32(1))


@kernel
def _means(raw: Floats, close: Floats, count: int) -> None:
    for j in range(TILE):
        raw[MEAN_3, j] = 0
        raw[MEAN_10, j] = 0
        raw[LIKED, j] = close[count, j]
        raw[DISLIKED, j] = close[count + 1, j]
    for k in range(count):
        for j in range(TILE):
            raw[MEAN_3, j] += close[k, j] / min(count, FEW) if k < FEW else np.float32(0)
            raw[MEAN_10, j] += close[k, j] / np.float32(count)


@kernel
def _together_liked(raw: Floats, close: Floats, memory: Memory) -> None:
    for j in range(TILE):
        raw[TOGETHER_LIKED, j] = 0
    for k in range(len(memory.lately)):
        if memory.weights[k] > 1:
            for j in range(TILE):
                raw[TOGETHER_LIKED, j] += close[k, j]


@kernel
def _tastes(raw: Floats, rows: Rows, world: World, memory: Memory) -> None:
    """How a candidate's categories and creator suit the tastes; means over its categories."""
    last, table = len(world.categories) - 1, memory.tastes
    sums = np.empty(8, np.float32)
    for j in range(TILE):
        row, count = min(rows[j], last), 0
        sums[:] = 0
        sums[7] = LONG_AGO
        for code in world.categories[row]:
            if code < 0:
                continue
            count += 1
            if code >= len(table):
                continue
            for column in range(5):
                sums[column] += table[code, column]
            sums[5] = max(sums[5], table[code, EVER_AT])
            sums[6] += table[code, EVER_AT] > 0
            sums[7] = min(sums[7], table[code, SINCE_AT])
        for part in range(8):
            shared = part not in (5, 7)
            raw[CATEGORY + part, j] = sums[part] / max(count, 1) if shared else sums[part]
        slot = slot_of(memory.creator_keys, world.creator[row])
        known = world.creator[row] >= 0 and memory.creator_keys[slot] >= 0
        for part in range(3):
            raw[CREATOR + part, j] = memory.creators[slot, part] if known else np.float32(0)


@kernel
def _exposure(raw: Floats, start: int, met: Met) -> None:
    for j in range(TILE):
        at = min(start + j, len(met.shown) - 1)
        taken = met.signals[at] & ENGAGED != 0
        raw[SHOWN, j] = met.shown[at]
        raw[SHOWN + 1, j] = np.float32(0) if taken else met.shown[at]
        raw[SHOWN + 2, j] = met.since[at]
        raw[TAKEN, j] = taken


@kernel
def _gaps(raw: Floats, rows: Rows, world: World, memory: Memory) -> None:
    """Years between publications, and how far a candidate's popularity is from the usual."""
    last = len(world.published) - 1
    usual = np.float32(memory.popularity)
    for j in range(TILE):
        gap = np.abs(world.published[min(rows[j], last)] - memory.published) / YEAR
        raw[ERA, j] = 0.0 if np.isnan(gap) else gap
        popularity = ln(np.float32(1) + max(raw[ENGAGED_TOTAL, j], np.float32(0)))
        raw[POPULARITY, j] = abs(popularity - usual) if len(memory.lately) else np.float32(0)


@kernel
def read_words(raw: Floats, start: int, proposed: Proposed) -> None:
    """Fill in what the generators said."""
    count = proposed.ranks.shape[1]
    for j in range(TILE):
        at = min(start + j, len(proposed.rows) - 1)
        found, best = 0, 0
        for g in range(count):
            rank = proposed.ranks[at, g]
            if rank > 0:
                found += 1
                best = rank if best == 0 else min(best, rank)
        raw[FOUND, j] = found
        raw[BEST, j] = np.float32(1) / np.float32(best) if best else np.float32(0)
        for place in range(len(proposed.heard)):
            g = proposed.heard[place]
            rank = proposed.ranks[at, g] if g >= 0 else 0
            score = proposed.scores[at, g] if rank > 0 else np.float32(0)
            raw[WIDTH + 2 * place, j] = score
            raw[WIDTH + 2 * place + 1, j] = np.float32(1) / np.float32(rank) if rank else 0.0
