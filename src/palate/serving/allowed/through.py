"""What may be proposed to one request: what policy lets its visitor see, within its filter."""

import asyncio
from collections.abc import Mapping
from typing import Any

from palate.funnel.standing import QUICK
from palate.index.matching import Matching
from palate.serving.allowed.conditions import Conditions
from palate.serving.allowed.policies import Policies
from palate.serving.visitors import Visitor


async def let_through(
    policies: Policies,
    conditions: Conditions,
    visitor: Visitor,
    condition: str,
    now: float,
    values: Mapping[str, Any],
) -> Matching | None:
    """What generators may propose; None where that is (nearly) everything.

    Raises BadInput at the character where the condition is wrong.
    """
    lawful = await policies.matching(visitor.region, visitor.age, now)
    if not condition:
        return lawful
    found = await conditions.matching(condition, now, values)
    if policies.size <= QUICK or found.beside(lawful):
        return found.within(lawful)
    return await asyncio.to_thread(found.within, lawful)
