"""Which languages a browser says that its visitor reads."""

from contextvars import ContextVar

SPOKEN: ContextVar[tuple[str, ...]] = ContextVar("spoken", default=())
"""Of the request under way, what is liked best first."""
MOST = 10
"""Languages that are looked at."""


def spoken(header: str) -> tuple[str, ...]:
    """The tags of an ``Accept-Language`` header (RFC 9110, 12.5.4), best first.

    >>> spoken("en;q=0.5, de-AT, fr;q=0.8, *;q=0.1")
    ('de-AT', 'fr', 'en')
    """
    found = []
    for part in header.split(",")[:MOST]:
        tag, _, weight = part.partition(";")
        try:
            quality = float(weight.strip().removeprefix("q=") or 1.0)
        except ValueError:
            continue
        if quality > 0 and tag.strip() not in {"", "*"}:
            found.append((-quality, tag.strip()))
    return tuple(tag for _, tag in sorted(found, key=lambda each: each[0]))
