"""Errors on the wire: one form, `application/problem+json` (RFC 9457), for all that goes wrong.

Our own errors carry their status; Litestar's are translated; anything else is a fault of ours and
answers 500 without a word about the inside.
"""

import logging
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.connection import ASGIConnection
from litestar.exceptions import HTTPException
from litestar.exceptions.http_exceptions import RequestEntityTooLarge
from litestar.handlers import BaseRouteHandler

from palate.catalog.converted import wanted
from palate.errors import BadInput, PalateError, Problem, Unavailable
from palate.spelling import hint

LISTED = 100
"""Problems of one request that are listed."""
CONTENT_TYPE = "application/problem+json"
INTERNAL = 500
BAD_REQUEST, METHOD_NOT_ALLOWED = 400, 405
PRECONDITION_FAILED, TOO_LARGE, TOO_MANY = 412, 413, 429
TITLES = {PRECONDITION_FAILED: "Precondition failed", TOO_MANY: "Too many requests"}
log = logging.getLogger("palate.serving")

RESERVED = frozenset({"request", "body", "state", "scope", "headers", "query", "cookies", "socket"})
"""Parameters of a handler that Litestar fills in by itself."""

_missing = re.compile(r"Missing required \w+ parameter '(\w+)'")


class ProblemBody(msgspec.Struct, frozen=True, kw_only=True):
    """What an error looks like on the wire."""

    type: str
    title: str
    status: int
    detail: str
    errors: tuple[Problem, ...] = ()


def too_large(detail: str) -> HTTPException:
    """A body or a batch beyond a limit of the settings."""
    return HTTPException(status_code=TOO_LARGE, detail=detail)


def outdated(detail: str) -> HTTPException:
    """What the request goes by (``If-Match``) is no longer so."""
    return HTTPException(status_code=PRECONDITION_FAILED, detail=detail)


def too_many(detail: str, seconds: int) -> HTTPException:
    """More requests than a caller is allowed; another one is in so many seconds."""
    return HTTPException(status_code=TOO_MANY, detail=detail, headers={"Retry-After": str(seconds)})


def problem(
    status: int, title: str, detail: str, errors: Sequence[Problem] = ()
) -> Response[ProblemBody]:
    """A problem+json response."""
    slug = title.lower().replace(" ", "-")
    body = ProblemBody(
        type=f"urn:palate:problem:{slug}",
        title=title,
        status=status,
        detail=detail,
        errors=tuple(errors[:LISTED]),
    )
    return Response(body, status_code=status, media_type=CONTENT_TYPE)


def palate_problem(request: Request[Any, Any, Any], error: PalateError) -> Response[ProblemBody]:
    """Our own errors: they know their status and say what to do."""
    _count(request, error.status)
    told = problem(error.status, error.title, error.detail, error.problems)
    if isinstance(error, Unavailable):
        told.headers["Retry-After"] = "1"
    return told


def http_problem(request: Request[Any, Any, Any], error: HTTPException) -> Response[ProblemBody]:
    """Litestar's errors (no such path, wrong method, a parameter that does not parse)."""
    _count(request, error.status_code)
    if error.status_code == TOO_LARGE:
        most = request.app.request_max_body_size
        detail = f"the body is larger than {most} bytes; send less at once"
        own = isinstance(error, RequestEntityTooLarge)
        return problem(TOO_LARGE, "Too large", detail if own else error.detail)
    if error.status_code == METHOD_NOT_ALLOWED:
        detail = f"{request.method} is not possible on {request.url.path}"
        return problem(METHOD_NOT_ALLOWED, "Method not allowed", detail)
    if error.status_code == BAD_REQUEST:
        wrong = BadInput.of(_parameter_problems(request, error))
        return problem(wrong.status, wrong.title, wrong.detail, wrong.problems)
    if error.status_code in TITLES:
        told = problem(error.status_code, TITLES[error.status_code], error.detail)
        told.headers.update(error.headers or {})
        return told
    title = error.__class__.__name__.removesuffix("Exception") or "Error"
    return problem(error.status_code, _spaced(title), error.detail or title)


def fault(request: Request[Any, Any, Any], error: Exception) -> Response[ProblemBody]:
    """A fault of ours: logged with its trace, answered without internals."""
    about = request.scope["state"].get("recommendation_id", "none")
    what = f"{request.method} {request.url.path} (recommendation {about})"
    runtime = request.app.state.get("runtime")
    if runtime is None:
        log.error("fault in %s", what, exc_info=error)
    else:
        runtime.faults.fault(what, error)
    _count(request, INTERNAL)
    return problem(INTERNAL, "Internal error", "something went wrong here; the log knows what")


def _count(request: Request[Any, Any, Any], status: int) -> None:
    """Where a site is open, its metrics know of every error."""
    runtime = request.app.state.get("runtime")
    if runtime is not None:
        runtime.meters.problem(status)


async def known_parameters(
    connection: ASGIConnection[Any, Any, Any, Any], _copy: BaseRouteHandler
) -> None:
    """Refuse a query parameter that the resource does not know, or takes once and finds twice.

    So no typo and no contradiction passes in silence.
    """
    given = connection.query_params
    if not given:
        return
    # The route's own: of the copy that Litestar makes for each request, the cache would keep all.
    handler: BaseRouteHandler = connection.route_handler
    known = _declared(handler)
    for name in given:
        if name in known and len(given.getall(name)) > 1 and not _many(handler, name):
            problem = f"given {len(given.getall(name))} times; say it once"
            raise BadInput(f"{name}: {problem}", [Problem(name, problem)])
        if name not in known:
            what = hint(name, sorted(known), str)
            raise BadInput(f"unknown parameter {name}; {what}", [Problem(name, f"unknown; {what}")])


@lru_cache(maxsize=1_024)
def _declared(handler: BaseRouteHandler) -> frozenset[str]:
    path = {name for each in handler.paths for name in re.findall(r"{(\w+):", each)}
    return frozenset(handler.parsed_fn_signature.parameters) - RESERVED - path


def _many(handler: BaseRouteHandler, name: str) -> bool:
    return handler.parsed_fn_signature.parameters[name].is_non_string_sequence


def _parameter_problems(request: Request[Any, Any, Any], error: HTTPException) -> list[Problem]:
    """What Litestar says of parameters, with a place and a cure each; never none."""
    if missing := _missing.match(error.detail):
        return [Problem(missing[1], f"it is missing; add ?{missing[1]}=…")]
    if not isinstance(error.extra, list):
        return [Problem("", error.detail)]
    found = [(str(e.get("key", "")), str(e.get("message", ""))) for e in error.extra]
    return [Problem(key, wanted(what, request.query_params.get(key))) for key, what in found]


def _spaced(name: str) -> str:
    return "".join(f" {c.lower()}" if c.isupper() and i else c for i, c in enumerate(name))
