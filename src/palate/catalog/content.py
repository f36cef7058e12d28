"""What an item says of itself as a vector, without any training.

Every word is a fixed direction of 64 signs (the bits of its BLAKE2b hash, a dense signed random
projection: Achlioptas 2003); a field is the mean direction of its words, and an item the weighted
sum of its fields. So items that share words point the same way, in any language, from the second
they are added.
"""

import re
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import blake2b

import numpy as np

from palate.arrays import Floats
from palate.catalog.encoder import CONTENT_DIM
from palate.catalog.item import Item

_word = re.compile(r"\w+")
TITLE, TEXT, CATEGORY, TAG = 1.0, 0.8, 1.2, 0.8
CREATOR, DECADE, KIND, EMBEDDING = 0.8, 0.3, 0.3, 1.5
FUNCTION_WORDS = frozenset(
    _word.findall(
        "a an and are as at by for from his her in is it of on or that the this to was with "
        "das dem den der des die ein eine im ist mit und von zu de des du en et la le les un une "
        "con del el los las por que una y"
    )
)
"""They stand everywhere and say little."""
LITTLE = 0.1
WORDS = 400
"""Words of a text that are read."""
CACHED = 65_536
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def content_vector(item: Item) -> Floats:
    """(64,) of unit length; all zero where the item says nothing."""
    vector: Floats = content_vectors([item])[0]
    return vector


def content_vectors(items: Sequence[Item]) -> Floats:
    """(n, 64): one vector per item, as `content_vector`."""
    vectors = np.zeros((len(items), CONTENT_DIM), np.float32)
    for place, item in enumerate(items):
        for weight, words in fields(item):
            vectors[place] += weight * _WORDS.mean(words)
        if item.embedding:
            vectors[place] += EMBEDDING * _projected(item.embedding)
    _WORDS.forget()
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors /= np.where(lengths > 0, lengths, 1)
    return vectors


class Hashed:
    """The encoder of a site without a release, and of those that choose it."""

    def encode(self, items: Sequence[Item]) -> Floats:
        return content_vectors(items)


def fields(item: Item) -> Iterator[tuple[float, list[str]]]:
    """What an item says: the weight of each field, and its words."""
    if item.title:
        yield TITLE, _word.findall(item.title.lower())
    if item.text:
        yield TEXT, _word.findall(item.text.lower())[:WORDS]
    if item.categories:
        yield CATEGORY, [name.lower() for name in item.categories]
    if item.tags:
        yield TAG, [name.lower() for name in item.tags]
    if item.creator_id:
        yield CREATOR, [f"creator:{item.creator_id}"]
    if item.kind:
        yield KIND, [f"kind:{item.kind}"]
    if item.published_at is not None:
        year = (EPOCH + timedelta(seconds=item.published_at)).year
        yield DECADE, [f"decade:{year // 10}"]


class _Directions:
    """The direction of each word, remembered in one table so that a field is one matrix product."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._place: dict[str, int] = {}
        self._table = np.empty((1024, CONTENT_DIM), np.float32)
        self._weight = np.empty(1024, np.float32)

    def mean(self, words: list[str]) -> Floats:
        """(64,) of unit length: the weighted sum of the words' directions."""
        with self._guard:
            at = [self._place.get(w, -1) for w in words]
            if -1 in at:
                at = [self._learn(w) for w in words]
            total = self._weight[at] @ self._table[at]
        length = float(np.sqrt(total @ total))
        mean: Floats = total / length if length > 0 else total
        return mean

    def _learn(self, word: str) -> int:
        place = self._place.get(word)
        if place is None:
            place = len(self._place)
            self._make_room(place)
            bits = np.frombuffer(blake2b(word.encode(), digest_size=8).digest(), np.uint8)
            self._table[place] = np.unpackbits(bits) * np.float32(2) - 1
            self._weight[place] = LITTLE if word in FUNCTION_WORDS else 1.0
            self._place[word] = place
        return place

    def _make_room(self, place: int) -> None:
        if place >= len(self._table):
            self._table = np.concatenate([self._table, np.empty_like(self._table)])
            self._weight = np.concatenate([self._weight, np.empty_like(self._weight)])

    def forget(self) -> None:
        """Start over once the table is full: the directions come back the same."""
        with self._guard:
            if len(self._place) > CACHED:
                self._place.clear()


_WORDS = _Directions()


def _projected(embedding: tuple[float, ...]) -> Floats:
    given = np.array(embedding, np.float64)
    peak = np.abs(given).max()
    if not np.isfinite(peak) or peak == 0:
        return np.zeros(CONTENT_DIM, np.float32)
    image = (given / peak) @ _projection(len(given))
    return np.asarray(image / np.linalg.norm(image), np.float32)


@lru_cache(maxsize=8)
def _projection(width: int) -> Floats:
    dice = np.random.Generator(np.random.PCG64(np.random.SeedSequence((CONTENT_DIM, width))))
    return dice.standard_normal((width, CONTENT_DIM), np.float32)
