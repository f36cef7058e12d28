"""Finding what is described alike."""

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from palate.catalog.alike import UNKNOWN
from palate.index import opening
from palate.settings import ContentSettings
from palate.testing.tiny import GENRES, tiny_names, tiny_stores
from palate.training.content import FEW, alike_today, nearest


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
