"""Events as the outside writes them: strict, and every problem told at once, with its index."""

import re
from collections.abc import Sequence
from math import inf
from typing import Any, NamedTuple
from uuid import UUID

from msgspec.structs import replace as changed

from palate.catalog.decode import listed, parsed
from palate.catalog.fields import (
    Fields,
    WrongValueError,
    brief,
    either,
    flag,
    identifier,
    label,
    moment,
    named,
    number,
    whole,
)
from palate.clock import Clock
from palate.errors import BadInput, Problem
from palate.events.kinds import PUBLIC, Event, Kind, Shown

MOST_SHOWN = 1_000
"""Items of one impression."""
OURS = re.compile("[0-9a-f]{28}")
"""What `serving.recommend.recommendation_id` makes: of a page that is in the log already."""
WITHOUT_ITEM = frozenset({Kind.SEARCH, Kind.FOLLOW, Kind.UNFOLLOW, Kind.IMPRESSION})
"""Kinds that may go without `item_id` (they name items, a creator or words instead)."""
_KINDS = {name: Kind[name.upper()] for name in PUBLIC}


class Decoded(NamedTuple):
    """What of a batch can be stored, and what is wrong with the rest."""

    events: list[Event]
    problems: list[Problem]


def events(
    raw: bytes | Sequence[object],
    received: float,
    clock: Clock,
    *,
    batch_key: str = "",
    oldest: float = inf,
) -> Decoded:
    """Decode ``{"events": […]}``, ``[…]`` or documents already parsed.

    An event without a time happened when it was `received`. One without an id gets a fresh UUID,
    or with a `batch_key` (the request's Idempotency-Key) the id ``key/index``, so that sending the
    same batch again repeats the same ids. An impression that names a page of ours becomes a report
    on what of it could be seen.

    By the body's `sent_at`, the device's own time of sending, times are put right that its clock
    has wrong. One that is `oldest` seconds and more behind all the same is of a clock that is lost:
    it happened when it came in. Raises BadInput only where the body is no list at all.
    """
    problems: list[Problem] = []
    found = []
    documents, sent = _sent(raw, received)
    for index, document in enumerate(documents):
        event = _event(document, f"/events/{index}", sent, problems)
        if event is not None:
            if event["event_id"] is None:
                event["event_id"] = f"{batch_key}/{index}" if batch_key else _uuid(received, clock)
            # A visitor's clock that runs ahead must not make everything else look old.
            time = min(event["time"] + (received - sent), received)
            event["time"] = time if time > received - oldest else received
            found.append(_reported(Event(**event)))
    return Decoded(found, problems)


def _sent(raw: bytes | Sequence[object], received: float) -> tuple[Sequence[object], float]:
    """The documents of a body, and when they were sent by the clock that dates them."""
    body = parsed(raw) if isinstance(raw, bytes | bytearray) else raw
    sent = body.pop("sent_at", None) if isinstance(body, dict) else None
    try:
        return listed(body, "events"), received if sent is None else moment(sent)
    except WrongValueError as error:
        raise BadInput(f"/sent_at: {error}", [Problem("/sent_at", str(error))]) from error


def _reported(event: Event) -> Event:
    """An impression of a page that we gave is a report on it: that it was shown is on record.

    What a client's beacon names is what the visitor could see, where it does not say otherwise.
    """
    if event.kind is not Kind.IMPRESSION or not OURS.fullmatch(event.recommendation_id):
        return event
    named = event.items or (Shown(item_id=event.item_id, position=max(event.position, 1)),)
    seen = [changed(each, viewable=True) if each.viewable is None else each for each in named]
    return changed(event, item_id="", items=tuple(seen))


def event_fields(
    document: object, pointer: str, received: float, problems: list[Problem]
) -> dict[str, Any] | None:
    """The checked fields of one event (maybe without an id); None where something is wrong."""
    return _event(document, pointer, received, problems)


def _kind(value: object) -> Kind:
    known = _KINDS.get(value) if isinstance(value, str) else None
    if known is None:
        raise WrongValueError(f"unknown kind {value!r}; one of: {', '.join(PUBLIC)}")
    return known


def _propensity(value: object) -> float:
    share = number(value)
    if not 0 < share <= 1:
        raise WrongValueError("a propensity is a probability: above 0, at most 1")
    return share


SHOWN = Fields(
    "an item shown",
    {
        "item_id": identifier,
        "position": whole(1, 32_767),
        "propensity": _propensity,
        "score": number,
        "explore": flag,
        "viewable": either(flag, None),
    },
    ("item_id",),
)


def _items(value: object) -> tuple[Shown, ...]:
    if value is None:
        return ()
    if not isinstance(value, list | tuple):
        raise WrongValueError(f"a list of items is wanted, not {named(value)}")
    if len(value) > MOST_SHOWN:
        raise WrongValueError(f"an impression holds at most {MOST_SHOWN} items; send several")
    return tuple(_shown(each, place) for place, each in enumerate(value, start=1))


def _shown(value: object, place: int) -> Shown:
    document = {"item_id": value} if isinstance(value, str) else value
    problems: list[Problem] = []
    fields = SHOWN.read(document, f"/{place - 1}", problems)
    if problems:
        raise WrongValueError(f"entry {problems[0].pointer}: {problems[0].problem}")
    return Shown(**({"position": place} | fields))


EVENT = Fields(
    "an event",
    {
        "event_id": either(identifier, None),
        "kind": _kind,
        "time": either(moment, None),
        "user_id": either(identifier, ""),
        "session_id": either(identifier, ""),
        "anonymous_id": either(identifier, ""),
        "item_id": either(identifier, ""),
        "items": _items,
        "value": either(number, None),
        "surface": label,
        "position": either(whole(0, 32_767), 0),
        "recommendation_id": either(identifier, ""),
        "context": brief,
        "properties": brief,
    },
    ("kind",),
)


def _event(
    document: object, pointer: str, received: float, problems: list[Problem]
) -> dict[str, Any] | None:
    before = len(problems)
    fields = EVENT.read(document, pointer, problems)
    if len(problems) == before:
        anonymous = fields.pop("anonymous_id", "")
        fields["session_id"] = fields.get("session_id") or anonymous
        fields.setdefault("event_id", None)
        if fields.get("time") is None:
            fields["time"] = received
        problems.extend(_gaps(fields, pointer))
    return fields if len(problems) == before else None


def _gaps(fields: dict[str, Any], pointer: str) -> list[Problem]:
    """What one field cannot tell: who did it, and to what."""
    kind, item = fields["kind"], fields.get("item_id")
    gaps = []
    if not (fields.get("user_id") or fields["session_id"]):
        gaps.append(
            Problem(f"{pointer}/user_id", "who did it? give user_id, session_id or anonymous_id")
        )
    if not item and kind not in WITHOUT_ITEM and not (kind is Kind.HIDE and _creator(fields)):
        gaps.append(Problem(f"{pointer}/item_id", f"a {kind.name.lower()} needs item_id"))
    if not item and kind is Kind.IMPRESSION and not fields.get("items"):
        gaps.append(Problem(f"{pointer}/items", "an impression needs items (or one item_id)"))
    if not item and kind in (Kind.FOLLOW, Kind.UNFOLLOW) and not _creator(fields):
        problem = f"a {kind.name.lower()} needs properties.creator_id or item_id"
        gaps.append(Problem(f"{pointer}/properties/creator_id", problem))
    if fields.get("items") and kind is not Kind.IMPRESSION:
        gaps.append(Problem(f"{pointer}/items", "only an impression has items; use item_id"))
    return gaps


def _creator(fields: dict[str, Any]) -> bool:
    creator = fields.get("properties", {}).get("creator_id")
    return isinstance(creator, str) and bool(creator)


def _uuid(received: float, clock: Clock) -> str:
    """A version 7 UUID (RFC 9562): the time first, so that the log's index grows at one end."""
    chance = (clock.draw() << 63 | clock.draw()) & (1 << 74) - 1
    head = (int(received * 1000) & (1 << 48) - 1) << 80 | 7 << 76 | chance >> 62 << 64
    return str(UUID(int=head | 2 << 62 | chance & (1 << 62) - 1))
