"""``/v1/ledger``: where in the funnel live requests lost what their visitors took."""

import asyncio
from typing import Any

from litestar import Request, get
from litestar.params import FromPath, FromQuery
from litestar.router import Router

from palate.errors import BadInput, Problem
from palate.funnel.ledger import account
from palate.serving.accounting.books import DAY
from palate.serving.runtime import runtime_of
from palate.serving.schema.documents import LedgerDocument


@get("/{surface:str}", operation_id="ledger")
async def ledger(
    request: Request[Any, Any, Any], surface: FromPath[str], days: FromQuery[int] = 7
) -> LedgerDocument:
    """The funnel's books of a sample of live requests: what stages, generators and rules cost.

    What visitors took within `wait_minutes` of a page, anywhere, is what it could have shown. Every
    such item was shown or has one stage at which it was lost, so that the shares which the stages
    keep multiply to the recall. `[ledger] share` of the settings says how much is sampled.
    """
    runtime = runtime_of(request)
    settings = runtime.sampler.settings
    if not 1 <= days <= settings.keep_days:
        what = f"{days} is not between 1 and {settings.keep_days}"
        raise BadInput(f"days: {what}", [Problem("days", what)])
    runtime.live.funnel(surface)
    since = runtime.clock.now() - (days - 1) * DAY
    kept = await asyncio.to_thread(runtime.sampler.books.read, since, surface)
    told = account(kept)
    return LedgerDocument(
        surface=surface,
        days=days,
        share=settings.share,
        wait_minutes=settings.wait_minutes,
        **{name: getattr(told, name) for name in told.__struct_fields__},
    )


router = Router("/ledger", route_handlers=[ledger], tags=["Traces"])
