"""Deleting a user: the profile goes, the log loses the name, the state is dropped, the counts stay.

The log keeps what happened under a pseudonym that leads nowhere. FORGET events follow in pairs:
one drops the state that lives now, one drops the state that a rebuild from the log would make for
the pseudonym, so that both agree. Each session that the user claimed has a pair too, for it may
have gone on without the user's name. Once these are folded, they lose the name as well; until then
they do not count as something that could be forgotten.
"""

import asyncio
import uuid

from palate.catalog.user import session_key, user_key
from palate.events.kinds import Event, Kind
from palate.serving.impressions import LINGER
from palate.serving.runtime import Runtime

PAUSE, LONGEST = 0.2, 600.0
LOOK, SOON = 0.004, 0.25
"""The state is gone when the answer goes out, unless the stream worker is down or busy."""
OTHERS = 3 * LINGER
"""Seconds in which other workers have written what they showed."""


async def forget(runtime: Runtime, user_id: str) -> bool:
    """Forget a user; False where neither catalogue nor log knew the name."""
    stores = runtime.stores
    pseudonym = f"forgotten-{uuid.uuid4().hex}"
    # A page just shown, by this worker or another, is not to be logged afterwards.
    await asyncio.sleep(OTHERS)
    await runtime.impressions.caught_up()
    known = await asyncio.to_thread(stores.users.remove, [user_id])
    renamed = await asyncio.to_thread(stores.log.pseudonymise, user_id, pseudonym)
    runtime.visitors.forget(user_id)
    await runtime.traces.forget(f"user:{user_id}")
    if not known and not renamed.events:
        return False
    await runtime.features.forget([user_key(user_id), *map(session_key, renamed.sessions)])
    now = runtime.clock.now()
    names = [(user_id, ""), *((user_id, old) for old in renamed.sessions)]
    names += [(pseudonym, ""), *((pseudonym, new) for new in renamed.sessions.values())]
    await runtime.commit.append(
        [
            Event(
                event_id=uuid.uuid4().hex,
                kind=Kind.FORGET,
                time=now,
                user_id=user,
                session_id=session,
            )
            for user, session in names
        ]
    )
    end = await asyncio.to_thread(stores.log.end)
    await _folded(runtime, end, SOON, LOOK)
    task = asyncio.create_task(_blur(runtime, user_id, pseudonym, end))
    runtime.background.add(task)
    task.add_done_callback(runtime.background.discard)
    return True


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
