"""How a release reads what items say of themselves: words weighed and placed by training.

    item:  normalise( sum of tf-idf(word) * direction(word)
                      + its own embedding * directions + its sentences * directions )

A word's tf-idf is (1 + log of how often a field has it) * idf, each field of unit length times its
weight, as when they are hashed (`catalog.content`). The directions are those in which the
catalogue's items differ most (truncated SVD, Deerwester et al. 1990), each divided by the root of
its strength, so that the few strongest do not drown what tells items apart.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Self, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from palate.arrays import Bytes, Floats
from palate.catalog.alike import UNKNOWN, Alike
from palate.catalog.content import EMBEDDING, FUNCTION_WORDS, LITTLE, fields
from palate.catalog.encoder import CONTENT_DIM
from palate.catalog.item import Item
from palate.catalog.quantised import quantised
from palate.models.codes import codes_of
from palate.models.sentences import MiniLm, Sentences
from palate.tables import read_table, write_table

ALIKE = "alike"
FACTS, VECTORS, CODES, BOOKS = "content.json", "vectors.npy", "codes.npy", "codebooks.npy"
Codes: TypeAlias = NDArray[np.int16]
SENTENCES = 0.7
"""Weight of what whole sentences say, where words have 1 and embeddings 1.5."""
SPARE = 1_024
"""Rows kept free for items that come after the release, at least."""


class ContentFacts(msgspec.Struct, frozen=True, kw_only=True):
    """``content.json``: what the numbers stand for."""

    encoder: str
    """As ``[content] encoder`` names it."""
    version: int
    """Of the catalogue that the vectors show."""
    terms: tuple[str, ...]
    """A word for each row of `Directions.terms`."""


class Directions(NamedTuple):
    """What was learnt, as arrays."""

    idf: Floats
    """(terms,)."""
    terms: Floats
    """(terms, 64): where each word points."""
    given: Floats
    """(width, 64): where the numbers of the site's own embeddings point; (0, 64) without any."""
    given_mean: Floats
    """(width,): the mean of the embeddings at unit length, which says nothing of any item."""
    read: Floats
    """(384, 64): where whole sentences point; (0, 64) where none are read."""
    read_mean: Floats
    """(384,): the mean of the catalogue's sentences."""


class Terms:
    """Weighs the words of an item."""

    def __init__(self, names: Sequence[str], idf: Floats) -> None:
        self.names, self.idf = tuple(names), idf
        self._place = {name: place for place, name in enumerate(names)}
        self._weight = [
            float(weight) * (LITTLE if name in FUNCTION_WORDS else 1.0)
            for name, weight in zip(names, idf, strict=True)
        ]

    def weigh(self, item: Item) -> tuple[list[int], Floats]:
        """Places of the item's words and their weights, of unit length together."""
        total: dict[int, float] = {}
        for weight, words in fields(item):
            told = Counter(self._place[word] for word in words if word in self._place)
            weighed = {at: (1 + np.log(n)) * self._weight[at] for at, n in told.items()}
            length = sum(each * each for each in weighed.values()) ** 0.5
            for at, each in weighed.items():
                total[at] = total.get(at, 0.0) + weight * each / length
        values = np.array(list(total.values()), np.float32)
        return list(total), values / max(float(np.linalg.norm(values)), 1e-9)


class TermEncoder:
    """Encodes items by the words and numbers that training has placed."""

    def __init__(
        self, names: Sequence[str], table: Directions, sentences: Sentences | None = None
    ) -> None:
        self.sentences = sentences
        self.table, self.terms = table, Terms(names, table.idf)

    def encode(self, items: Sequence[Item]) -> Floats:
        vectors = np.zeros((len(items), CONTENT_DIM), np.float32)
        for place, item in enumerate(items):
            at, weights = self.terms.weigh(item)
            vectors[place] = weights @ self.table.terms[at]
        vectors += given(items, self.table.given_mean) @ self.table.given
        if self.sentences is not None:
            read = said(self.sentences.embed(items), self.table.read_mean)
            vectors += read @ self.table.read
        return unit(vectors)


def given(items: Sequence[Item], mean: Floats) -> Floats:
    """(n, width) the items' own embeddings, as they enter; 0 for those of another width."""
    numbers = np.zeros((len(items), len(mean)), np.float32)
    for place, item in enumerate(items):
        if item.embedding and len(item.embedding) == len(mean):
            numbers[place] = upright(np.array([item.embedding], np.float64))[0]
    has = numbers.any(axis=1, keepdims=True)
    return np.float32(EMBEDDING) * unit(np.where(has, numbers - mean, np.float32(0)))


def said(sentences: Floats, mean: Floats) -> Floats:
    """(n, 384) sentences as they enter; 0 for those that are 0."""
    has = sentences.any(axis=1, keepdims=True)
    return np.float32(SENTENCES) * unit(np.where(has, sentences - mean, np.float32(0)))


def upright(numbers: NDArray[np.float64]) -> Floats:
    """Rows at unit length, whatever their size; 0 for those that are no numbers."""
    peak = np.abs(numbers).max(axis=1, keepdims=True, initial=0.0)
    fit = np.isfinite(peak) & (peak > 0)
    return unit(np.where(fit, numbers / np.where(fit, peak, 1.0), 0.0).astype(np.float32))


def unit(vectors: Floats) -> Floats:
    """Rows at unit length; 0 stays 0."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 0, lengths, 1), np.float32)


class ContentModel:
    """The encoder of a release, and the vectors and codes of the items it knew."""

    def __init__(
        self,
        facts: ContentFacts,
        encoder: TermEncoder,
        items: tuple[Bytes, Codes],
        books: Floats,
        alike: Alike = UNKNOWN,
    ) -> None:
        self.facts, self.encoder, self._books = facts, encoder, books
        self.vectors, self.codes = items
        self.alike = alike

    @property
    def version(self) -> int:
        """The catalogue's version that the vectors show."""
        return self.facts.version

    def codes_of(self, vectors: Floats) -> Codes:
        """(n, 3): what vectors are about; see `models.codes`."""
        return codes_of(vectors, self._books)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Map what `save` wrote; rows that are written later are this process's own.

        An older release brings vectors of floats, which are quantised here.
        Raises OSError or ValueError, and MissingExtra where it reads sentences and cannot here.
        """
        facts = msgspec.json.decode((folder / FACTS).read_bytes(), type=ContentFacts)
        sentences = MiniLm.open() if facts.encoder == "minilm" else None
        encoder = TermEncoder(facts.terms, read_table(folder, Directions), sentences)
        vectors, codes = (np.load(folder / name, mmap_mode="c") for name in (VECTORS, CODES))
        held = quantised(vectors) if vectors.dtype == np.float32 else np.asarray(vectors)
        items = held, np.asarray(codes)
        return cls(facts, encoder, items, np.load(folder / BOOKS), _alike(folder / ALIKE))

    def save(self, folder: Path) -> None:
        """Write facts, directions and centres, and vectors and codes with rows to spare."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / FACTS).write_bytes(msgspec.json.encode(self.facts))
        write_table(folder, self.encoder.table)
        spare = max(SPARE, len(self.vectors) // 4)
        behind = ((0, spare), (0, 0))
        np.save(folder / VECTORS, np.pad(self.vectors, behind))
        np.save(folder / CODES, np.pad(self.codes, behind, constant_values=-1))
        np.save(folder / BOOKS, self._books)
        if len(self.alike.rows):
            (folder / ALIKE).mkdir(exist_ok=True)
            write_table(folder / ALIKE, self.alike)


def _alike(folder: Path) -> Alike:
    """Map what was found; `UNKNOWN` where nothing was looked for, as in older releases."""
    if not folder.is_dir():
        return UNKNOWN
    arrays = (np.load(folder / f"{name}.npy", mmap_mode="c") for name in Alike._fields)
    return Alike(*map(np.asarray, arrays))
