"""What has to hold of a page as a whole, place by place."""

from typing import ClassVar, Protocol, Self

from palate.arrays import Mask
from palate.funnel.types import Query, Slate
from palate.stores import Stores


class Watch(Protocol):
    """One constraint on one page while it is filled."""

    def allows(self, place: int, *, last: bool) -> Mask | None:
        """(len(slate),): who may stand at `place` (from 0); None where all may.

        With `last` there are no more places left than the constraints are owed.
        """
        ...

    def takes(self, at: int) -> bool:
        """Candidate `at` stands at the place just asked for; True where this put it there."""
        ...

    def owes(self) -> int:
        """How many places it still needs, and has candidates for."""
        ...

    def lacks(self) -> int:
        """How many places it still needs; at the end of the page, those it did not get."""
        ...


class Constraint(Protocol):
    """Holds of every page as long as there are candidates to keep it with."""

    demands: ClassVar[bool]
    """Whether it brings items up, where others hold them back."""

    @property
    def id(self) -> str: ...
    @property
    def reads(self) -> tuple[str, ...]: ...

    @classmethod
    def default(cls, stores: Stores) -> Self: ...

    def watch(self, query: Query, slate: Slate, page: int) -> Watch:
        """Begin a page of `page` places with these candidates, best first."""
        ...

    def admits(self, query: Query, slate: Slate, slots: list[int]) -> Mask:
        """(len(slate),): who may take any of the `slots` (from 0) of the finished page.

        Whoever takes the others: exploration stays within the rules.
        """
        ...
