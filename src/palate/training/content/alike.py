"""Finds which items are described most like each other: word by word, not by 64 numbers.

Where words are placed in a small space, common ones take most of it, and what tells two items from
the rest (a brand, a maker, a rare tag) is gone. So for the few nearest of each item the words
themselves are compared: the cosine of their weights, each tf-idf times idf once more, for a word
that few items have says more of a pair than of one item.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from palate.arrays import Floats, Rows
from palate.catalog.alike import UNKNOWN, Alike
from palate.catalog.item import Item
from palate.catalog.protocol import ItemCatalog, read_catalog
from palate.index.opening import Building, build_index
from palate.jit import kernel
from palate.models.content import TermEncoder, given, said
from palate.training.content.words import weighed

FEW = 16
"""Neighbours kept of each item. 8, 16 and 32 do equally well on Beauty."""
POOL = 4 * FEW
"""Of each kind, looked at more closely where there is more than words."""
MOST_ITEMS = 1_000_000
"""Of larger catalogues nothing is compared: it would take longer than all other learning."""
ADDITIONS = 2_000_000_000
"""Pairs of items with a word in common that are counted, some ten seconds of them: where there are
more, the commonest words are left out."""


class Words(NamedTuple):
    """A sparse matrix as compiled code reads it: its rows' ends, and places and values in them."""

    ends: NDArray[np.int64]
    places: Rows
    values: Floats


def alike_of(catalog: ItemCatalog, encoder: TermEncoder, vectors: Floats, seed: int) -> Alike:
    """The `FEW` items that are described most like each of the rows of `vectors`.

    `vectors` (rows, 64) are the encoder's; where it reads more than words, they tell what else to
    look at. `UNKNOWN` where nothing is said, or in a catalogue too large to compare.
    """
    if len(vectors) > MOST_ITEMS:
        return UNKNOWN
    told = {
        change.row: change.item
        for part in read_catalog(catalog)
        for change in part
        if change.item and change.row < len(vectors)
    }
    words = _words(told, encoder, len(vectors))
    beside = _beside(told, encoder, len(vectors))
    found = by_words(words, POOL if beside.shape[1] else FEW)
    if beside.shape[1]:
        found = _closer((found, nearest(vectors, seed, POOL)), words, beside)
    return found if (found.rows >= 0).any() else UNKNOWN


def by_words(words: sparse.csr_matrix, few: int) -> Alike:
    """The `few` rows with the largest dot product with each row, where that is above 0."""
    held = sparse.csc_matrix(words)
    having = np.diff(held.indptr).astype(np.int64)
    order = np.argsort(having, kind="stable")
    within = order[np.cumsum(having[order] ** 2) <= ADDITIONS]
    kept = np.zeros(len(having), np.bool_)
    kept[within] = True
    rows, cosines = _most(_plain(words), _plain(held), kept, few)
    return Alike(rows, cosines)


def nearest(vectors: Floats, seed: int, few: int = FEW) -> Alike:
    """The `few` nearest of each of the vectors (rows, dim), none of them nearer than at 90 degrees.

    Among more than some ten thousand they are looked for in the nearest clusters alone.
    """
    rows = np.full((len(vectors), few), -1, np.int32)
    cosines = np.zeros((len(vectors), few), np.float32)
    said = np.flatnonzero(vectors.any(axis=1)).astype(np.int32)
    if not len(said):
        return UNKNOWN
    index = build_index(said, np.ascontiguousarray(vectors[said], np.float32), Building(seed))
    for row in said.tolist():
        found, likeness = index.search(vectors[row], few + 1)
        other = (found != row) & (likeness > 0.0)
        found, likeness = found[other][:few], likeness[other][:few]
        rows[row, : len(found)], cosines[row, : len(found)] = found, likeness
    return Alike(rows, cosines)


def _words(told: Mapping[int, Item], encoder: TermEncoder, size: int) -> sparse.csr_matrix:
    """(size, terms): tf-idf times idf, rows of unit length."""
    words = weighed([told.get(row) for row in range(size)], encoder.terms)
    words.data *= encoder.terms.idf[words.indices]
    having = np.diff(words.indptr)
    squares = np.bincount(np.repeat(np.arange(size), having), words.data**2, size)
    words.data /= np.repeat(np.sqrt(np.maximum(squares, 1e-12)), having).astype(np.float32)
    return words


def _beside(told: Mapping[int, Item], encoder: TermEncoder, size: int) -> Floats:
    """(size, width): embeddings and sentences; width 0 where there are none."""
    items, table = list(told.values()), encoder.table
    parts = [given(items, table.given_mean)]
    if encoder.sentences is not None:
        parts.append(said(encoder.sentences.embed(items), table.read_mean))
    found = np.zeros((size, sum(part.shape[1] for part in parts)), np.float32)
    found[list(told)] = np.hstack(parts)
    return found


def _closer(pools: Sequence[Alike], words: sparse.csr_matrix, beside: Floats) -> Alike:
    """The nearest of all pools by words and by what is beside them."""
    lengths = np.sqrt(np.asarray(words.multiply(words).sum(1)).ravel() + (beside**2).sum(1))
    scale = (1 / np.maximum(lengths, 1e-9)).astype(np.float32)
    near = np.hstack([pool.rows for pool in pools if len(pool.rows)])
    rows, cosines = np.full((len(near), FEW), -1, np.int32), np.zeros((len(near), FEW), np.float32)
    for row in range(len(near)):
        others = np.unique(near[row][near[row] >= 0])
        if not len(others):
            continue
        common = np.asarray((words[others] @ words[row].T).todense()).ravel()
        worth = (common + beside[others] @ beside[row]) * scale[others] * scale[row]
        best = np.argsort(-worth, kind="stable")[:FEW]
        best = best[worth[best] > 0]
        rows[row, : len(best)], cosines[row, : len(best)] = others[best], worth[best]
    return Alike(rows, cosines)


def _plain(matrix: Any) -> Words:
    return Words(matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32), matrix.data)


@kernel
def _most(
    words: Words, having: Words, kept: NDArray[np.bool_], few: int
) -> tuple[NDArray[np.int32], Floats]:
    """Add up, for each row, what the kept words give to all others that have them."""
    size = len(words.ends) - 1
    rows, worth = np.full((size, few), -1, np.int32), np.zeros((size, few), np.float32)
    sums, met = np.zeros(size, np.float32), np.empty(size, np.int32)
    for row in range(size):
        count = 0
        for at in range(words.ends[row], words.ends[row + 1]):
            word, value = words.places[at], words.values[at]
            if not kept[word]:
                continue
            for place in range(having.ends[word], having.ends[word + 1]):
                other = having.places[place]
                if sums[other] == 0.0:
                    met[count] = other
                    count += 1
                sums[other] += value * having.values[place]
        for at in range(count):
            other = met[at]
            if other != row and sums[other] > worth[row, few - 1]:
                _enter(rows[row], worth[row], other, sums[other])
            sums[other] = 0.0
    return rows, worth


@kernel
def _enter(rows: NDArray[np.int32], worth: Floats, other: int, value: float) -> None:
    """Put one in its place among those kept, the best first; the last falls out."""
    place = len(rows) - 1
    while place > 0 and worth[place - 1] < value:
        rows[place], worth[place] = rows[place - 1], worth[place - 1]
        place -= 1
    rows[place], worth[place] = other, value
