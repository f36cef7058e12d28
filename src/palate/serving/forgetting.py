"""Deleting a user: the profile goes, the state is dropped, the log loses the name, the counts stay.

First FORGET events say so in the log, one for the user and one for each session that they claimed,
for it may have gone on without their name. Folded, they drop the state; until then they keep the
name, and with it what is still to be done. Only then, in one transaction, all that was folded gets
a pseudonym that leads nowhere, the FORGET events too. So the log never tells two halves of one life
under two names, and whoever folds it anew comes to the same state: an event whose user had been
renamed before it was folded would be counted as a stranger's, without their segment and region.
"""

import asyncio
import logging
import re
import uuid
from collections.abc import Coroutine
from typing import Any

from palate.catalog.user import session_key, user_key
from palate.events.kinds import Event, Kind
from palate.events.protocol import Traces
from palate.serving.impressions import LINGER
from palate.serving.runtime import Runtime

log = logging.getLogger("palate.serving")
PREFIX = "forgotten-"
PSEUDONYM = re.compile(f"{PREFIX}[0-9a-f]{{32}}")
PAUSE, LONGEST = 0.2, 600.0
LOOK, SOON = 0.004, 0.25
"""The state is gone when the answer goes out, unless the stream worker is down or busy."""
OTHERS = 3 * LINGER
"""Seconds in which other workers have written what they showed."""


async def forget(runtime: Runtime, user_id: str) -> bool:
    """Forget a user; False where neither catalogue nor log knew the name.

    Whatever interrupts it, a repeat does the rest, or the next worker that starts: the FORGET
    events keep the names until all else is done.
    """
    stores = runtime.stores
    # A page just shown, by this worker or another, is not to be logged afterwards.
    await asyncio.sleep(OTHERS)
    await runtime.impressions.caught_up()
    known = await asyncio.to_thread(stores.users.remove, [user_id])
    now = runtime.clock.now()

    def then(found: Traces) -> list[Event]:
        return _forgets(user_id, found, now) if known or found.events else []

    found = await asyncio.to_thread(stores.log.announce, user_id, then)
    end = await asyncio.to_thread(stores.log.end)
    named = await asyncio.to_thread(stores.log.forgets)
    sessions = [session for user, session in named if user == user_id]
    await _elsewhere(runtime, user_id, sessions)
    if sessions and not await _renamed(runtime, user_id, end, SOON, LOOK):
        _later(runtime, _renamed(runtime, user_id, end, LONGEST, PAUSE))
    return known > 0 or found.events > 0


def resume(runtime: Runtime) -> None:
    """Finish in the background what was not finished when a worker ended."""
    _later(runtime, _rest(runtime))


async def _rest(runtime: Runtime) -> None:
    """Do the rest for all whose FORGET events still carry a name: a worker ended before it could.

    Other workers may do the same at the same time, and the first may yet be at it: no harm.
    """
    stores = runtime.stores
    named: dict[str, list[str]] = {}
    for user, session in await asyncio.to_thread(stores.log.forgets):
        if not PSEUDONYM.fullmatch(user):
            named.setdefault(user, []).append(session)
    end = await asyncio.to_thread(stores.log.end)
    for user, sessions in named.items():
        await _elsewhere(runtime, user, sessions)
        await _renamed(runtime, user, end, LONGEST, PAUSE)


async def _elsewhere(runtime: Runtime, user_id: str, sessions: list[str]) -> None:
    """Take the user, and the sessions that they claimed, out of all that is not the log."""
    sessions = [each for each in sessions if each]
    runtime.visitors.forget(user_id)
    keys = [user_key(user_id), *map(session_key, sessions)]
    for key in keys:
        runtime.sampler.forget(key)
    await runtime.features.forget(keys)
    for visitor in (f"user:{user_id}", *(f"session:{each}" for each in sessions)):
        await runtime.traces.forget(visitor)


def _forgets(user_id: str, found: Traces, now: float) -> list[Event]:
    return [
        Event(
            event_id=uuid.uuid4().hex,
            kind=Kind.FORGET,
            time=now,
            user_id=user_id,
            session_id=session,
        )
        for session in ("", *found.sessions)
    ]


def _pseudonym() -> str:
    return f"{PREFIX}{uuid.uuid4().hex}"


def _later(runtime: Runtime, work: Coroutine[Any, Any, object]) -> None:
    async def tried() -> None:
        try:
            await work
        except Exception:
            log.exception("a deletion is not finished; the next worker that starts tries again")

    task = asyncio.create_task(tried())
    runtime.background.add(task)
    task.add_done_callback(runtime.background.discard)


async def _renamed(runtime: Runtime, user_id: str, end: int, longest: float, pause: float) -> bool:
    """Take the name out of the log once it is folded up to `end`; False where that takes longer."""
    folded = await _folded(runtime, end, longest, pause)
    if folded:
        await asyncio.to_thread(runtime.stores.log.pseudonymise, user_id, _pseudonym(), end)
    return folded


async def _folded(runtime: Runtime, end: int, longest: float, pause: float) -> bool:
    """Wait until the log is folded up to `end`, but no longer than that; whether it is.

    Nor longer than this worker lives: the next one resumes.
    """
    waited = 0.0
    while await asyncio.to_thread(runtime.stores.online.position) < end:
        if waited >= longest or runtime.ending.is_set():
            return False
        await asyncio.sleep(pause)
        waited += pause
    return True
