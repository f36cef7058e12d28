"""``/v1/users``: who we recommend to."""

import asyncio
from typing import Any

import msgspec
from litestar import Request, delete, get, patch, post, put
from litestar.params import FromPath, FromQuery
from litestar.router import Router

from palate.catalog import decode
from palate.catalog.user import User
from palate.errors import BadInput, Problem
from palate.events.kinds import Event
from palate.intake.profiles import profile_event
from palate.serving.forgetting import forget
from palate.serving.routes.addressing import exact_id, known
from palate.serving.routes.batches import decoded
from palate.serving.runtime import Runtime, runtime_of
from palate.serving.schema.documents import Stored, UserDocument, UsersDocument

USER = "user"
PAGE, MOST = 100, 1_000


@put("/{user_id:path}", operation_id="put_user")
async def put_user(request: Request[Any, Any, Any], user_id: FromPath[str]) -> Stored:
    """Insert or replace a user's profile."""
    return await _store(runtime_of(request), [decode.user(await request.body(), user_id)])


@post("/", operation_id="put_users", status_code=200)
async def put_users(request: Request[Any, Any, Any]) -> Stored:
    """Insert or replace many profiles, all or nothing."""
    runtime = runtime_of(request)
    most = runtime.settings.serving.max_items
    return await _store(runtime, await decoded(await request.body(), decode.users, "users", most))


@patch("/{user_id:path}", operation_id="patch_user")
async def patch_user(request: Request[Any, Any, Any], user_id: FromPath[str]) -> UserDocument:
    """Change some fields of a profile; attributes are merged, a null one is dropped."""
    runtime = runtime_of(request)
    body = await request.body()

    def change(held: User) -> User:
        user = decode.patched_user(held, body)
        runtime.stores.log.append(_profile_events(runtime, [user]), runtime.clock.now())
        return user

    user = await asyncio.to_thread(runtime.stores.users.edit, user_id, change)
    runtime.visitors.forget(user_id)
    return _public(known(user, USER, user_id))


@get("/{user_id:path}", operation_id="user")
async def user(request: Request[Any, Any, Any], user_id: FromPath[str]) -> UserDocument:
    """One profile, as the catalogue holds it."""
    [found] = await asyncio.to_thread(runtime_of(request).stores.users.find, [user_id])
    return _public(known(found, USER, user_id))


@get("/", operation_id="users")
async def users(
    request: Request[Any, Any, Any], after: FromQuery[str] = "", limit: FromQuery[int] = PAGE
) -> UsersDocument:
    """Profiles in the order of their ids; `next` of the answer is the next page's `after`."""
    if not 1 <= limit <= MOST:
        what = f"{limit} is not between 1 and {MOST}"
        raise BadInput(f"limit: {what}", [Problem("limit", what)])
    page = await asyncio.to_thread(runtime_of(request).stores.users.page, after, limit)
    more = page[-1].user_id if len(page) == limit else None
    return UsersDocument(users=tuple(_public(each) for each in page), next=more)


@delete("/{user_id:path}", operation_id="delete_user")
async def delete_user(request: Request[Any, Any, Any], user_id: FromPath[str]) -> None:
    """Forget a user: profile and state go; what they did stays in the counts, under no name."""
    gone = await forget(runtime_of(request), user_id)
    known(gone or None, USER, user_id)


async def _store(runtime: Runtime, users: list[User]) -> Stored:
    """The profile event goes first: a retry repeats both, so neither can be missing for good."""
    await runtime.commit.append(_profile_events(runtime, users))
    changed = await asyncio.to_thread(runtime.stores.users.put, users)
    for each in users:
        runtime.visitors.forget(each.user_id)
    return Stored(accepted=len(users), changed=changed)


def _profile_events(runtime: Runtime, users: list[User]) -> list[Event]:
    now, by = runtime.clock.now(), runtime.settings.features
    return [profile_event(each, by, received=now, time=now) for each in users]


def _public(user: User) -> UserDocument:
    return msgspec.convert(decode.encode_user(user), UserDocument)


router = Router(
    "/users",
    route_handlers=[put_user, put_users, patch_user, user, users, delete_user],
    before_request=exact_id,
    tags=["Users"],
)
