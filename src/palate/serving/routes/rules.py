"""``/v1/rules``: what operators want of the lists; in force when the answer is out."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
from litestar import Request, Response, delete, get, post, put
from litestar.params import FromPath, FromQuery
from litestar.router import Router

from palate.catalog.decode import parsed
from palate.catalog.fields import rfc3339
from palate.errors import BadInput, Conflict, NotFound, Problem
from palate.rules import decode
from palate.rules.documents import Rule
from palate.rules.protocol import Book, By, Entry
from palate.serving.auth import key_of
from palate.serving.problems import outdated
from palate.serving.routes.asking import asked
from palate.serving.runtime import Runtime, runtime_of
from palate.serving.steering.bodies import (
    AuditBody,
    AuditLine,
    PreviewBody,
    PreviewDocument,
    RulesBody,
)
from palate.serving.steering.changes import Changes
from palate.serving.steering.preview import preview

ACTOR, LONGEST = "x-actor", 100
MOST_LINES = 1_000


@get("/", operation_id="rules")
async def rules(request: Request[Any, Any, Any]) -> Response[RulesBody]:
    """All rules, the strongest first; the version is the `ETag` too."""
    runtime = runtime_of(request)
    return _answer(runtime, await asyncio.to_thread(runtime.rules.book.read))


@put("/", operation_id="put_rules")
async def put_rules(request: Request[Any, Any, Any]) -> Response[RulesBody]:
    """Replace the whole book, all or nothing. With `If-Match` only where it is at that version."""
    document = parsed(await request.body())
    given = document.get("rules", document) if isinstance(document, dict) else document
    found = decode.rules(given)
    return await _changed(request, lambda changes: changes.replace_all(found))


@post("/", operation_id="add_rule", status_code=201)
async def add_rule(request: Request[Any, Any, Any]) -> Response[RulesBody]:
    """Add a rule, as the weakest."""
    found = decode.rule(parsed(await request.body()))
    return await _changed(request, lambda changes: changes.add(found), status=201)


@get("/audit", operation_id="audit_rules")
async def audit_rules(
    request: Request[Any, Any, Any], limit: FromQuery[int] = 100, before: FromQuery[int] = 0
) -> AuditBody:
    """Who changed which rule, when, from what to what; newest first."""
    if not 1 <= limit <= MOST_LINES:
        what = f"{limit} is not between 1 and {MOST_LINES}"
        raise BadInput(f"limit: {what}", [Problem("limit", what)])
    book = runtime_of(request).rules.book
    found = await asyncio.to_thread(book.audit, limit, before or None)
    lines = tuple(_line(each) for each in found)
    return AuditBody(changes=lines, next=lines[-1].line if len(lines) == limit else None)


@post("/preview", operation_id="preview_rules", status_code=200)
async def preview_rules(request: Request[Any, Any, Any]) -> PreviewBody:
    """Try rules on real requests: the slates before and after, and which rule moved what."""
    document = asked(await request.body(), PreviewDocument)
    return await preview(runtime_of(request), document)


@get("/{rule_id:str}", operation_id="rule")
async def rule(request: Request[Any, Any, Any], rule_id: FromPath[str]) -> Response[Rule]:
    """One rule, as the book or `palate.toml` has it."""
    runtime = runtime_of(request)
    book = await asyncio.to_thread(runtime.rules.book.read)
    for each in (*runtime.rules.from_file, *book.rules):
        if each.id == rule_id:
            return Response(each, headers=_tag(book))
    raise NotFound(f"there is no rule {rule_id!r}")


@put("/{rule_id:str}", operation_id="put_rule")
async def put_rule(request: Request[Any, Any, Any], rule_id: FromPath[str]) -> Response[RulesBody]:
    """Replace a rule where it stands among the others, or add it as the weakest."""
    found = decode.rule(parsed(await request.body()), rule_id)
    return await _changed(request, lambda changes: changes.put(found))


@delete("/{rule_id:str}", operation_id="delete_rule", status_code=200)
async def delete_rule(
    request: Request[Any, Any, Any], rule_id: FromPath[str]
) -> Response[RulesBody]:
    """Drop a rule."""
    return await _changed(request, lambda changes: changes.remove(rule_id))


async def _changed(
    request: Request[Any, Any, Any],
    change: Callable[[Changes], Awaitable[Book]],
    status: int = 200,
) -> Response[RulesBody]:
    """Apply a change in the name of who asks, if the book is where they think it is."""
    runtime, expected = runtime_of(request), _expected(request)
    by = By(_who(request), runtime.clock.now())
    changes = Changes(runtime.rules, runtime.stores, by, expected)
    try:
        book = await change(changes)
    except Conflict as conflict:
        if expected is not None and runtime.rules.book.version() != expected:
            raise outdated(conflict.detail) from conflict
        raise
    return _answer(runtime, book, status, await asyncio.to_thread(changes.doubts))


def _answer(
    runtime: Runtime, book: Book, status: int = 200, doubts: Sequence[str] = ()
) -> Response[RulesBody]:
    body = RulesBody(
        version=book.version,
        rules=book.rules,
        file=runtime.rules.from_file,
        dormant=runtime.rules.program.unfit(),
        remarks=(*doubts, *runtime.rules.remarks()),
        placed={
            name: runtime.rules.placements.spent(name) for name in runtime.rules.program.capped
        },
    )
    return Response(body, status_code=status, headers=_tag(book))


def _line(entry: Entry) -> AuditLine:
    told = msgspec.structs.asdict(entry) | {"time": rfc3339(entry.time)}
    return AuditLine(**told)


def _tag(book: Book) -> dict[str, str]:
    return {"ETag": f'"{book.version}"'}


def _expected(request: Request[Any, Any, Any]) -> int | None:
    """The version that ``If-Match`` names; None where any will do."""
    given = request.headers.get("if-match", "").strip()
    if given in {"", "*"}:
        return None
    number = given.removeprefix("W/").strip('"')
    if not number.isdecimal():
        what = f'{given} is no version of the rules: send the ETag, like "3"'
        raise BadInput(f"If-Match: {what}", [Problem("If-Match", what)])
    return int(number)


def _who(request: Request[Any, Any, Any]) -> str:
    """The name in ``X-Actor``, and which key was used: the first digits of its hash."""
    actor = request.headers.get(ACTOR, "").strip()
    if len(actor) > LONGEST or not (actor or "api").isprintable():
        what = f"a name of at most {LONGEST} printable characters is wanted"
        raise BadInput(f"X-Actor: {what}", [Problem("X-Actor", what)])
    key = key_of(request)
    mark = f" (key {hashlib.sha256(key.encode()).hexdigest()[:8]})" if key else ""
    return f"{actor or 'api'}{mark}"


router = Router(
    "/rules",
    route_handlers=[
        rules,
        put_rules,
        add_rule,
        audit_rules,
        preview_rules,
        rule,
        put_rule,
        delete_rule,
    ],
    tags=["Rules"],
)
