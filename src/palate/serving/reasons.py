"""Why an item is there, in a sentence: the funnel gives kind and items, here they get words.

The words say no more than is known: what the visitor did with the items that are named ("liked",
"opened"), and how sure the generator is that one is like the other.
"""

from collections.abc import Collection, Mapping
from functools import lru_cache

import numpy as np

from palate.events.kinds import Kind, Signal
from palate.features.record import UserState
from palate.funnel.types import Reason, ReasonKind
from palate.index.slots import outside
from palate.serving.bodies import ReasonBody
from palate.serving.names import Named
from palate.serving.wording.wordings import Wording, english

FAINT = 0.35
"""Below this likeness (a cosine) of what the items are, "similar" would say too much."""
VIEWED = "viewed"
STRENGTH = (Kind.CLICK, Kind.PICK, Kind.VIEW, Kind.RATING, Kind.LIKE, Kind.PURCHASE)
"""From the weakest to the strongest thing to have done with an item; the strongest is said."""
SAID = {
    Kind.CLICK: "opened",
    Kind.PICK: "picked",
    Kind.RATING: "rated",
    Kind.LIKE: "liked",
    Kind.PURCHASE: "bought",
}
AS_LIKING = frozenset({Kind.SAVE, Kind.SHARE, Kind.RATING})
"""Kinds that, with a positive signal, say that the item was liked."""


def reason_body(
    reason: Reason,
    names: Mapping[int, Named],
    done: Mapping[int, str] | None = None,
    own: int = -1,
    words: Wording | None = None,
) -> ReasonBody:
    """The reason as it goes over the wire.

    `names` holds what is known of the reason's rows, `done` what the visitor did with them (see
    `deeds`). An item is never its own reason: the row `own` is left out. Without `words` it is told
    in English.
    """
    words = words or english()
    if not reason.rows:
        return _plain(reason.kind, reason.trait, reason.generator, reason.rule, words)
    rows = [row for row in reason.rows if row in names and row != own]
    named = [names[row] for row in rows]
    verbs = {(done or {}).get(row, "") for row in rows}
    weights = dict(zip(reason.rows, reason.weights, strict=False))
    return ReasonBody(
        kind=reason.kind,
        text=_text(reason, [e.title for e in named], verbs.pop() if len(verbs) == 1 else "", words),
        item_ids=tuple([each.item_id for each in named]),
        weights=tuple([round(weights[row], 4) for row in rows if row in weights]),
        trait=reason.trait,
        generator=reason.generator,
        rule=reason.rule,
    )


@lru_cache(maxsize=4_096)
def _plain(kind: ReasonKind, trait: str, generator: str, rule: str, words: Wording) -> ReasonBody:
    """A reason that names no item: many entries, on many pages, have the same."""
    text = sentence(kind, [], trait, words=words)
    return ReasonBody(kind=kind, text=text, trait=trait, generator=generator, rule=rule)


def deeds(user: UserState, rows: Collection[int], viewed: str = VIEWED) -> dict[int, str]:
    """What the visitor did with these items, the strongest of each in a word ("liked").

    `viewed` is the site's word for taking an item in.
    """
    strongest: dict[int, int] = {}
    if not rows:
        return {}
    wanted = np.fromiter(rows, np.int32, len(rows))
    places = np.flatnonzero(~outside(user.history, np.sort(wanted)))
    for at, row in zip(places.tolist(), user.history[places].tolist(), strict=True):
        said = strength(int(user.kinds[at]), int(user.signals[at]))
        strongest[row] = max(strongest.get(row, -1), said)
    return {row: deed_word(at, viewed) for row, at in strongest.items() if at >= 0}


@lru_cache(maxsize=256)
def deed_word(at: int, viewed: str = VIEWED) -> str:
    """The word for a place in `STRENGTH`: what the visitor did.

    >>> deed_word(STRENGTH.index(Kind.LIKE))
    'liked'
    """
    return (SAID | {Kind.VIEW: viewed})[STRENGTH[at]]


def sentence(
    kind: ReasonKind,
    titles: list[str],
    trait: str,
    verb: str = "",
    words: Wording | None = None,
) -> str:
    """One sentence for people; `verb` is what they did with the items.

    >>> sentence("because_of_items", ["Heat", "Alien", "Big"], "")
    'Because of Heat, Alien and Big'
    >>> sentence("because_of_items", ["Heat"], "", "liked")
    'Because you liked Heat'
    >>> sentence("popular", [], "Drama")
    'Popular in Drama'
    """
    words = words or english()
    if titles and verb and kind == "because_of_items":
        done = words.deeds.get(verb, verb)
        return words.phrases["done"].format(verb=done, items=words.listed(titles))
    if titles and kind in words.about_items:
        return words.about_items[kind].format(items=words.listed(titles))
    if trait and kind in words.about_trait:
        return words.about_trait[kind].format(trait=words.traits.get(trait, trait))
    return words.plain[kind]


def _text(reason: Reason, titles: list[str], verb: str, words: Wording) -> str:
    if titles and reason.kind == "similar_to_item":
        if reason.generator in words.likeness:
            return words.likeness[reason.generator].format(items=words.listed(titles))
        if reason.weights and reason.weights[0] < FAINT:
            return words.phrases["faint"].format(items=words.listed(titles))
    return sentence(reason.kind, titles, reason.trait, verb, words)


@lru_cache(maxsize=4_096)
def strength(kind: int, signal: int) -> int:
    """Its place in `STRENGTH`; -1 for what gives no reason."""
    if signal & Signal.NEGATIVE:
        return -1
    if kind in AS_LIKING and signal & Signal.POSITIVE:
        return STRENGTH.index(Kind.LIKE)
    return STRENGTH.index(Kind(kind)) if kind in STRENGTH else -1
