"""One request, from who asks to the body that answers."""

import asyncio
import math
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from math import inf
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from palate.arrays import Rows
from palate.errors import NotFound
from palate.funnel.budget import WHOLE, Plan
from palate.funnel.trace import Recorder
from palate.funnel.types import NOTHING, Answer, Query
from palate.index.matching import Matching
from palate.serving.accounting.sampling import Sample
from palate.serving.allowed.through import let_through
from palate.serving.bodies import Ask, Entry, Recommendation, Timing
from palate.serving.cursor import TAIL, Cursor
from palate.serving.impressions import impression
from palate.serving.names import Named
from palate.serving.observing.spans import PARENT, Answered
from palate.serving.pacing.pacer import Turn
from palate.serving.reasons import deeds, reason_body
from palate.serving.runtime import Runtime
from palate.serving.tracing.store import record_of, repeatable
from palate.serving.visitors import Visitor, key_of, languages, who
from palate.serving.wording.spoken import SPOKEN
from palate.stores import refresh

DRAWS = float(1 << 63)
UNKNOWN = -1
FROM_MEMORY = Plan(first="popular")
"""What is asked for where names do not come: those on boards are at hand."""


class Found(NamedTuple):
    """What the funnel answered, not yet told."""

    visitor: Visitor
    query: Query
    answer: Answer
    log: Recorder
    """What wrote the answer down."""
    alone: bool = True
    """No row of a page, where other rows have to do without what it shows."""
    names: dict[int, Named] | None = None
    """Of all that the answer speaks of, where they were asked for already."""


class Recommending:
    """One request under way, its `ask` checked. Make one, call `answer` once."""

    def __init__(
        self,
        runtime: Runtime,
        ask: Ask,
        recommendation_id: str,
        now: float,
        turn: Turn | None = None,
    ) -> None:
        self._started = perf_counter() if turn is None else turn.came
        self._runtime, self._ask, self._id, self._now = runtime, ask, recommendation_id, now
        self._turn, self._took = turn, math.nan
        self._live, self._words = runtime.live, runtime.settings.site
        self._funnel = self._live.funnel(ask.surface)
        self._owner = f"{ask.surface}|{who(ask)}|{ask.item_id}|{ask.filter}".removesuffix("|")
        self._most = runtime.settings.serving.max_excluded
        self._cursor = Cursor()
        if ask.cursor:
            items = self._live.stores.columns.size
            self._cursor = Cursor.decode(ask.cursor, self._owner, self._most, items)

    async def answer(self, draw: int) -> Recommendation:
        """Run the funnel; what is noted of it waits until the answer is out.

        Raises BadInput, NotFound.
        """
        return await self.told(await self.found(draw))

    async def found(self, draw: int, anchor: int = -1) -> Found:
        """What the funnel answers, about the item `anchor` where one is given."""
        refresh(self._live.stores)
        visitor = self._runtime.visitors.find(self._ask)
        query = await self.query(visitor, draw)
        if anchor >= 0:
            query = replace(query, seed_item=anchor)
        self._funnel = self._runtime.rules.program.steer(self._funnel, query)
        # As much of the funnel as fits; all of it where nobody counts the time.
        log = Recorder(WHOLE if self._turn is None else self._turn.plan(self._funnel))
        answer = await self._funnel.recorded(query, log)
        if self._turn is not None:
            self._turn.answer = answer
        return Found(visitor, query, answer, log)

    async def beneath(self, found: Found, above: Rows, size: int) -> Found:
        """What was found as a row of a page: so many, composed without what stands `above`."""
        query = replace(found.query, excluded=_joined(found.query.excluded, above), size=size)
        answer = await self._funnel.again(query, found.answer, found.log)
        return found._replace(query=query, answer=answer)

    def stop(self) -> None:
        """Its own time is over: what follows is the time of the page that it is a row of."""
        self._took = perf_counter() - self._started

    def _seconds(self) -> float:
        return perf_counter() - self._started if math.isnan(self._took) else self._took

    async def told(self, found: Found) -> Recommendation:
        """The body of what was found (all of it, or what a page left); what it shows is noted."""
        if found.alone:
            found = await self._named_in_time(found)
        query, answer = found.query, found.answer
        if answer.step == "full" and not self._cursor.given:
            self._live.kept.note(query, answer)
        answer, body = await self.written(found)
        asyncio.get_running_loop().call_soon(self._note, found, answer, body)
        return body

    async def _named_in_time(self, found: Found) -> Found:
        """From memory, where the catalogue is too slow to say what most of the items are called."""
        rows = found.answer.slate.rows.tolist()
        names = await self._names(found.answer)
        if self._turn is None or 2 * len(names.keys() & set(rows)) >= len(rows):
            return found._replace(names=names)
        return found._replace(answer=await self._funnel.answer(found.query, FROM_MEMORY))

    async def written(self, found: Found) -> tuple[Answer, Recommendation]:
        """How what was found would be told; nothing of it is noted."""
        names = await self._names(found.answer) if found.names is None else found.names
        answer = _named(found.answer, names)
        return answer, self._body(found.query, answer, names)

    async def query(self, visitor: Visitor, draw: int) -> Query:
        """What the funnel is asked."""
        ask = self._ask
        seed = self._cursor.seed_item
        if ask.item_id:
            seed = await self._seed(ask.item_id)
        excluded = self._cursor.rows
        if ask.exclude:
            rows = await self._runtime.names.rows_within(ask.exclude, self._left)
            excluded = _joined(excluded, rows)
        return Query(
            surface=ask.surface,
            user=visitor.state,
            size=ask.limit,
            now=self._now,
            draw=draw,
            seed_item=seed,
            excluded=excluded,
            matching=await self._matching(visitor),
            region=visitor.region,
            age=visitor.age,
            follows=visitor.creators(self._live.stores.columns),
            muted=visitor.muted(self._live.stores.columns),
            context=ask.context,
            given=self._cursor.given,
            tail=self._cursor.tail,
            values=self._values(visitor),
        )

    async def _seed(self, item_id: str) -> int:
        """Its row; -1 where the catalogue cannot tell now: then the page is about nothing."""
        [row] = await self._runtime.names.rows_within([item_id], self._left)
        if row == UNKNOWN:
            raise NotFound(f"there is no item {item_id!r}")
        return max(row, UNKNOWN)

    @property
    def _left(self) -> float:
        """Seconds until the answer has to be out."""
        return inf if self._turn is None else self._turn.left

    async def _matching(self, visitor: Visitor) -> Matching | None:
        """What generators may propose; None where that is (nearly) everything."""
        runtime, values = self._runtime, self._values(visitor)
        asked = visitor, self._ask.filter, self._now, values
        return await let_through(runtime.policies, runtime.conditions, *asked)

    def _values(self, visitor: Visitor) -> dict[str, Any]:
        """What conditions may ask of who asks."""
        context = {f"context.{name}": each for name, each in self._ask.context.items()}
        return {**visitor.values, **context}

    async def _names(self, answer: Answer) -> dict[int, Named]:
        """Of everything that the answer speaks of."""
        about = {row for reason in answer.reasons for row in reason.rows}
        seed = [answer.seed_item] if answer.seed_item >= 0 else []
        rows = about.union(answer.slate.rows.tolist(), seed)
        return await self._runtime.names.of(rows, self._left)

    def _body(self, query: Query, answer: Answer, names: dict[int, Named]) -> Recommendation:
        about = {row for reason in answer.reasons for row in reason.rows}
        done = deeds(query.user, about, self._words.viewed)
        total = self._seconds() * 1e3
        anchor = names.get(answer.seed_item)
        return Recommendation(
            recommendation_id=self._id,
            surface=self._ask.surface,
            release=self._live.name,
            step=answer.step,
            items=self._entries(query, answer, names, done),
            anchor=anchor.item_id if anchor else None,
            next=self._next(query, answer),
            timing=Timing(
                total_ms=round(total, 3),
                stages={s.name: round(s.milliseconds, 3) for s in answer.trace.stages},
            ),
        )

    def _entries(
        self, query: Query, answer: Answer, names: dict[int, Named], done: dict[int, str]
    ) -> tuple[Entry, ...]:
        slate, first = answer.slate, self._cursor.given + 1
        told_in = self._runtime.wordings.of(*languages(self._ask, query), *SPOKEN.get())
        explore = [False] * len(slate) if slate.explore is None else slate.explore.tolist()
        scored = zip(slate.rows.tolist(), slate.scores.tolist(), strict=True)
        entries = [
            Entry(
                item_id=names[row].item_id,
                position=first + i,
                score=score,
                reason=reason_body(answer.reasons[i], names, done, row, told_in),
                explore=explore[i],
            )
            for i, (row, score) in enumerate(scored)
        ]
        return tuple(entries)

    def _next(self, query: Query, answer: Answer) -> str | None:
        rows = answer.slate.rows.tolist()
        after = _joined(query.excluded, rows)
        ranked = answer.trace.ranked
        all_given = ranked is not None and len(ranked) <= len(rows)
        if all_given or len(rows) < self._ask.limit or len(after) > self._most:
            return None
        given = self._cursor.given + len(rows)
        tail = np.concatenate([self._cursor.tail, answer.slate.rows])[-TAIL:]
        return Cursor(given, after, answer.seed_item, tail).encode(self._owner)

    def _note(self, found: Found, answer: Answer, body: Recommendation) -> None:
        runtime, draw = self._runtime, found.query.draw
        runtime.sampler.note(Sample(key_of(self._ask), self._funnel, found.query, answer))
        runtime.meters.answered(self._ask.surface, answer, self._seconds())
        if answer.trace.skipped:
            skipped = answer.trace.skipped
            runtime.faults.note(self._ask.surface, answer.step, skipped)
        capped = runtime.rules.program.capped
        if capped:
            named = [entry.reason.rule for entry in body.items if entry.reason.rule in capped]
            runtime.rules.placements.note(named)
        event = impression(self._ask, body, answer.slate, self._now)
        if event is not None:
            runtime.impressions.note(event)
            runtime.features.note(self._id, self._funnel.ranker.reads, answer, draw / DRAWS)
        if runtime.spans is not None and runtime.spans.wanted(draw / DRAWS):
            runtime.spans.note(self._span(body, answer))
        share = runtime.settings.serving.trace_rate
        if draw / DRAWS < share and runtime.tracing.take(self._now):
            record = partial(
                record_of,
                answer,
                self._funnel.ranker.reads,
                recommendation_id=self._id,
                time=self._now,
                surface=body.surface,
                visitor=found.visitor.name,
                release=body.release,
                milliseconds=body.timing.total_ms,
                first_position=self._cursor.given + 1,
                reasons=[entry.reason for entry in body.items],
                ask=repeatable(self._ask),
            )
            runtime.traces.note(self._id, record)

    def _span(self, body: Recommendation, answer: Answer) -> Answered:
        return Answered(
            recommendation_id=self._id,
            surface=body.surface,
            step=body.step,
            release=body.release,
            items=len(body.items),
            began=self._now,
            milliseconds=body.timing.total_ms,
            stages=answer.trace.stages,
            parent=PARENT.get(),
        )


async def query_of(runtime: Runtime, ask: Ask) -> Query:
    """What the funnel would be asked for `ask` now. Raises BadInput, NotFound."""
    refresh(runtime.stores)
    now, draw = runtime.clock.now(), runtime.clock.draw()
    asking = Recommending(runtime, ask, recommendation_id(now, draw), now)
    return await asking.query(runtime.visitors.find(ask), draw)


def recommendation_id(now: float, draw: int) -> str:
    """Sorts by time; its second half is the request's draw, so that an answer can be repeated."""
    return f"{int(now * 1e3):012x}{draw:016x}"


def _named(answer: Answer, names: dict[int, Named]) -> Answer:
    """Without what no name is known of: it cannot be told. That is a fault of the catalogue."""
    rows = answer.slate.rows.tolist()
    if names.keys() >= set(rows):
        return answer
    kept = [at for at, row in enumerate(rows) if row in names]
    reasons = tuple(answer.reasons[at] for at in kept)
    return replace(answer, slate=answer.slate.take(np.array(kept, np.intp)), reasons=reasons)


def _joined(excluded: Rows, more: Iterable[int]) -> Rows:
    rows = {int(row) for row in more if row >= 0}.union(excluded.tolist())
    return np.array(sorted(rows), np.int32) if rows else NOTHING
