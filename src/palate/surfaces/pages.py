"""Pages of a site: `home`, and what ``[pages.NAME]`` names; each a choice of surfaces as rows."""

from collections.abc import Collection

from palate.errors import BadInput, Problem
from palate.settings import PageSettings, Settings

HOME = "home"


def pages_of(settings: Settings) -> dict[str, PageSettings]:
    """Every page by name."""
    return {HOME: PageSettings(), **settings.pages}


def check_pages(settings: Settings, there: Collection[str]) -> None:
    """Raise BadInput where a page names a surface that is not `there`."""
    for name, page in pages_of(settings).items():
        for surface in (*page.rows, *page.first):
            if surface not in there:
                what = f"there is no surface {surface!r}; there are {', '.join(there)}"
                raise BadInput(f"[pages.{name}] {what}", [Problem(f"/pages/{name}", what)])
