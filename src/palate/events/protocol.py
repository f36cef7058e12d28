"""What an event log promises; `palate.testing.event_log` holds every back-end to it."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, TypeAlias

from palate.events.kinds import Event


class Appended(NamedTuple):
    """What became of a batch."""

    accepted: int
    duplicates: int


class Logged(NamedTuple):
    """An event with its place in the log (positions grow, with gaps) and when it came in."""

    position: int
    received: float
    event: Event


class Renamed(NamedTuple):
    """What became of a user's name in the log."""

    events: int
    """How many of the user's events were changed."""
    sessions: dict[str, str]
    """The sessions that the user had claimed: their old names and their new ones."""


Then: TypeAlias = Callable[[Renamed], Sequence[Event]]
"""Events that follow from a renaming."""


class ForgetsUsers(Protocol):
    """Takes names out of a log."""

    def pseudonymise(
        self, user_id: str, pseudonym: str, *, forgets: bool = False, then: Then | None = None
    ) -> Renamed:
        """Replace a user, and their sessions, by names that lead nowhere; drop events' context.

        Item counts and co-visitation stay as they were. FORGET events keep the name until they are
        folded; with `forgets` it is taken from them, and from nothing that came since. The events
        that `then` makes of it are stored in the same transaction, as received at their own time.
        """
        ...

    def forgets(self) -> list[tuple[str, str]]:
        """User and session of every FORGET event, each once, under their names of now."""
        ...


class EventLog(ForgetsUsers, Protocol):
    """The only truth: everything else can be rebuilt from it."""

    def append(self, events: Sequence[Event], received: float) -> Appended:
        """Store a batch, all or nothing; durable (fsync) when it returns.

        An event whose id the log already holds is counted as a duplicate and changes nothing.
        """
        ...

    def append_all(self, batches: Sequence[Sequence[Event]], received: float) -> list[Appended]:
        """Store several callers' batches in one transaction; one answer per batch, in order."""
        ...

    def read(self, after: int, limit: int) -> list[Logged]:
        """Up to `limit` events with a position greater than `after`, in log order.

        One that does not read back holds up none of the others: it comes as UNREADABLE.
        """
        ...

    def end(self) -> int:
        """The position of the newest event; 0 where the log is empty."""
        ...

    def count(self) -> int:
        """How many events are held."""
        ...

    def close(self) -> None:
        """Release what is held open."""
        ...
