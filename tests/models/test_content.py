"""How a release reads what items say of themselves."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given as supposing
from hypothesis import settings
from hypothesis import strategies as st

from palate.arrays import Floats
from palate.catalog.alike import UNKNOWN, Alike
from palate.catalog.item import Item
from palate.catalog.quantised import quantised
from palate.models.codes import codes_of
from palate.models.content import (
    ContentFacts,
    ContentModel,
    Directions,
    TermEncoder,
    given,
    upright,
)

DICE = np.random.Generator(np.random.PCG64(3))
NAMES = ("star", "ship", "love", "the")
TABLE = Directions(
    np.array([1.0, 2.0, 1.0, 1.0], np.float32),
    DICE.standard_normal((4, 64)).astype(np.float32),
    DICE.standard_normal((3, 64)).astype(np.float32),
    np.zeros(3, np.float32),
    np.zeros((0, 64), np.float32),
    np.zeros(0, np.float32),
)
ENCODER = TermEncoder(NAMES, TABLE)


def one(item: Item) -> Floats:
    vector: Floats = ENCODER.encode([item])[0]
    return vector


def test_an_item_points_where_its_words_do_by_what_they_weigh() -> None:
    vector = one(Item(item_id="a", title="Star ship star"))
    weights = np.array([1 + np.log(2), 2.0])
    expected = weights @ TABLE.terms[:2]
    np.testing.assert_allclose(vector, expected / np.linalg.norm(expected), rtol=1e-5)


def test_function_words_say_little_and_unknown_ones_nothing() -> None:
    plain, chatty = one(Item(item_id="a", title="love")), one(Item(item_id="a", title="the love"))
    assert plain @ chatty > 0.98
    np.testing.assert_array_equal(one(Item(item_id="a", title="love zyx")), plain)
    assert not one(Item(item_id="a", title="zyx")).any()
    assert not one(Item(item_id="a")).any()


def test_an_embedding_of_the_site_counts_beside_the_words() -> None:
    told = Item(item_id="a", title="love", embedding=(0.0, 2.0, 0.0))
    expected = one(Item(item_id="a", title="love")) * np.linalg.norm(TABLE.terms[2]) + (
        1.5 * TABLE.given[1]
    )
    np.testing.assert_allclose(one(told), expected / np.linalg.norm(expected), rtol=1e-5)


@pytest.mark.parametrize("numbers", [(0.0, 0.0, 0.0), (1.0, 2.0), (float("inf"), 0.0, 1.0)])
def test_an_embedding_that_says_nothing_here_is_passed_over(numbers: tuple[float, ...]) -> None:
    plain = one(Item(item_id="a", title="love"))
    told = one(Item(item_id="a", title="love", embedding=numbers))
    np.testing.assert_array_equal(told, plain)


def test_what_all_embeddings_share_is_left_out() -> None:
    mean = np.array([0.6, 0.0, 0.0], np.float32)
    found = given([Item(item_id="a", embedding=(0.6, 0.8, 0.0))], mean)[0]
    np.testing.assert_allclose(found, [0.0, 1.5, 0.0], atol=1e-6)


def test_huge_numbers_keep_their_direction() -> None:
    np.testing.assert_allclose(upright(np.array([[3e300, 4e300]])), [[0.6, 0.8]], rtol=1e-6)


@settings(deadline=None)
@supposing(st.lists(st.sampled_from((*NAMES, "zyx")), max_size=8))
def test_items_are_encoded_alone_or_together_with_the_same_result(words: list[str]) -> None:
    items = [Item(item_id=word, title=" ".join(words), tags=(word,)) for word in words]
    together = ENCODER.encode(items)
    assert together.shape == (len(items), 64)
    for item, vector in zip(items, together, strict=True):
        np.testing.assert_array_equal(one(item), vector)
        assert np.linalg.norm(vector) == pytest.approx(float(vector.any()), abs=1e-5)


def test_a_saved_model_comes_back_with_rows_to_spare_and_its_files_are_never_written(
    tmp_path: Path,
) -> None:
    vectors = DICE.standard_normal((5, 64)).astype(np.float32)
    held, facts = quantised(vectors), ContentFacts(encoder="tfidf", version=9, terms=NAMES)
    books = DICE.standard_normal((3, 4, 64)).astype(np.float32)
    codes = codes_of(vectors, books)
    alike = Alike(np.array([[1], [0]], np.int32), np.array([[0.5], [0.5]], np.float32))
    ContentModel(facts, ENCODER, (held, codes), books, alike).save(tmp_path)
    before = (tmp_path / "vectors.npy").read_bytes()
    found = ContentModel.load(tmp_path)
    assert (found.version, found.facts) == (9, facts)
    np.testing.assert_array_equal(found.vectors[:5], held)
    assert len(found.vectors) >= 1_000
    assert not found.vectors[5:].any()
    np.testing.assert_array_equal(found.codes[:5], found.codes_of(vectors))
    assert (found.codes[5:] == -1).all()
    assert len(found.codes) == len(found.vectors)
    for each, saved in zip(found.alike, alike, strict=True):
        np.testing.assert_array_equal(each, saved)
    item = Item(item_id="a", title="love ship", embedding=(1.0, 2.0, 3.0))
    np.testing.assert_array_equal(found.encoder.encode([item]), ENCODER.encode([item]))
    found.vectors[7] = 1.0
    assert (tmp_path / "vectors.npy").read_bytes() == before
    assert not ContentModel.load(tmp_path).vectors[7].any()


def test_a_release_that_looked_for_nothing_alike_knows_nothing_alike(tmp_path: Path) -> None:
    vectors, books = np.ones((2, 64), np.int8), np.ones((3, 1, 64), np.float32)
    facts = ContentFacts(encoder="tfidf", version=9, terms=NAMES)
    ContentModel(facts, ENCODER, (vectors, codes_of(vectors, books)), books).save(tmp_path)
    assert ContentModel.load(tmp_path).alike is UNKNOWN


def test_a_release_of_before_brings_floats_and_is_read_as_if_it_had_brought_bytes(
    tmp_path: Path,
) -> None:
    vectors = upright(DICE.standard_normal((5, 64)))
    books = DICE.standard_normal((3, 4, 64)).astype(np.float32)
    facts = ContentFacts(encoder="tfidf", version=9, terms=NAMES)
    items = quantised(vectors), codes_of(vectors, books)
    ContentModel(facts, ENCODER, items, books).save(tmp_path)
    today = ContentModel.load(tmp_path).vectors.copy()
    np.save(tmp_path / "vectors.npy", np.pad(vectors, ((0, 1_024), (0, 0))))
    before = ContentModel.load(tmp_path).vectors
    assert before.dtype == np.int8
    np.testing.assert_array_equal(before, today)
    before[7] = 1
    assert not ContentModel.load(tmp_path).vectors[7].any()
