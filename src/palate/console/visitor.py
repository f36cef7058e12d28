"""Who is looking: a user of the site, or a visitor without an account. A cookie remembers which."""

from dataclasses import dataclass
from urllib.parse import quote, unquote

from palate.clock import Clock

COOKIE = "palate_visitor"
YEAR = 365 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Visitor:
    """Exactly one of the two ids is set."""

    user_id: str = ""
    session_id: str = ""

    @classmethod
    def fresh(cls, clock: Clock) -> "Visitor":
        """Somebody nobody has seen before."""
        return cls(session_id=f"visitor-{clock.draw():016x}")

    @classmethod
    def of(cls, cookie: str | None) -> "Visitor | None":
        """Read the cookie's value; None where it is missing or not ours.

        >>> Visitor.of(Visitor(user_id="a b").cookie())
        Visitor(user_id='a b', session_id='')
        """
        kind, _, name = (cookie or "").partition(".")
        if kind not in ("user", "session") or not name:
            return None
        return cls(**{f"{kind}_id": unquote(name)})

    def cookie(self) -> str:
        """The cookie's value, safe in a header."""
        kind = "user" if self.user_id else "session"
        return f"{kind}.{quote(self.user_id or self.session_id, safe='')}"

    def query(self) -> dict[str, str]:
        """The parameters that name this visitor to the API."""
        return {"user_id": self.user_id} if self.user_id else {"session_id": self.session_id}

    @property
    def name(self) -> str:
        """How a page calls them."""
        return f"user {self.user_id}" if self.user_id else "a new visitor"
