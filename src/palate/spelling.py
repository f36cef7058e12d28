"""What somebody probably meant by a name that there is not."""

from collections.abc import Callable, Collection
from difflib import get_close_matches


def hint(name: str, there: Collection[str], said: Callable[[str], str] = repr) -> str:
    """The name that is like it, or all that there are; `said` is how names are written there.

    >>> hint("titel", ["title", "creator"])
    "did you mean 'title'?"
    >>> hint("zzz", ["title", "creator"])
    'one of: title, creator'
    """
    return near(name, there, said) or f"one of: {', '.join(there) or 'none'}"


def near(name: str, there: Collection[str], said: Callable[[str], str] = repr) -> str:
    """The name that is like it, as a question; "" where none is."""
    alike = get_close_matches(name, there, 1)
    return f"did you mean {said(alike[0])}?" if alike else ""
