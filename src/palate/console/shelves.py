"""The rows of the storefront: which surface, under which words."""

from collections.abc import Sequence

from palate.console.cards import Row, row_of, title_and_year
from palate.console.visitor import Visitor
from palate.console.window import Window
from palate.errors import NotFound, PalateError

HOME, TRENDING = "home", "trending"
MORE, BECAUSE = "more_like_this", "because_you_watched"
SURFACES = (HOME, BECAUSE, TRENDING, MORE)
SIZE = 20


async def shelf(window: Window, surface: str, visitor: Visitor, item_id: str = "") -> Row:
    """One surface as a row. Raises NotFound for a surface the storefront does not show."""
    if surface not in SURFACES:
        raise NotFound(f"the storefront has no row {surface!r}; it shows {', '.join(SURFACES)}")
    asked = item_id if surface == MORE else ""
    slate = await window.api.slate(surface, visitor, limit=SIZE, item_id=asked)
    anchor = str(slate.get("anchor") or "")
    wanted = [e["item_id"] for e in slate.get("items", ())] + ([anchor] if anchor else [])
    items = await window.api.items(wanted, window.clock.now())
    title = title_and_year(items[anchor])[0] if anchor in items else ""
    return row_of(slate, items, _heading(surface, title), item_id if surface == MORE else "")


async def shelves(window: Window, surfaces: Sequence[str], visitor: Visitor) -> list[Row]:
    """Several rows; one that cannot be had is empty, the others stand."""
    return [await _shelf_or_empty(window, surface, visitor) for surface in surfaces]


async def _shelf_or_empty(window: Window, surface: str, visitor: Visitor) -> Row:
    try:
        return await shelf(window, surface, visitor)
    except PalateError:
        return row_of({"surface": surface}, {}, _heading(surface, ""), "")


def _heading(surface: str, anchor: str) -> tuple[str, str]:
    return {
        HOME: ("For you", "From every generator, ranked together"),
        TRENDING: ("Trending", "What is rising just now, whoever you are"),
        BECAUSE: (f"Because you watched {anchor}" if anchor else "Because of what you watched", ""),
        MORE: ("More like this", ""),
    }[surface]
