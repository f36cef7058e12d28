import pytest

from palate.console.cards import (
    FORM_COUNT,
    HUE_COUNT,
    Heading,
    card_of,
    hue_of,
    row_of,
    title_and_year,
)


def test_the_year_comes_from_the_attribute_the_title_or_the_date() -> None:
    assert title_and_year({"item_id": "1", "title": "A", "attributes": {"year": 1995}})[1] == "1995"
    assert title_and_year({"item_id": "1", "title": "A (1994)"})[1] == "1994"
    assert title_and_year({"item_id": "1", "published_at": "1993-01-01T00:00:00Z"}) == ("1", "1993")


def test_a_card_without_anything_but_an_id_can_be_printed() -> None:
    card = card_of({"item_id": "x"})
    assert card.title == "x"
    assert 0 <= card.hue < HUE_COUNT
    assert 0 <= card.form < FORM_COUNT


def test_a_genre_always_wears_the_same_colour() -> None:
    assert hue_of("Drama") == hue_of("drama")
    assert hue_of("Telenovela") == hue_of("Telenovela")
    card = card_of({"item_id": "1", "title": "x", "categories": ["Drama", "War"]})
    assert (card.hue, card.second_hue) == (hue_of("Drama"), hue_of("War"))


@pytest.mark.parametrize(
    ("title", "size"),
    [
        ("Heat", "short"),
        ("The Remains of the Day", "long"),
        ("Koyaanisqatsi!", "very-long"),
        ("Dr. Strangelove or: How I Learned to Stop Worrying", "very-long"),
    ],
)
def test_a_title_is_set_as_large_as_it_fits(title: str, size: str) -> None:
    assert card_of({"item_id": "1", "title": title}).size == size


def test_a_row_leaves_out_what_the_catalogue_forgot() -> None:
    entry = {"position": 1, "score": 0.5, "reason": {"text": "Because", "item_ids": ["2"]}}
    slate = {"surface": "home", "items": [entry | {"item_id": "1"}, entry | {"item_id": "gone"}]}
    row = row_of(slate, {"1": {"item_id": "1"}}, Heading("For you"))
    assert [card.item_id for card in row.cards] == ["1"]
    assert row.cards[0].because == ("2",)
