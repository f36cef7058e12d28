"""Deleting a user: the profile goes, the log loses the name, the state is dropped, the counts stay.

The log keeps what happened under a pseudonym that leads nowhere. FORGET events follow in pairs:
one drops the state that lives now, one drops the state that a rebuild from the log would make for
the pseudonym, so that both agree. Each session that the user claimed has a pair too, for it may
have gone on without the user's name. Once these are folded, they lose the name as well; until then
they do not count as something that could be forgotten.
"""

import asyncio
import logging
import uuid
from collections.abc import Coroutine
from functools import partial
from typing import Any

from palate.catalog.user import session_key, user_key
from palate.events.kinds import Event, Kind
from palate.events.protocol import Renamed
from palate.serving.impressions import LINGER
from palate.serving.runtime import Runtime

log = logging.getLogger("palate.serving")
PREFIX = "forgotten-"
PAUSE, LONGEST = 0.2, 600.0
LOOK, SOON = 0.004, 0.25
"""The state is gone when the answer goes out, unless the stream worker is down or busy."""
OTHERS = 3 * LINGER
"""Seconds in which other workers have written what they showed."""


async def forget(runtime: Runtime, user_id: str) -> bool:
    """Forget a user; False where neither catalogue nor log knew the name.

    Whatever interrupts it, a repeat does the rest: names and FORGET events change in one
    transaction, and the FORGET events keep the names until all else is done.
    """
    stores = runtime.stores
    # A page just shown, by this worker or another, is not to be logged afterwards.
    await asyncio.sleep(OTHERS)
    await runtime.impressions.caught_up()
    known = await asyncio.to_thread(stores.users.remove, [user_id])
    pseudonym, now = _pseudonym(), runtime.clock.now()

    def then(renamed: Renamed) -> list[Event]:
        return _forgets(user_id, pseudonym, renamed, now) if known or renamed.events else []

    rename = partial(stores.log.pseudonymise, user_id, pseudonym, then=then)
    renamed = await asyncio.to_thread(rename)
    end = await asyncio.to_thread(stores.log.end)
    named = await asyncio.to_thread(stores.log.forgets)
    sessions = [session for user, session in named if user == user_id]
    await _elsewhere(runtime, user_id, sessions)
    if sessions:
        _later(runtime, _blur(runtime, user_id, pseudonym, end))
    if not known and not renamed.events:
        return False
    await _folded(runtime, end, SOON, LOOK)
    return True


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
        if not user.startswith(PREFIX):
            named.setdefault(user, []).append(session)
    end = await asyncio.to_thread(stores.log.end)
    for user, sessions in named.items():
        await _elsewhere(runtime, user, sessions)
        await _blur(runtime, user, _pseudonym(), end)


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


def _forgets(user_id: str, pseudonym: str, renamed: Renamed, now: float) -> list[Event]:
    names = [(user_id, ""), *((user_id, old) for old in renamed.sessions)]
    names += [(pseudonym, ""), *((pseudonym, new) for new in renamed.sessions.values())]
    return [
        Event(
            event_id=uuid.uuid4().hex,
            kind=Kind.FORGET,
            time=now,
            user_id=user,
            session_id=session,
        )
        for user, session in names
    ]


def _pseudonym() -> str:
    return f"{PREFIX}{uuid.uuid4().hex}"


def _later(runtime: Runtime, work: Coroutine[Any, Any, None]) -> None:
    async def tried() -> None:
        try:
            await work
        except Exception:
            log.exception("a deletion is not finished; the next worker that starts tries again")

    task = asyncio.create_task(tried())
    runtime.background.add(task)
    task.add_done_callback(runtime.background.discard)


async def _blur(runtime: Runtime, user_id: str, pseudonym: str, end: int) -> None:
    """Take the name out of the FORGET event itself, once it has done its work."""
    if await _folded(runtime, end, LONGEST, PAUSE):
        await asyncio.to_thread(runtime.stores.log.pseudonymise, user_id, pseudonym, forgets=True)


async def _folded(runtime: Runtime, end: int, longest: float, pause: float) -> bool:
    """Wait until the log is folded up to `end`, but no longer than that; whether it is."""
    waited = 0.0
    while await asyncio.to_thread(runtime.stores.online.position) < end:
        if waited >= longest:
            return False
        await asyncio.sleep(pause)
        waited += pause
    return True
