from typing import get_args

import pytest
from tests.serving.conftest import SmallSite

from palate.funnel.types import Reason, ReasonKind
from palate.serving.names import Named
from palate.serving.reasons import reason_body, sentence

NAMES = {1: Named("i1", "Heat"), 2: Named("i2", "Alien")}
BECAUSE = Reason("because_of_items", (1, 2), (0.6, 0.4), generator="covisit")


def test_the_sentence_names_the_items_it_is_because_of() -> None:
    body = reason_body(BECAUSE, NAMES)
    assert body.text == "Because of Heat and Alien"
    assert body.item_ids == ("i1", "i2")
    assert body.generator == "covisit"
    assert body.weights == (0.6, 0.4)


def test_it_says_what_was_done_with_them_where_that_was_the_same() -> None:
    assert reason_body(BECAUSE, NAMES, {1: "liked", 2: "liked"}).text == (
        "Because you liked Heat and Alien"
    )
    assert reason_body(BECAUSE, NAMES, {1: "liked", 2: "opened"}).text == (
        "Because of Heat and Alien"
    )
    assert reason_body(BECAUSE, NAMES, {1: "liked"}).text == "Because of Heat and Alien"


def test_an_item_is_never_its_own_reason() -> None:
    body = reason_body(BECAUSE, NAMES, {1: "liked", 2: "opened"}, own=1)
    assert body.text == "Because you opened Alien"
    assert body.item_ids == ("i2",)
    assert reason_body(Reason("taste", (1,)), NAMES, own=1).text == "It fits your taste"


def test_an_item_without_a_name_is_left_out() -> None:
    body = reason_body(Reason("similar_to_item", (9,)), NAMES)
    assert body.text == "Similar to what you are looking at"
    assert body.item_ids == ()


@pytest.mark.parametrize(
    ("generator", "weight", "text"),
    [
        ("covisit", 1.0, "Others who chose Heat chose this too"),
        ("two_tower", 1.0, "For the same taste as Heat"),
        ("content", 0.8, "Similar to Heat"),
        ("content", 0.1, "A little like Heat"),
    ],
)
def test_likeness_is_said_as_strongly_as_it_is_known(
    generator: str, weight: float, text: str
) -> None:
    reason = Reason("similar_to_item", (1,), (weight,), generator=generator)
    assert reason_body(reason, NAMES).text == text


@pytest.mark.parametrize("kind", get_args(ReasonKind))
def test_every_kind_has_a_sentence_with_and_without_detail(kind: ReasonKind) -> None:
    for titles in ([], ["Heat"]):
        for trait in ("", "Drama"):
            for verb in ("", "liked"):
                text = sentence(kind, titles, trait, verb)
                assert text
                assert "{" not in text


def test_a_trait_is_named() -> None:
    assert sentence("trending", [], "Drama") == "Trending in Drama"


@pytest.mark.parametrize(
    ("event", "words"),
    [
        ({"kind": "click"}, "Because you opened "),
        ({"kind": "view", "value": 0.2}, "Because you viewed "),
        ({"kind": "rating", "value": 3.0}, "Because you rated "),
        ({"kind": "rating", "value": 5.0}, "Because you liked "),
        ({"kind": "like"}, "Because you liked "),
        ({"kind": "purchase"}, "Because you bought "),
    ],
)
def test_the_strongest_thing_that_was_done_is_said(
    site: SmallSite, event: dict[str, object], words: str
) -> None:
    who = {"session_id": "s9", "item_id": "space-1"}
    site.send({"kind": "click", **who}, event | who)
    assert words in str(site.slate(session_id="s9"))
