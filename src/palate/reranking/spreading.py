"""The rules that spread a page over what there is, as strongly as the release says they may."""

from palate.funnel.stages import Rule
from palate.reranking.at_most import AtMost
from palate.reranking.diversify import Diversify
from palate.stores import Stores

STRENGTH, CAP, SCREEN = 0.1, 6, 12
"""In full: of `Diversify`, and how many of a category the first screen holds."""


def spreading(share: float) -> tuple[Rule, ...]:
    """Diversify, and behind it a cap on each category, at this share of their strength (0 to 1).

    The cap widens as the share falls, until it lets everything pass. Both are there in any case,
    for a surface's settings to change.
    """
    cap = min(SCREEN, round(CAP / share)) if share > 0.0 else SCREEN
    return Diversify(strength=STRENGTH * share), AtMost("categories", cap=cap, screen=SCREEN)


def spread_of(stores: Stores) -> float:
    """How much of it the live release allows; all of it without one."""
    return stores.release.manifest.spread if stores.release else 1.0
