"""Finding what is described alike."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from scipy import sparse

from palate.catalog.alike import UNKNOWN, Alike
from palate.catalog.item import Item
from palate.catalog.sqlite import SqliteItems
from palate.index import opening
from palate.settings import ContentSettings
from palate.testing.tiny import GENRES, tiny_names, tiny_stores
from palate.training.content import alike as finding
from palate.training.content.alike import FEW, alike_of, by_words, nearest
from palate.training.content.encoder import alike_today, learn_encoder


def found_among(items: Sequence[Item]) -> Alike:
    catalog = SqliteItems(Path(":memory:"))
    catalog.put(items)
    encoder = learn_encoder(catalog, 1)
    assert encoder is not None
    return alike_of(catalog, encoder, encoder.encode(items), 1)


def soaps(count: int = 40) -> list[Item]:
    """Half of them soaps; each two of a brand, one soap and one cream."""
    return [
        Item(
            item_id=f"i{n}",
            title=f"brand{n // 2} {'soap' if n % 2 else 'cream'}",
            categories=("soap" if n % 2 else "cream",),
        )
        for n in range(count)
    ]


def test_the_nearest_come_first_and_an_item_is_not_beside_itself() -> None:
    vectors = np.array([[1, 0], [0.8, 0.6], [0, 0], [0, 1], [-1, 0]], np.float32)
    alike = nearest(vectors, seed=1)
    assert alike.rows[0].tolist() == [1, *([-1] * (FEW - 1))]
    assert alike.rows[1].tolist()[:3] == [0, 3, -1]
    assert (alike.rows[2] == -1).all()
    np.testing.assert_allclose(alike.cosines[1, :3], [0.8, 0.6, 0.0], rtol=1e-6)


def test_where_nothing_is_said_of_any_item_nothing_is_alike() -> None:
    assert nearest(np.zeros((4, 3), np.float32), seed=1) is UNKNOWN


def test_a_large_catalogue_is_looked_through_by_clusters(monkeypatch: pytest.MonkeyPatch) -> None:
    dice = np.random.Generator(np.random.PCG64(1))
    vectors = dice.standard_normal((400, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    exact = nearest(vectors, seed=1)
    monkeypatch.setattr(opening, "EXACT_LIMIT", 100)
    found = nearest(vectors, seed=1)
    same = [len(set(a) & set(b)) for a, b in zip(found.rows, exact.rows, strict=True)]
    assert np.mean(same) > 0.9 * FEW
    assert (found.rows != np.arange(400)[:, None]).all()


def test_a_site_s_items_are_beside_their_own_kind_and_hashed_words_say_nothing() -> None:
    stores = tiny_stores()
    alike = alike_today(stores)
    genre = [
        GENRES.index(name.partition("-")[0]) for name in tiny_names(np.arange(len(alike.rows)))
    ]
    same = [genre[row] == genre[alike.rows[row, 0]] for row in range(len(genre))]
    assert np.mean(same) > 0.9
    hashed = msgspec.structs.replace(stores.settings, content=ContentSettings(encoder="hashed"))
    assert alike_today(replace(stores, settings=hashed)) is UNKNOWN


def test_a_word_that_few_have_says_more_than_one_that_half_have() -> None:
    alike = found_among(soaps())
    brand = np.arange(40) // 2
    assert (brand[alike.rows[:, 0]] == brand).all()
    assert (alike.rows[:, 1] % 2 == np.arange(40) % 2).all()
    assert (alike.cosines[:, 0] > alike.cosines[:, 1]).all()
    assert (np.diff(alike.cosines, axis=1) <= 0).all()


def test_words_are_compared_exactly() -> None:
    dice = np.random.Generator(np.random.PCG64(1))
    dense = dice.random((60, 30)) * (dice.random((60, 30)) < 0.2)
    likeness = (dense @ dense.T).astype(np.float32)
    np.fill_diagonal(likeness, 0.0)
    found = by_words(sparse.csr_matrix(dense.astype(np.float32)), 5)
    np.testing.assert_allclose(found.cosines, -np.sort(-likeness, axis=1)[:, :5], rtol=1e-5)
    there = found.rows >= 0
    row, place = np.nonzero(there)
    np.testing.assert_allclose(likeness[row, found.rows[there]], found.cosines[row, place], 1e-5)
    assert (found.cosines[~there] == 0).all()


def test_where_too_many_pairs_have_a_word_in_common_it_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(finding, "ADDITIONS", 100)
    alike = found_among(soaps())
    assert (alike.rows[:, 0] // 2 == np.arange(40) // 2).all()
    assert (alike.rows[:, 1:] == -1).all()


def test_embeddings_count_beside_words() -> None:
    near, far = (1.0, 0.0, 0.2), (0.0, 1.0, -0.2)
    items = [
        Item(item_id=f"i{n}", title="plain soap thing", embedding=(near, far)[n % 2])
        for n in range(40)
    ]
    alike = found_among(items)
    assert (alike.rows % 2 == np.arange(40)[:, None] % 2).all()


def test_who_says_nothing_is_beside_nobody_and_a_huge_catalogue_is_not_compared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    alike = found_among([*soaps(), Item(item_id="mute")])
    assert (alike.rows[40] == -1).all()
    assert (alike.rows != 40).all()
    monkeypatch.setattr(finding, "MOST_ITEMS", 10)
    assert found_among(soaps()) is UNKNOWN
