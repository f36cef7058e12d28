"""Ask everybody once, in a workspace of its own, and judge every model on the same questions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from palate.evaluation.report import Report
from palate.evaluation.split import Protocol
from palate.funnel.engine import Funnel
from palate.stores import Stores

FunnelOf: TypeAlias = Callable[[Stores], Funnel]
"""Builds the surface that is judged on any set of stores."""
Progress: TypeAlias = Callable[[str, float], None]
"""Called with what is being done and how far it is (0 to 1)."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What to evaluate."""

    protocol: Protocol = "time"
    users: int = 0
    """Ask only so many users, drawn with `seed`; 0 is all."""
    models: Sequence[str] = ()
    """Judge only these; () is all."""
    seed: int = 1
    command: str = ""
    """How the run was called; printed with its numbers."""


def evaluate(stores: Stores, funnel_of: FunnelOf, wish: Wish, progress: Progress) -> Report:
    """Split the log of `stores`, learn from the training part, ask, judge.

    The site itself is only read. Raises BadInput where the log is too small to be split.
    """
    raise NotImplementedError
