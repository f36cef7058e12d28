"""The funnel's books on held-out time: where what people took later was lost."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

import msgspec

from palate.catalog.fields import rfc3339
from palate.errors import BadInput
from palate.evaluation.report import Value
from palate.evaluation.run import FunnelOf, Learn, Progress, Wish, as_of_the_split, drawn
from palate.evaluation.split import Case
from palate.evaluation.workspace import Workspace
from palate.funnel.engine import Funnel
from palate.funnel.ledger import Account, Ledger, account
from palate.stores import Stores

MOST = 500
"""Longest page that the books are kept for."""


class Books(Account, frozen=True, kw_only=True):
    """The result of `palate ledger`; encodes to its JSON."""

    protocol: str
    data: Mapping[str, Value]
    limit: int
    """Length of the page."""
    command: str


def books(
    site: Stores, wish: Wish, limit: int, funnel_of: FunnelOf, learn: Learn, progress: Progress
) -> Books:
    """Ask Home for everybody as of the split, and see what became of what they took later.

    The site itself is only read. Raises BadInput where the log is too small to be split.
    """
    if not 1 <= limit <= MOST:
        raise BadInput(f"--limit {limit} is not between 1 and {MOST}")
    with as_of_the_split(site, wish, learn, progress) as past:
        cases = drawn(past.cut, wish)
        asking = _kept(funnel_of(past.space.stores), past.space, cases, limit, progress)
        found = asyncio.run(asking)
    when = rfc3339(past.cut.moment)
    both: dict[str, Value] = {"events": past.entries, "left_out": past.left_out}
    return told(found, wish, limit, {**both, "t1": when})


async def _kept(
    funnel: Funnel, space: Workspace, cases: Sequence[Case], limit: int, progress: Progress
) -> Ledger:
    kept = Ledger()
    for done, case in enumerate(cases, start=1):
        query = replace(space.query(case, 0), size=limit)
        answer = await funnel.answer(query)
        kept.add(Ledger.of(funnel, query, case.relevant.tolist(), answer))
        progress("ask", done / len(cases))
    return kept


def told(kept: Ledger, wish: Wish, limit: int, data: Mapping[str, Value]) -> Books:
    """The books, and what they are of."""
    said = msgspec.structs.asdict(account(kept))
    return Books(protocol=wish.protocol, data=data, limit=limit, command=wish.command, **said)
