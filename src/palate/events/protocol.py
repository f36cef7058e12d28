"""What an event log promises; `palate.testing.event_log` holds every back-end to it."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol, TypeAlias

from palate.events.kinds import Event

PART = 20_000
"""Events in memory at a time, where a log is read from end to end."""


class Appended(NamedTuple):
    """What became of a batch."""

    accepted: int
    duplicates: int


class Logged(NamedTuple):
    """An event with its place in the log (positions grow, with gaps) and when it came in."""

    position: int
    received: float
    event: Event


class Traces(NamedTuple):
    """What the log holds of a user since they were last forgotten."""

    events: int
    sessions: tuple[str, ...]
    """Those that the user claimed, in the order of their first event."""


class Renamed(NamedTuple):
    """What became of a user's name in the log."""

    events: int
    """How many of the user's events were changed."""
    sessions: dict[str, str]
    """The sessions that the user had claimed: their old names and their new ones."""


Then: TypeAlias = Callable[[Traces], Sequence[Event]]
"""The FORGET events that follow from what a user left."""


class ForgetsUsers(Protocol):
    """Takes names out of a log, in two steps: see `serving.forgetting`."""

    def announce(self, user_id: str, then: Then) -> Traces:
        """Store what `then` makes of a user's traces, in the transaction that finds them.

        The events are received at their own time. No name changes.
        """
        ...

    def pseudonymise(self, user_id: str, pseudonym: str, until: int) -> Renamed:
        """Replace a user, and their sessions, by names that lead nowhere; drop events' context.

        It ends with the user's newest FORGET event up to the position `until`, which loses the name
        as well; what came after it keeps it, and without one nothing is changed. Item counts and
        co-visitation stay as they were: where all that is changed was folded before, a log that is
        folded anew leads to the same state.
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


def read_log(log: EventLog, after: int = 0, until: int | None = None) -> Iterator[list[Logged]]:
    """The events after a position, in log order and in parts, up to `until` (the end by default).

    What is appended meanwhile is read too where no `until` says otherwise.
    """
    while part := log.read(after, PART):
        after = part[-1].position
        if until is not None and after >= until:
            if part := [each for each in part if each.position <= until]:
                yield part
            return
        yield part
