"""Is an item on the visitor's page, and if not, what became of it: `/v1/why`, in words."""

from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlencode

from palate.console import words
from palate.console.api import Json
from palate.console.shelves import HOME
from palate.console.story import number
from palate.console.visitor import Visitor

RANK = " rank"
"""What ends the name of a cost that is a generator's word."""


class Way(NamedTuple):
    """One generator, and how near the item was to being proposed by it."""

    label: str
    rank: str
    needed: str


class Lack(NamedTuple):
    """What costs the item."""

    label: str
    says: str


@dataclass(frozen=True, slots=True)
class Absence:
    """What the page prints."""

    title: str
    sentence: str
    cure: str
    then: str
    reason: str
    costs: tuple[Lack, ...]
    ways: tuple[Way, ...]
    """Generators that know the item."""
    address: str
    """Of the API, which says the same in full."""


def absence(told: Json, visitor: Visitor) -> Absence:
    """The answer of `/v1/why` for people."""
    asked = urlencode({**visitor.query(), "item_id": told["item_id"]})
    return Absence(
        title=str(told["title"]),
        sentence=_capital(told["sentence"]),
        cure=_capital(told["cure"]),
        then=_capital(told["then"]),
        reason=str((told.get("reason") or {}).get("text", "")),
        costs=tuple(
            Lack(_label(c["name"], c["meaning"]), number(c["cost"])) for c in told["costs"]
        ),
        ways=tuple(
            Way(words.generator(name)[0], str(vote["rank"]), str(vote["needed"] or ""))
            for name, vote in told["generators"].items()
            if vote
        ),
        address=f"/v1/why/{HOME}?{asked}",
    )


def _label(name: str, meaning: str) -> str:
    if name.endswith(RANK):
        return f"How high “{words.generator(name.removesuffix(RANK))[0]}” ranked it"
    return words.feature(name, meaning)


def _capital(sentence: str) -> str:
    """With a great letter in front.

    >>> _capital("it ranked 83, and the page has 20 places")
    'It ranked 83, and the page has 20 places'
    """
    return sentence[:1].upper() + sentence[1:]
