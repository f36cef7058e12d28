"""``/v1/items``: what can be recommended."""

import asyncio
from typing import Any

import msgspec
from litestar import Request, delete, get, patch, post, put
from litestar.params import FromPath, FromQuery
from litestar.router import Router

from palate.catalog import decode
from palate.catalog.item import Item
from palate.errors import BadInput, NotFound, Problem
from palate.serving.routes.batches import decoded
from palate.serving.runtime import Runtime, runtime_of
from palate.serving.schema.documents import ItemDocument, ItemsDocument, Stored

ID = "item_id"


@put("/{item_id:str}", operation_id="put_item")
async def put_item(request: Request[Any, Any, Any], item_id: FromPath[str]) -> Stored:
    """Insert or replace an item. It can be recommended within two seconds."""
    runtime = runtime_of(request)
    return await _store(runtime, [decode.item(await request.body(), item_id)])


@post("/", operation_id="put_items", status_code=200)
async def put_items(request: Request[Any, Any, Any]) -> Stored:
    """Insert or replace many items, all or nothing."""
    runtime = runtime_of(request)
    most = runtime.settings.serving.max_items
    return await _store(runtime, await decoded(await request.body(), decode.items, "items", most))


@patch("/{item_id:str}", operation_id="patch_item")
async def patch_item(request: Request[Any, Any, Any], item_id: FromPath[str]) -> ItemDocument:
    """Change some fields of an item; attributes are merged, a null one is dropped."""
    runtime = runtime_of(request)
    body = await request.body()
    async with runtime.editing:
        item = decode.patched(await _held(runtime, item_id), body)
        await _store(runtime, [item])
    return _public(item)


@get("/{item_id:str}", operation_id="item")
async def item(request: Request[Any, Any, Any], item_id: FromPath[str]) -> ItemDocument:
    """One item, as the catalogue holds it."""
    return _public(await _held(runtime_of(request), item_id))


@get("/", operation_id="items")
async def items(request: Request[Any, Any, Any], item_id: FromQuery[list[str]]) -> ItemsDocument:
    """Several items by their ids (`?item_id=a&item_id=b`), in order; unknown ones are left out."""
    runtime = runtime_of(request)
    most = runtime.settings.serving.max_items
    if len(item_id) > most:
        what = f"{len(item_id)} ids; at most {most} are looked up at once"
        raise BadInput(f"item_id: {what}", [Problem(ID, what)])
    found = await asyncio.to_thread(runtime.stores.items.find, item_id)
    return ItemsDocument(items=tuple(_public(each) for each in found if each is not None))


@delete("/{item_id:str}", operation_id="delete_item")
async def delete_item(request: Request[Any, Any, Any], item_id: FromPath[str]) -> None:
    """Forget an item: it is not recommended any more."""
    runtime = runtime_of(request)
    if not await asyncio.to_thread(runtime.stores.items.remove, [item_id]):
        raise _unknown(item_id)


async def _store(runtime: Runtime, items: list[Item]) -> Stored:
    changed = await asyncio.to_thread(runtime.stores.items.put, items)
    return Stored(accepted=len(items), changed=changed)


async def _held(runtime: Runtime, item_id: str) -> Item:
    [found] = await asyncio.to_thread(runtime.stores.items.find, [item_id])
    if found is None:
        raise _unknown(item_id)
    return found


def _unknown(item_id: str) -> NotFound:
    return NotFound(f"there is no item {item_id!r}")


def _public(item: Item) -> ItemDocument:
    return msgspec.convert(decode.encode(item), ItemDocument)


router = Router(
    "/items",
    route_handlers=[put_item, put_items, patch_item, item, items, delete_item],
    tags=["Items"],
)
