from typing import get_args

import pytest

from palate.funnel.types import Reason, ReasonKind
from palate.serving.names import Named
from palate.serving.reasons import reason_body, sentence

NAMES = {1: Named("i1", "Heat"), 2: Named("i2", "Alien")}


def test_the_sentence_names_the_items_it_is_because_of() -> None:
    body = reason_body(Reason("because_of_items", (1, 2), (0.6, 0.4), generator="covisit"), NAMES)
    assert body.text == "Because you watched Heat and Alien"
    assert body.item_ids == ("i1", "i2")
    assert body.generator == "covisit"
    assert body.weights == (0.6, 0.4)


def test_an_item_without_a_name_is_left_out() -> None:
    body = reason_body(Reason("similar_to_item", (9,)), NAMES)
    assert body.text == "Similar to what you are looking at"
    assert body.item_ids == ()


@pytest.mark.parametrize("kind", get_args(ReasonKind))
def test_every_kind_has_a_sentence_with_and_without_detail(kind: ReasonKind) -> None:
    for titles in ([], ["Heat"]):
        for trait in ("", "Drama"):
            text = sentence(kind, titles, trait)
            assert text
            assert "{" not in text


def test_a_trait_is_named() -> None:
    assert sentence("trending", [], "Drama") == "Trending in Drama"
