"""``/v1/events``: what happened."""

from functools import partial as with_
from math import inf
from typing import Any

from litestar import Request, post
from litestar.params import FromQuery
from litestar.router import Router

from palate.errors import BadInput
from palate.events import decode
from palate.serving.routes.batches import decoded
from palate.serving.runtime import runtime_of
from palate.serving.schema.documents import EventsAccepted, Rejected

KEY, DAY = "idempotency-key", 86_400.0


@post("/", operation_id="send_events", status_code=202)
async def send_events(
    request: Request[Any, Any, Any],
    partial: FromQuery[bool] = False,  # noqa: FBT002  a query parameter
) -> EventsAccepted:
    """Events, acknowledged only once they are durable.

    A batch with a wrong event is refused whole, and the answer names each wrong field; with
    `partial=true` the right ones are stored and the rest is listed in `rejected`. Events without an
    `event_id` get one; with the header `Idempotency-Key` a batch sent twice counts once. `sent_at`,
    the sender's own time, puts right what a device's clock has wrong.
    """
    runtime = runtime_of(request)
    read = with_(
        decode.events,
        received=runtime.clock.now(),
        clock=runtime.clock,
        batch_key=request.headers.get(KEY, ""),
        oldest=runtime.settings.serving.oldest_days * DAY or inf,
    )
    most = runtime.settings.serving.max_events
    events, problems = await decoded(await request.body(), read, "events", most)
    if problems and not partial:
        raise BadInput.of(problems)
    done = await runtime.commit.append(events)
    runtime.meters.events(event.kind.name.lower() for event in events)
    rejected = tuple(Rejected(pointer=p.pointer, problem=p.problem) for p in problems)
    return EventsAccepted(
        accepted=done.accepted,
        duplicates=done.duplicates,
        rejected=rejected if partial else None,
    )


router = Router("/events", route_handlers=[send_events], tags=["Events"])
