"""Deleting a user: the profile goes, the log loses the name, the state is dropped, the counts stay.

The log keeps what happened under a pseudonym that leads nowhere. Two FORGET events follow: one
drops the state that lives now, one drops the state that a rebuild from the log would make for the
pseudonym, so that both agree. Once the first is folded, it loses the name too.
"""

import asyncio
import uuid

from palate.events.kinds import Event, Kind
from palate.serving.runtime import Runtime

PAUSE, LONGEST = 0.2, 600.0


async def forget(runtime: Runtime, user_id: str) -> bool:
    """Forget a user; False where neither catalogue nor log knew the name."""
    stores = runtime.stores
    pseudonym = f"forgotten-{uuid.uuid4().hex}"
    known = await asyncio.to_thread(stores.users.remove, [user_id])
    changed = await asyncio.to_thread(stores.log.pseudonymise, user_id, pseudonym)
    runtime.visitors.forget(user_id)
    await runtime.traces.forget(f"user:{user_id}")
    if not known and not changed:
        return False
    now = runtime.clock.now()
    await runtime.commit.append(
        [
            Event(event_id=uuid.uuid4().hex, kind=Kind.FORGET, time=now, user_id=name)
            for name in (user_id, pseudonym)
        ]
    )
    end = await asyncio.to_thread(stores.log.end)
    task = asyncio.create_task(_blur(runtime, user_id, pseudonym, end))
    runtime.background.add(task)
    task.add_done_callback(runtime.background.discard)
    return True


async def _blur(runtime: Runtime, user_id: str, pseudonym: str, end: int) -> None:
    """Take the name out of the FORGET event itself, once it has done its work."""
    waited = 0.0
    while await asyncio.to_thread(runtime.stores.online.position) < end and waited < LONGEST:
        await asyncio.sleep(PAUSE)
        waited += PAUSE
    if waited < LONGEST:
        await asyncio.to_thread(runtime.stores.log.pseudonymise, user_id, pseudonym)
