import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from palate.catalog.content import _Directions, content_vector, content_vectors
from palate.catalog.encoder import CONTENT_DIM
from palate.catalog.item import Item


def cosine(one: Item, other: Item) -> float:
    return float(content_vector(one) @ content_vector(other))


def titled(title: str, **fields: object) -> Item:
    return Item(item_id=title, title=title, **fields)  # type: ignore[arg-type]


@given(
    st.builds(
        Item,
        item_id=st.just("i"),
        title=st.text(max_size=20),
        text=st.text(max_size=40),
        categories=st.lists(st.text(min_size=1, max_size=5), max_size=3).map(tuple),
        published_at=st.none() | st.floats(-2e9, 7e9),
        embedding=st.lists(st.floats(-9, 9), max_size=4).map(tuple),
    )
)
def test_a_vector_has_unit_length_or_says_nothing(item: Item) -> None:
    vector = content_vector(item)
    assert vector.shape == (CONTENT_DIM,)
    assert vector.dtype == np.float32
    length = float(np.linalg.norm(vector))
    assert length == pytest.approx(1, abs=1e-5) or length == 0


def test_an_item_that_says_nothing_is_zero() -> None:
    assert not content_vector(Item(item_id="x", embedding=(0.0, 0.0))).any()
    assert not content_vector(titled("…!")).any()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Toy Story", "Toy Soldiers"),
        ("Star Wars", "Star Trek"),
        ("The Godfather", "The Godfather: Part II"),
        ("Brazil", "brazil!"),
        ("Über den Wolken", "Unter Wolken"),
        ("Семь самураев", "Самураев"),
    ],
)
def test_a_shared_word_in_the_title_brings_items_together(one: str, other: str) -> None:
    assert cosine(titled(one), titled(other)) > 0.2


def test_more_in_common_is_nearer() -> None:
    film = titled("Alien", categories=("Horror", "Sci-Fi"), creator_id="Scott")
    sequel = titled("Aliens", categories=("Horror", "Sci-Fi"), creator_id="Scott")
    other = titled("Gidget", categories=("Comedy",), creator_id="Wendkos")
    assert cosine(film, sequel) > 0.5 > abs(cosine(film, other))


def test_words_that_stand_everywhere_say_little() -> None:
    assert abs(cosine(titled("The Piano"), titled("The Matrix"))) < 0.35


@pytest.mark.parametrize("field", ["text", "kind", "creator_id"])
def test_every_field_counts(field: str) -> None:
    one, other = (titled(name, **{field: "same"}) for name in ("Alpha", "Omega"))
    bare = cosine(titled("Alpha"), titled("Omega"))
    assert cosine(one, other) > bare


def test_the_decade_counts_even_before_1970() -> None:
    at = [titled(str(n), published_at=n * 31_556_952.0) for n in (-35.5, -32.0)]
    bare = [titled(str(n)) for n in (-35.5, -32.0)]
    assert cosine(*at) > cosine(*bare)


def test_the_sites_own_embedding_is_kept_by_the_projection() -> None:
    near, alike, far = (
        Item(item_id="x", embedding=tuple(vector))
        for vector in ([1.0] * 256, [1.0] * 250 + [0.5] * 6, [1.0, -1.0] * 128)
    )
    assert cosine(near, alike) > 0.95
    assert abs(cosine(near, far)) < 0.5
    large, small = (Item(item_id="y", embedding=(size,) * 3) for size in (1e299, 1e-299))
    assert cosine(large, small) == pytest.approx(1)


def test_a_batch_gives_what_single_items_give() -> None:
    items = [titled(f"Film {n}", tags=(f"t{n}",)) for n in range(20)]
    np.testing.assert_array_equal(
        content_vectors(items), np.stack([content_vector(item) for item in items])
    )


def test_the_directions_never_change() -> None:
    # Golden: files of content vectors outlive a version of ours.
    assert content_vector(titled("palate"))[:8].tolist() == pytest.approx(
        [0.125, -0.125, -0.125, -0.125, -0.125, -0.125, 0.125, 0.125], abs=1e-6
    )


def test_a_full_memory_of_words_starts_over_with_the_same_directions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("palate.catalog.content.CACHED", 5)
    words = _Directions()
    many = [f"word{n}" for n in range(3_000)]
    before = words.mean(many)
    words.forget()
    assert len(words._place) == 0
    np.testing.assert_array_equal(words.mean(many), before)
