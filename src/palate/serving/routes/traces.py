"""``/v1/traces``: why an answer was what it was."""

from typing import Any

from litestar import Request, get
from litestar.params import FromPath
from litestar.router import Router

from palate.errors import NotFound
from palate.serving.runtime import runtime_of
from palate.serving.tracing.view import TraceBody, view


@get("/{recommendation_id:str}", operation_id="trace")
async def trace(request: Request[Any, Any, Any], recommendation_id: FromPath[str]) -> TraceBody:
    """What every stage did for one request.

    For each item shown: who found it, its scores, what the rules did, and the features that counted
    most.
    """
    runtime = runtime_of(request)
    record = await runtime.traces.find(recommendation_id)
    if record is None:
        kept = runtime.settings.serving.traces
        raise NotFound(
            f"there is no trace {recommendation_id!r}; the newest {kept} are kept for this site"
        )
    return await view(runtime, record)


router = Router("/traces", route_handlers=[trace], tags=["Traces"])
