"""The rows of the storefront: which surface, under which words."""

from collections.abc import Sequence

from palate.console.api import Json
from palate.console.cards import Heading, Row, row_of, title_and_year
from palate.console.deeds import strongest
from palate.console.visitor import Visitor
from palate.console.window import Window
from palate.errors import NotFound, PalateError

HOME, TRENDING, ONBOARDING = "home", "trending", "onboarding"
MORE, BECAUSE = "more_like_this", "because_you_watched"
SURFACES = (HOME, BECAUSE, TRENDING, MORE, ONBOARDING)
SIZE = 20
TITLES = {
    HOME: "For you",
    TRENDING: "Trending",
    BECAUSE: "Because of what you did",
    MORE: "More like this",
    ONBOARDING: "Pick a few you like",
}
FOR_ALL = frozenset({"trending", "popular", "fresh", "newest", "explore"})
"""Kinds of reasons that say nothing of the visitor."""
NEW = frozenset({"fresh", "explore"})


async def shelf(
    window: Window,
    surface: str,
    visitor: Visitor,
    on_screen: str = "",
    above: Sequence[str] = (),
) -> Row:
    """One surface as a row; the item `on_screen` is never in it, nor what stands `above`.

    Raises NotFound for a surface the storefront does not show.
    """
    if surface not in SURFACES:
        raise NotFound(f"the storefront has no row {surface!r}; it shows {', '.join(SURFACES)}")
    about = on_screen if surface == MORE else ""
    without = [*([on_screen] if on_screen else []), *above]
    slate = await window.api.slate(surface, visitor, limit=SIZE, item_id=about, without=without)
    anchor = str(slate.get("anchor") or about)
    wanted = [e["item_id"] for e in slate.get("items", ())] + ([anchor] if anchor else [])
    items = await window.api.items(wanted, window.clock.now())
    heading = Heading(TITLES[surface], note=note(surface, slate), item_id=anchor)
    if surface == BECAUSE and anchor in items:
        heading = await _because(window, visitor, items[anchor])
    return row_of(slate, items, heading, on_screen)


async def shelves(
    window: Window, surfaces: Sequence[str], visitor: Visitor, on_screen: str = ""
) -> list[Row]:
    """Several rows, no item twice; one that cannot be had is empty, the others stand."""
    found, above = list[Row](), list[str]()
    for surface in surfaces:
        found.append(await _shelf_or_empty(window, surface, visitor, on_screen, above))
        above += [card.item_id for card in found[-1].cards]
    return found


async def _shelf_or_empty(
    window: Window, surface: str, visitor: Visitor, on_screen: str, above: Sequence[str]
) -> Row:
    try:
        return await shelf(window, surface, visitor, on_screen, above)
    except PalateError:
        return row_of({"surface": surface}, {}, Heading(TITLES[surface]), on_screen)


def note(surface: str, slate: Json) -> str:
    """What a row is made of, as far as its reasons say so."""
    if surface == ONBOARDING:
        return "Or skip this: a click anywhere tells something, too"
    kinds = [str(entry["reason"]["kind"]) for entry in slate.get("items", ())]
    if surface == HOME and kinds:
        return _of_home(kinds)
    if surface == TRENDING and kinds:
        rising = kinds.count("trending")
        if rising == len(kinds):
            return "What is rising just now, whoever you are"
        if rising:
            return "What is rising just now, then what most people take in"
        return "Nothing is rising just now, so this is what most people take in"
    return ""


def _of_home(kinds: Sequence[str]) -> str:
    if not FOR_ALL.issuperset(kinds):
        return "Found and ranked for you, by what you did"
    mostly_new = 2 * sum(kind in NEW for kind in kinds) > len(kinds)
    return f"{'What is new here, and w' if mostly_new else 'W'}hat others take in, for a start"


async def _because(window: Window, visitor: Visitor, anchor: Json) -> Heading:
    """Because you liked Heat, or opened it: by what the visitor really did with the anchor."""
    name = str(anchor["item_id"])
    did = strongest(await window.api.history(visitor), name, window.site.viewed)
    title = f"Because you {did}" if did else "Because of"
    return Heading(title, title_and_year(anchor)[0], item_id=name)
