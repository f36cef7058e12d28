"""``/v1/items``: what can be recommended."""

import asyncio
from functools import partial
from time import monotonic
from typing import Any

import msgspec
from litestar import Request, delete, get, patch, post, put
from litestar.params import FromPath, FromQuery
from litestar.router import Router

from palate.catalog import decode, embeddings
from palate.catalog.item import Item
from palate.errors import BadInput, Problem
from palate.serving.routes.addressing import exact_id, known
from palate.serving.routes.batches import decoded
from palate.serving.runtime import Runtime, runtime_of
from palate.serving.schema.documents import ItemDocument, ItemsDocument, Stored

ITEM = "item"
LOOK, PATIENCE = 0.004, 0.25
"""Seconds between two looks whether a change is in force, and until the answer goes out without."""


@put("/{item_id:path}", operation_id="put_item")
async def put_item(request: Request[Any, Any, Any], item_id: FromPath[str]) -> Stored:
    """Insert or replace an item. It can be recommended within two seconds."""
    runtime = runtime_of(request)
    found = decode.item(await request.body(), item_id)
    try:
        return await _store(runtime, [found])
    except BadInput as wrong:
        raise embeddings.alone(wrong) from wrong


@post("/", operation_id="put_items", status_code=200)
async def put_items(request: Request[Any, Any, Any]) -> Stored:
    """Insert or replace many items, all or nothing."""
    runtime = runtime_of(request)
    most = runtime.settings.serving.max_items
    return await _store(runtime, await decoded(await request.body(), decode.items, "items", most))


@patch("/{item_id:path}", operation_id="patch_item")
async def patch_item(request: Request[Any, Any, Any], item_id: FromPath[str]) -> ItemDocument:
    """Change some fields of an item; attributes are merged, a null one is dropped."""
    runtime = runtime_of(request)
    change = partial(decode.patched, raw=await request.body())
    item = await asyncio.to_thread(runtime.stores.items.edit, item_id, change)
    changed = _public(known(item, ITEM, item_id))
    await _in_force(runtime)
    return changed


@get("/{item_id:path}", operation_id="item")
async def item(request: Request[Any, Any, Any], item_id: FromPath[str]) -> ItemDocument:
    """One item, as the catalogue holds it."""
    [found] = await asyncio.to_thread(runtime_of(request).stores.items.find, [item_id])
    return _public(known(found, ITEM, item_id))


@get("/", operation_id="items")
async def items(request: Request[Any, Any, Any], item_id: FromQuery[list[str]]) -> ItemsDocument:
    """Several items by their ids (`?item_id=a&item_id=b`), in order; unknown ones are left out."""
    runtime = runtime_of(request)
    most = runtime.settings.serving.max_items
    if len(item_id) > most:
        what = f"{len(item_id)} ids; at most {most} are looked up at once"
        raise BadInput(f"item_id: {what}", [Problem("item_id", what)])
    found = await asyncio.to_thread(runtime.stores.items.find, item_id)
    return ItemsDocument(items=tuple(_public(each) for each in found if each is not None))


@delete("/{item_id:path}", operation_id="delete_item")
async def delete_item(request: Request[Any, Any, Any], item_id: FromPath[str]) -> None:
    """Forget an item: it is not recommended any more."""
    runtime = runtime_of(request)
    gone = await asyncio.to_thread(runtime.stores.items.remove, [item_id])
    known(gone or None, ITEM, item_id)
    await _in_force(runtime)


async def _store(runtime: Runtime, items: list[Item]) -> Stored:
    changed = await asyncio.to_thread(runtime.stores.items.put, items)
    await _in_force(runtime)
    return Stored(accepted=len(items), changed=changed)


async def _in_force(runtime: Runtime) -> None:
    """Wait until requests go by the change: what was hidden is not shown after the answer.

    Not for long: where the stream worker is down or busy, what was withdrawn is withheld, and all
    else comes into force with it.
    """
    columns, deadline = runtime.stores.columns.plain, monotonic() + PATIENCE
    while monotonic() < deadline:
        columns.refresh()
        if not await asyncio.to_thread(runtime.stores.items.changes, columns.version, 1):
            return
        await asyncio.sleep(LOOK)
    await asyncio.to_thread(columns.look_ahead, runtime.stores.items)


def _public(item: Item) -> ItemDocument:
    return msgspec.convert(decode.encode(item), ItemDocument)


router = Router(
    "/items",
    route_handlers=[put_item, put_items, patch_item, item, items, delete_item],
    before_request=exact_id,
    tags=["Items"],
)
