"""One protocol per stage. A component states what it reads; the engine fetches it.

`default` builds the component on any set of stores. The conformance suites use it to try every
component of a package on the tiny world, so writing the class enrols it. A component's public
name is its class's in snake case (`HideSeen` -> `hide_seen`).
"""

import re
from functools import cache
from typing import NamedTuple, Protocol, Self

from palate.arrays import Floats, Mask, Rows
from palate.funnel.types import Candidates, Columns, Expected, Pool, Query, Reason, Slate
from palate.stores import Stores


class Generator(Protocol):
    """Proposes items worth ranking. May fail: the funnel goes on without it.

    Two class variables may be added: ``remote = True`` where it waits for another machine (it then
    runs beside the others, within the budget); ``explores = True`` where it finds what nobody knows
    to be good (some of it stays on the shortlist whatever its score, for Explore to draw from).
    And a method: ``explain_all(query, rows)``, what `explain` says of each, where a whole page's
    reasons cost less together.
    """

    @classmethod
    def default(cls, stores: Stores) -> Self: ...

    async def generate(self, query: Query, limit: int) -> Candidates:
        """Up to `limit` servable rows that `query.allows`, best first."""
        ...

    def explain(self, query: Query, row: int) -> Reason:
        """Why this generator proposes `row` to this visitor."""
        ...


class Filter(Protocol):
    """Says what may be shown at all. Always required: a page without it is not served."""

    @property
    def reads(self) -> tuple[str, ...]: ...

    @classmethod
    def default(cls, stores: Stores) -> Self: ...

    def keep(self, query: Query, rows: Rows, columns: Columns) -> Mask:
        """True where the item may be shown."""
        ...

    def excludes(self, query: Query) -> Rows:
        """Rows known beforehand to be dropped, so that generators need not propose them."""
        ...


class Ranker(Protocol):
    """Scores what was retrieved; the same row of features always gets the same score.

    One that knows how sure it is may add ``weigh``, with the arguments of `score`, which gives the
    scores and an `Expected` (or None): Explore draws by it.
    """

    @property
    def reads(self) -> tuple[str, ...]:
        """Names of the features it wants, in its own order; () for none."""
        ...

    @classmethod
    def default(cls, stores: Stores) -> Self: ...

    def score(self, query: Query, pool: Pool, features: Floats) -> Floats:
        """One value per row of the pool; `features` is (len(pool), len(reads))."""
        ...


class Rule(Protocol):
    """Reorders, drops or lifts items of a slate; never invents or repeats one.

    A `required` rule carries policy: if it fails, the request steps down the ladder. The others act
    on the full funnel only, but for those with a class variable ``always = True``: on every rung,
    as far as they can. ``explores = True`` says of a rule that it gives places to chance, with the
    probability on record: only it sees what was drawn by lot, where the page is full without.
    """

    @property
    def reads(self) -> tuple[str, ...]: ...
    @property
    def required(self) -> bool: ...

    @classmethod
    def default(cls, stores: Stores) -> Self: ...

    def apply(self, query: Query, slate: Slate) -> Slate: ...


class Act(NamedTuple):
    """A rule, and what the engine asks of it for every slate."""

    rule: Rule
    name: str
    part: str
    """Its name in the trace."""
    required: bool
    stays: bool
    """Whether it acts on every rung, and whatever the budget."""
    last: bool
    """Whether what was drawn by lot comes back before it acts."""

    @classmethod
    def of(cls, rule: Rule) -> Self:
        """What a rule says of itself."""
        name, required = name_of(rule), rule.required
        stays = required or getattr(rule, "always", False)
        last = stays or getattr(rule, "explores", False)
        return cls(rule, name, f"rule.{name}", required, stays, last)


def weighed(
    ranker: Ranker, query: Query, pool: Pool, features: Floats
) -> tuple[Floats, Expected | None]:
    """The scores, and what the ranker expects where it says so."""
    weigh = getattr(ranker, "weigh", None)
    if weigh is None:
        return ranker.score(query, pool, features), None
    told: tuple[Floats, Expected | None] = weigh(query, pool, features)
    return told


def name_of(component: object) -> str:
    """The component's name in settings, metrics and traces: its class's name in snake case.

    What stands there by an operator's rule bears the rule's id behind it: ``lift:summer``.
    """
    name, own = in_settings(type(component).__name__), getattr(component, "id", "")
    return f"{name}:{own}" if own else name


@cache
def in_settings(name: str) -> str:
    """A class's name as settings have it: ``PopularInGenre`` is ``popular_in_genre``."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
