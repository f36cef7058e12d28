"""The funnel: generators, filters, ranker, rules, always in this order, on one screen.

What may fail does so alone: a generator or an optional rule that breaks is left out and noted.
What must not fail open (filters, required rules) ends the attempt, and the request steps down the
ladder: full -> retrieval scores -> the visitor's last slate -> popular -> static list. Every step
applies the filters; when they cannot run at all, the answer is an empty slate.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from msgspec import structs

from palate.arrays import Floats, Mask, Rows
from palate.funnel.budget import DEFAULT, LATE, UNFIT, WHOLE, Budget, Plan
from palate.funnel.facts import features_of
from palate.funnel.ladder import POOLED, STEPS, by_rank, nothing, popular, unlimited
from palate.funnel.merge import SENSIBLY, Admission, by_lot, merge, shortlisted
from palate.funnel.reasons import reasons_for
from palate.funnel.retrieve import Asked, Named, retrieve
from palate.funnel.stages import Act, Filter, Generator, Ranker, Rule, name_of, weighed
from palate.funnel.trace import Part, Recorder
from palate.funnel.types import NOTHING, Answer, Columns, Pool, Query, Slate, Step
from palate.index.matching import Matching
from palate.index.slots import distinct, once_each, outside
from palate.stores import Stores


@dataclass(frozen=True)
class Funnel:
    """A surface's parts. `palate.toml` overrides its numbers by dotted name."""

    stores: Stores
    generators: tuple[Generator, ...]
    filters: tuple[Filter, ...]
    ranker: Ranker
    rules: tuple[Rule, ...]
    lifts: tuple[Rule, ...] = ()
    """Rules on everything that was ranked, before the shortlist is made."""
    guests: Callable[[Query], Rows] = nothing
    """Items that are candidates though no generator proposed them."""
    allowed: Callable[[Query], Awaitable[Matching | None]] = unlimited
    """What generators may propose, where the filters will hide much; they have the last word."""
    deep: bool = False
    """The rules see everything that was ranked, behind the shortlist and the reserve."""
    pool: int = 500
    """Most candidates that are ranked; each generator is asked for as many."""
    admission: Admission = SENSIBLY
    """Who gets into the pool."""
    shortlist: int = 100
    """Most ranked items that the rules see; never less than three pages."""
    reserve: int = 30
    """Beyond the shortlist: items of exploring generators that stay whatever their score."""
    budget: Budget = DEFAULT
    anchor: Callable[[Query], int] | None = None
    """Chooses the item that the slate is about, where the query names none."""
    credit: Mapping[str, float] = field(default_factory=dict)
    """A generator's weight when reasons are given; 1 where not named."""
    last_slate: Callable[[Query], Rows] = nothing
    """What the visitor was shown last."""
    static: Callable[[Query], Rows] = nothing
    """What is shown when nothing else can be."""

    async def answer(self, query: Query, plan: Plan = WHOLE) -> Answer:
        """The slate for `query`, its reasons, and what every stage did; within `plan`."""
        return await self.recorded(query, Recorder(plan))

    async def recorded(self, query: Query, log: Recorder) -> Answer:
        """The same, by the plan of `log`, which writes it down and is what `again` goes by."""
        plan = log.plan
        query = await self._told(self._prepared(query, log), log)
        pool = Pool.none(self.names)
        if plan.first in POOLED:
            pool = await self._pooled(query, log)
        for step in STEPS[STEPS.index(plan.first) :]:
            slate = None
            if step == "full" and plan.late:
                log.skip("step.full", LATE)
                continue
            with Part(log.trace, f"step.{step}", len(pool), forgive=True) as part:
                slate = self._compose(step, query, pool, log)
                part.left = len(slate.rows)
            if slate is not None and (len(slate) or (step == "full" and not log.trace.skipped)):
                return self._answered(step, query, slate, log)
        return self._answered("static", query, Slate.none(), log)

    async def again(self, query: Query, answer: Answer, log: Recorder) -> Answer:
        """What `log` recorded, for a query that excludes more or wants less: the rules anew.

        Nothing is retrieved or scored again. So a row of a page is composed when it is known what
        stands above it, and what is drawn by lot has the probability that is on record.
        """
        query = replace(query, seed_item=answer.seed_item)
        log.again()
        ranked, pool = log.trace.ranked, log.trace.pool or Pool.none(self.names)
        slate = Slate.none()
        if answer.step != "full":
            query = await self._told(self._prepared(query, log), log)
        with Part(log.trace, f"step.{answer.step}", forgive=True) as part:
            if answer.step == "full" and ranked is not None:
                slate = self._composed(query, pool, ranked.take(query.welcomes(ranked.rows)), log)
            else:
                slate = self._compose(answer.step, query, pool, log)
            part.left = len(slate.rows)
        return self._answered(answer.step, query, slate, log)

    def _prepared(self, query: Query, log: Recorder) -> Query:
        if self.anchor is not None and query.seed_item < 0:
            with Part(log.trace, "anchor", forgive=True):
                query = replace(query, seed_item=self.anchor(query))
        hidden = []
        for each, (name, _) in zip(self.filters, self._filter_names, strict=True):
            with Part(log.trace, f"exclude.{name}", forgive=True) as part:
                rows = each.excludes(query)
                part.left = len(rows)
                hidden += [rows] if len(rows) else []
        if not hidden:
            return query
        everything = np.concatenate([query.excluded, *hidden])
        return replace(query, excluded=distinct(everything))

    async def _told(self, query: Query, log: Recorder) -> Query:
        """Tell the generators what is not worth proposing."""
        if self.allowed is unlimited:
            return query
        found = None
        with Part(log.trace, "allowed", forgive=True):
            found = await self.allowed(query)
        return query if found is None else replace(query, matching=found.within(query.matching))

    async def _pooled(self, query: Query, log: Recorder) -> Pool:
        size = log.plan.sized(self.pool)
        asked = Asked(size, self.stores.columns.size, self.budget)
        proposals = await retrieve(self.named, query, asked, log)
        guests, found = NOTHING, sum(len(each.rows) for each in proposals)
        # Where every generator failed, pins alone are no page: the ladder has better.
        if self.guests is not nothing and (found or not log.trace.skipped):
            with Part(log.trace, "guests", forgive=True) as part:
                guests = self.guests(query)
                part.left = len(guests)
        with Part(log.trace, "merge", found) as part:
            pool = merge(self.names, proposals, size, query.known, self.admission, guests)
            part.left = len(pool)
        log.trace.proposals, log.trace.pool = tuple(proposals), pool
        return pool

    def _compose(self, step: Step, query: Query, pool: Pool, log: Recorder) -> Slate:
        match step:
            case "full":
                return self._composed(query, pool, self._ranked(query, pool, log), log)
            case "retrieval":
                pool = pool.take(self._lawful(query, pool.rows, log))
                return self._ruled(query, by_rank(query, pool, self.credit), log, optional=False)
            case "last_slate":
                rows = self.last_slate(query)
            case "popular":
                rows = popular(self.stores, query, self.pool)
            case "static":
                rows = self.static(query)
        rows = self._visited(query, rows, log)
        rows = rows[self._lawful(query, rows, log)]
        slate = Slate(rows, np.linspace(1, 0, len(rows), dtype=np.float32))
        return self._ruled(query, slate, log, optional=False)

    def _visited(self, query: Query, rows: Rows, log: Recorder) -> Rows:
        """A list with what operators pin behind it, so that it can be placed."""
        if self.guests is nothing or not len(rows):
            return rows
        with Part(log.trace, "guests", len(rows), forgive=True) as part:
            guests = self.guests(query)
            rows = np.concatenate([rows, guests[~np.isin(guests, rows)]]).astype(np.int32)
            part.left = len(rows)
        return rows

    def _lawful(self, query: Query, rows: Rows, log: Recorder) -> Mask:
        """Where every filter agrees. Raises what a filter raises: nothing passes unchecked."""
        columns = self.stores.columns.read(rows, self._filter_reads)
        kept, count = np.ones(len(rows), np.bool_), len(rows)
        if query.matching is not None or len(query.excluded):
            kept, welcome = query.matches(rows), query.welcomes(rows)
            _note(log, "filter", rows, ~kept)
            _note(log, "excluded", rows, ~welcome)
            kept &= welcome
            count = int(np.count_nonzero(kept))
        for each, (name, told) in zip(self.filters, self._filter_names, strict=True):
            with Part(log.trace, told, count) as part:
                mask = each.keep(query, rows, columns)
                if mask.shape != rows.shape or mask.dtype != np.bool_:
                    raise ValueError(f"{name} answered {mask.dtype} {mask.shape}")
                both = kept & mask
                part.left = left = int(np.count_nonzero(both))
                if left < count:
                    log.trace.removed[name] = rows[kept & ~mask]
                kept, count = both, left
        return kept

    def _composed(self, query: Query, pool: Pool, ranked: Slate, log: Recorder) -> Slate:
        """A page of what was ranked."""
        lots = np.sort(by_lot(pool))
        lifted = self._applied(self._lifting, query, ranked, log)
        slate = self._shortlisted(query, pool, lifted, _unmarked(lots, lifted))
        return self._ruled(query, slate, log, lots=_unmarked(lots, slate))

    def _ranked(self, query: Query, pool: Pool, log: Recorder) -> Slate:
        pool = pool.take(self._lawful(query, pool.rows, log))
        reads = self.ranker.reads
        with Part(log.trace, "features", len(pool)) as part:
            features = features_of(self.stores, query, pool, reads) if reads else _no_features(pool)
            part.left = len(pool)
        with Part(log.trace, "rank", len(pool), culprit=self._ranks) as part:
            scores, expected = weighed(self.ranker, query, pool, features)
            if scores.shape != (len(pool),) or not np.isfinite(scores).all():
                raise ValueError(f"{scores.shape} scores, or some not finite, of {len(pool)} items")
            order = (-scores).argsort(kind="stable")
            part.left = len(pool)
        ranked = Slate(pool.rows[order], scores[order].astype(np.float32), expected=expected)
        log.ranked(ranked, pool.rows, features)
        return ranked

    def _shortlisted(self, query: Query, pool: Pool, ranked: Slate, lots: Rows) -> Slate:
        """The best, and a few that are there to be learnt about; last what only chance brought."""
        room = max(self.shortlist, 3 * query.size), self.reserve
        if not len(lots) and len(ranked) <= room[0]:
            return ranked
        exploring = self._exploring
        return ranked.take(shortlisted(pool, ranked.rows, lots, exploring, room, deep=self.deep))

    def _ruled(
        self,
        query: Query,
        slate: Slate,
        log: Recorder,
        *,
        optional: bool = True,
        lots: Rows = NOTHING,
    ) -> Slate:
        """What the rules make of the slate. Raises what a required rule raises."""
        acts = self._acts if optional else [each for each in self._acts if each.stays]
        if log.plan.without:
            beyond = {e.part for e in acts if not e.stays} & log.plan.without
            for part in beyond:
                log.skip(part, UNFIT)
            acts = [each for each in acts if each.stays or each.part not in beyond]
        return self._applied(acts, query, slate, log, lots).top(query.size)

    def _applied(
        self,
        acts: Sequence[Act],
        query: Query,
        slate: Slate,
        log: Recorder,
        lots: Rows = NOTHING,
    ) -> Slate:
        """What the rules make of the slate: `lots` apart, so that they move nothing of the rest.

        They stay behind it, there to be drawn from (or to fill a short page, or where an operator's
        constraint wants them).
        """
        if not acts:
            return slate
        slate = structs.replace(slate, columns=self._read(slate.rows, acts))
        offered = slate.rows.copy()  # a rule may write into its own
        drawn = ~outside(slate.rows, lots)
        apart = slate.take(drawn) if drawn.any() and not drawn.all() else None
        slate = slate if apart is None else slate.take(~drawn)
        after = _rows(slate, apart)
        for rule, name, told, required, _, last in acts:
            if apart is not None and last:
                slate, apart = slate.followed(apart), None
            before = after
            with Part(log.trace, told, len(before), forgive=not required) as part:
                ruled = rule.apply(query, slate)
                beside = None if apart is None else rule.apply(query, apart)
                after = _checked(_rows(ruled, beside), offered)
                slate, apart = ruled, beside
                part.left = len(after)
            if after is before:  # it failed, and may have written into what it was given
                slate = structs.replace(slate, rows=before[: len(slate)].copy())
            log.rule(name, before, after)
        slate = slate if apart is None else slate.followed(apart)
        log.trace.notes, log.trace.relaxed = slate.notes, slate.relaxed
        return slate

    def _read(self, rows: Rows, acts: Sequence[Act]) -> Columns:
        names = self._rule_reads if acts is self._acts else _reads(acts)
        return self.stores.columns.read(rows, names) if names else {}

    def _answered(self, step: Step, query: Query, slate: Slate, log: Recorder) -> Answer:
        with Part(log.trace, "reasons", len(slate.rows)) as part:
            pool = log.trace.pool if step in {"full", "retrieval"} else None
            reasons = reasons_for(
                self.generators, self.credit, query, pool, slate, log.trace.skipped
            )
            part.left = len(reasons)
        log.shown(slate.rows, ranked=step == "full")
        return Answer(slate, reasons, step, log.trace, query.seed_item)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Of the generators, in their order."""
        return tuple(name_of(each) for each in self.generators)

    @cached_property
    def named(self) -> tuple[Named, ...]:
        """The generators, by their names in the trace."""
        return tuple((f"generate.{name_of(each)}", each) for each in self.generators)

    @cached_property
    def optional(self) -> tuple[str, ...]:
        """What a plan may leave out, by its names in the trace."""
        generators = (name for name, _ in self.named)
        rules = (each.part for each in self._acts if not each.stays)
        return (*generators, *rules)

    @cached_property
    def _acts(self) -> tuple[Act, ...]:
        return tuple(map(Act.of, self.rules))

    @cached_property
    def _lifting(self) -> tuple[Act, ...]:
        return tuple(map(Act.of, self.lifts))

    @cached_property
    def _rule_reads(self) -> tuple[str, ...]:
        return _reads(self._acts)

    @cached_property
    def _exploring(self) -> Mask:
        return np.array([getattr(each, "explores", False) for each in self.generators], np.bool_)

    @cached_property
    def _ranks(self) -> str:
        """The ranker, by its name where it fails."""
        return f"rank.{name_of(self.ranker)}"

    @cached_property
    def _filter_names(self) -> tuple[tuple[str, str], ...]:
        """In what is removed, and in the trace."""
        names = [name_of(each) for each in self.filters]
        return tuple((name, f"filter.{name}") for name in names)

    @cached_property
    def _filter_reads(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for each in self.filters for name in each.reads))


def _reads(acts: Iterable[Act]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for each in acts for name in each.rule.reads))


def _no_features(pool: Pool) -> Floats:
    return np.empty((len(pool), 0), np.float32)


def _rows(slate: Slate, apart: Slate | None) -> Rows:
    return slate.rows.copy() if apart is None else np.concatenate([slate.rows, apart.rows])


def _checked(rows: Rows, offered: Rows) -> Rows:
    if not once_each(np.asarray(rows, np.int32), offered):
        raise ValueError("the rule invented or repeated an item")
    return rows


def _unmarked(lots: Rows, slate: Slate) -> Rows:
    """Of these, what no operator's rule speaks for."""
    return lots[~np.isin(lots, list(slate.marks))] if slate.marks else lots


def _note(log: Recorder, name: str, rows: Rows, gone: Mask) -> None:
    if np.count_nonzero(gone):
        log.trace.removed[name] = rows[gone]
