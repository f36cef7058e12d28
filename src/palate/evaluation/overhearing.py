"""What every generator said to the funnel, so that it need not be asked a second time."""

from dataclasses import replace
from typing import Any

from palate.funnel.engine import Funnel
from palate.funnel.stages import Generator
from palate.funnel.types import Candidates, Query, Reason


class Overheard:
    """A generator whose last answer is remembered."""

    said = Candidates.none()

    def __init__(self, generator: Generator) -> None:
        self._generator = generator

    async def generate(self, query: Query, limit: int) -> Candidates:
        self.said = Candidates.none()
        self.said = await self._generator.generate(query, limit)
        return self.said

    def explain(self, query: Query, row: int) -> Reason:
        return self._generator.explain(query, row)

    def __getattr__(self, name: str) -> Any:
        """What else the generator says of itself: `explores`, `remote`."""
        return getattr(self._generator, name)


def overheard(funnel: Funnel) -> Funnel:
    """The same funnel with generators that remember, under their own names."""
    each = (type(type(g).__name__, (Overheard,), {})(g) for g in funnel.generators)
    return replace(funnel, generators=tuple(each))


def said(generator: object) -> Candidates:
    """A generator's last answer to its funnel."""
    return generator.said if isinstance(generator, Overheard) else Candidates.none()
