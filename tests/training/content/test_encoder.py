"""Learning where words point."""

from pathlib import Path

import numpy as np
import pytest

from palate.catalog.item import Item
from palate.catalog.sqlite import SqliteItems
from palate.models.content import TermEncoder
from palate.testing.tiny import GENRES, tiny_items
from palate.training.content import encoder as content
from palate.training.content.encoder import learn_encoder


def catalog(items: list[Item]) -> SqliteItems:
    held = SqliteItems(Path(":memory:"))
    held.put(items)
    return held


def learnt(items: list[Item], seed: int = 1) -> TermEncoder:
    encoder = learn_encoder(catalog(items), seed)
    assert encoder is not None
    return encoder


def test_items_of_a_genre_come_to_lie_nearer_than_those_of_another() -> None:
    items = tiny_items()
    vectors = learnt(items).encode(items)
    genre = np.array([GENRES.index(item.categories[0]) for item in items])
    likeness = vectors @ vectors.T
    same = genre[:, None] == genre[None, :]
    np.fill_diagonal(likeness, np.nan)
    assert np.nanmean(likeness[same]) > np.nanmean(likeness[~same]) + 0.3
    assert (vectors[:, :2] != 0).any(axis=1).all()


def test_the_same_seed_gives_the_same_directions() -> None:
    one, other = learnt(tiny_items()), learnt(tiny_items())
    np.testing.assert_array_equal(one.table.terms, other.table.terms)
    turned = learnt(tiny_items(), seed=2)
    assert not np.allclose(one.table.terms, turned.table.terms)


def test_embeddings_of_the_site_are_learnt_with_the_words() -> None:
    dice = np.random.Generator(np.random.PCG64(1))
    mine, yours = dice.standard_normal((2, 8))
    items = [
        Item(item_id=f"i{n}", title=f"word{n % 7} thing{n % 5}", embedding=tuple(
            ((mine, yours)[n % 2] + 0.1 * dice.standard_normal(8)).tolist()
        ))
        for n in range(60)
    ]  # fmt: skip
    vectors = learnt(items).encode(
        [Item(item_id=f"x{n}", embedding=items[n].embedding) for n in range(4)]
    )
    assert vectors[0] @ vectors[2] > vectors[0] @ vectors[1] + 0.5


def test_with_too_few_items_or_words_nothing_is_learnt() -> None:
    assert learn_encoder(catalog([]), 1) is None
    assert learn_encoder(catalog(tiny_items()[:10]), 1) is None
    assert learn_encoder(catalog([Item(item_id=f"i{n}") for n in range(50)]), 1) is None
    assert (
        learn_encoder(catalog([Item(item_id=f"i{n}", title=f"w{n}") for n in range(50)]), 1) is None
    )


def test_a_large_catalogue_is_learnt_from_a_part_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    items = catalog(tiny_items())
    monkeypatch.setattr(content, "MOST_ITEMS", 30)
    assert len(content._sample(items, 1)) == 30
    assert content._sample(items, 1) == content._sample(items, 1)
