"""Plain histories into the catalogue and the log.

Where a file does not say when anything happened, times are made up: a day between any two things
that a user took, and everybody's newest on the day of the import. What came last in a history is
then what is newest on the site, for every user alike, and what training holds back is everybody's
end.
"""

from collections.abc import Mapping, Sequence
from hashlib import blake2b

import msgspec

from palate.clock import Clock
from palate.events.kinds import Event, Kind
from palate.intake.histories import Histories
from palate.intake.importing import Progress, append_in_order
from palate.intake.listing import create, unlisted
from palate.intake.time_order import TimeOrder
from palate.stores import Sources

DAY = 86_400.0
LONGEST = 30 * 365 * DAY
"""The longest history spans no more; its days are shorter then, and everybody's with them."""
_encode = msgspec.json.Encoder().encode


def store_histories(
    histories: Histories, kind: str, sources: Sources, clock: Clock, progress: Progress
) -> tuple[int, int]:
    """Make the items that are not known, append the events; (new events, new items).

    An event's id is made of its user, item and place, not of its time, so doing it again on another
    day adds nothing, and a history that has grown since adds its end.
    """
    told = {item for history in histories.items.values() for item in history}
    made = create(unlisted(sorted(told), sources), sources)
    newest = clock.now() // DAY * DAY
    order = in_steps(histories.items, kind, newest, histories.times)
    return append_in_order(order, sources, clock, progress), made


def in_steps(
    histories: Mapping[str, Sequence[str]],
    kind: str,
    newest: float,
    times: Mapping[str, Sequence[float]] | None = None,
) -> TimeOrder:
    """Events in order of their `times` (seconds since 1970), or of made-up ones."""
    order, number = TimeOrder(), 0
    day = min(DAY, LONGEST / max(map(len, histories.values()), default=1))
    for user, history in histories.items():
        known = times.get(user) if times else None
        for step, item in enumerate(history):
            number += 1
            time = known[step] if known else newest - (len(history) - 1 - step) * day
            order.add(number, _event(kind, user, item, step, time), made_up=False)
    return order


def _event(kind: str, user: str, item: str, step: int, time: float) -> Event:
    told = blake2b(_encode((kind, user, item, step)), digest_size=16).hexdigest()
    return Event(
        event_id=f"step-{told}", kind=Kind[kind.upper()], time=time, user_id=user, item_id=item
    )
