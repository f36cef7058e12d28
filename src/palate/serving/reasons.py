"""Why an item is there, in a sentence: the funnel gives kind and items, here they get words."""

from collections.abc import Mapping

from palate.funnel.types import Reason, ReasonKind
from palate.serving.bodies import ReasonBody
from palate.serving.names import Named

PLAIN: dict[ReasonKind, str] = {
    "because_of_items": "Because of what you watched",
    "similar_to_item": "Similar to what you are looking at",
    "taste": "It fits your taste",
    "followed": "From somebody you follow",
    "trending": "Trending now",
    "popular": "Popular with everybody",
    "fresh": "New here",
    "explore": "Something new, to learn what you like",
}
"""Where there is no item and no trait to name."""

ABOUT_ITEMS: dict[ReasonKind, str] = {
    "because_of_items": "Because you watched {}",
    "similar_to_item": "Similar to {}",
    "taste": "It fits your taste for {}",
}

ABOUT_TRAIT: dict[ReasonKind, str] = {
    "taste": "Because you like {}",
    "followed": "From {}, whom you follow",
    "trending": "Trending in {}",
    "popular": "Popular in {}",
    "fresh": "New in {}",
    "explore": "Something new in {}, to learn what you like",
}


def reason_body(reason: Reason, names: Mapping[int, Named]) -> ReasonBody:
    """The reason as it goes over the wire; `names` holds what is known of the reason's rows."""
    named = [names[row] for row in reason.rows if row in names]
    weights = dict(zip(reason.rows, reason.weights, strict=False))
    return ReasonBody(
        kind=reason.kind,
        text=sentence(reason.kind, [each.title for each in named], reason.trait),
        item_ids=tuple(each.item_id for each in named),
        weights=tuple(
            round(weights[row], 4) for row in reason.rows if row in names and row in weights
        ),
        trait=reason.trait,
        generator=reason.generator,
    )


def sentence(kind: ReasonKind, titles: list[str], trait: str) -> str:
    """One sentence for people.

    >>> sentence("because_of_items", ["Heat", "Alien", "Big"], "")
    'Because you watched Heat, Alien and Big'
    >>> sentence("popular", [], "Drama")
    'Popular in Drama'
    """
    if titles and kind in ABOUT_ITEMS:
        return ABOUT_ITEMS[kind].format(_listed(titles))
    if trait and kind in ABOUT_TRAIT:
        return ABOUT_TRAIT[kind].format(trait)
    return PLAIN[kind]


def _listed(titles: list[str]) -> str:
    *most, last = titles
    return f"{', '.join(most)} and {last}" if most else last
