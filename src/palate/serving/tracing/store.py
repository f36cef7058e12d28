"""Keeps the newest traces of a site, for all its workers: what every stage did for one request."""

import asyncio
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import numpy as np

from palate.catalog.database import Database
from palate.funnel.types import Answer, Pool, Slate
from palate.serving.bodies import Ask, ReasonBody
from palate.serving.meters import Meters
from palate.serving.processes.warming import Asked
from palate.serving.tracing.batches import LINGER, Batches

FILE = "traces.db"
PRUNE_EVERY = 64
LONGEST = 4_096
"""Bytes of a request that is kept with its trace."""
MOST_RANKED = 200
"""Ranked items kept in a trace; the funnel's shortlist is shorter."""
SCHEMA = (
    "create table if not exists trace "
    "(seq integer primary key, id text unique, visitor text, body blob)"
)


Recording: TypeAlias = "Callable[[], TraceRecord]"


class StageRecord(msgspec.Struct, frozen=True, array_like=True):
    """One part: its name, how many came in and left, and milliseconds."""

    name: str
    entered: int
    left: int
    milliseconds: float


class TraceRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A trace as it is stored: rows instead of ids, arrays as bytes."""

    recommendation_id: str
    time: float
    surface: str
    visitor: str
    step: str
    release: str
    milliseconds: float
    first_position: int
    stages: list[StageRecord]
    generators: list[str]
    rows: bytes
    scores: bytes
    """Of the slate: int32, float32."""
    propensity: bytes
    explore: bytes
    found_scores: bytes
    found_ranks: bytes
    """(slate, generators): float32 with NaN, int16 with 0, where the generator did not find it."""
    pool_size: int
    ranked_rows: bytes
    ranked_scores: bytes
    """The best ranked, before the rules."""
    feature_names: list[str]
    features: bytes
    """(slate, features) float32; empty where no ranker read any."""
    removed: dict[str, int]
    moved: dict[str, dict[int, tuple[int, int]]]
    skipped: dict[str, str]
    reasons: list[ReasonBody]
    notes: dict[int, tuple[str, ...]] = {}
    """By row: what operators' rules did to what is shown."""
    relaxed: dict[str, int] = {}
    ask: Ask | None = None
    """What was asked for, so that it can be asked again; None of older traces, and of longer ones
    than `LONGEST`."""


def repeatable(ask: Ask) -> Ask | None:
    """What is kept of a request: its first page."""
    kept = msgspec.structs.replace(ask, cursor="", budget_ms=None)
    return kept if len(msgspec.msgpack.encode(kept)) <= LONGEST else None


class TraceStore:
    """A bounded table in the site's folder. Every method blocks: call it in a thread.

    A trace may be lost in a crash of the machine; an answer may not wait for one.
    """

    def __init__(self, path: Path, most: int) -> None:
        self._most, self._written = most, 0
        self._database = Database(path, SCHEMA, synchronous="OFF")

    def put(self, records: list[TraceRecord]) -> None:
        """Store traces and let the oldest go."""
        rows = [(each.recommendation_id, each.visitor, packed(each)) for each in records]
        with self._database.writing() as db:
            db.executemany("insert or ignore into trace (id, visitor, body) values (?, ?, ?)", rows)
            self._written += len(records)
            if self._written >= PRUNE_EVERY:
                self._written = 0
                newest = "(select max(seq) from trace)"
                db.execute(f"delete from trace where seq <= {newest} - ?", [self._most])

    def find(self, recommendation_id: str) -> TraceRecord | None:
        """One trace; None where it is unknown or gone."""
        with self._database.reading() as db:
            found = db.execute("select body from trace where id = ?", [recommendation_id])
            found = found.fetchone()
        return None if found is None else unpacked(found[0])

    def newest(self, most: int) -> list[TraceRecord]:
        """The newest answer to each of the visitors who asked last, at most so many."""
        with self._database.reading() as db:
            found = db.execute(
                "select body from trace where seq in (select max(seq) from trace group by visitor)"
                " order by seq desc limit ?",
                [most],
            ).fetchall()
        return [unpacked(body) for (body,) in found]

    def asked(self, most: int) -> list[Asked]:
        """What was asked last, by visitors with a name; at most so many, newest first."""
        with self._database.reading() as db:
            found = db.execute(
                "select body from trace where visitor != '' order by seq desc limit ?", [most]
            ).fetchall()
        return [Asked(each.surface, each.visitor) for each in (unpacked(b) for (b,) in found)]

    def forget(self, visitor: str) -> None:
        """Remove what was answered to a visitor."""
        with self._database.writing() as db:
            db.execute("delete from trace where visitor = ?", [visitor])

    def close(self) -> None:
        """Release the file."""
        self._database.close()


class TraceWriter:
    """The queue between answers and the trace store."""

    def __init__(self, store: TraceStore, meters: Meters, most: int = 1_000) -> None:
        self._store = store
        self._records: Batches[tuple[str, Recording]] = Batches("trace", self._put, meters, most)
        self._pending: dict[str, Recording] = {}

    def note(self, recommendation_id: str, record: Recording) -> None:
        """Store it soon; `record` is called when it is written or asked for. Never waits."""
        if self._records.note((recommendation_id, record)):
            self._pending[recommendation_id] = record

    @property
    def waiting(self) -> int:
        """How many wait to be written."""
        return self._records.waiting

    async def run(self) -> None:
        """Write until cancelled."""
        await self._records.run(lambda entry: self._pending.pop(entry[0], None))

    async def forget(self, visitor: str) -> None:
        """Remove what was answered to a visitor, also what is not written yet."""
        await self.settle()
        await asyncio.to_thread(self._store.forget, visitor)

    async def settle(self) -> None:
        """Wait until all that was noted is written."""
        await self._records.settle()

    async def find(self, recommendation_id: str) -> TraceRecord | None:
        """One trace, also one that is not written yet, here or by another worker."""
        pending = self._pending.get(recommendation_id)
        if pending is not None:
            return await asyncio.to_thread(pending)
        for pause in (0.0, LINGER, 2 * LINGER):
            await asyncio.sleep(pause)
            found = await asyncio.to_thread(self._store.find, recommendation_id)
            if found is not None:
                return found
        return None

    def _put(self, batch: Sequence[tuple[str, Recording]]) -> None:
        self._store.put([record() for _, record in batch])


def record_of(answer: Answer, feature_names: tuple[str, ...], **facts: Any) -> TraceRecord:
    """What is kept of an answer; `facts` are the fields that the answer does not know."""
    slate, trace = answer.slate, answer.trace
    scores, ranks = _found_by(trace.pool, slate)
    ranked = Slate(slate.rows, slate.scores) if trace.ranked is None else trace.ranked
    return TraceRecord(
        step=answer.step,
        stages=[StageRecord(s.name, s.entered, s.left, s.milliseconds) for s in trace.stages],
        generators=list(trace.pool.generators) if trace.pool else [],
        rows=slate.rows.astype(np.int32).tobytes(),
        scores=slate.scores.astype(np.float32).tobytes(),
        propensity=b""
        if slate.propensity is None
        else slate.propensity.astype(np.float32).tobytes(),
        explore=b"" if slate.explore is None else slate.explore.astype(np.uint8).tobytes(),
        found_scores=scores,
        found_ranks=ranks,
        pool_size=0 if trace.pool is None else len(trace.pool),
        ranked_rows=ranked.rows[:MOST_RANKED].astype(np.int32).tobytes(),
        ranked_scores=ranked.scores[:MOST_RANKED].astype(np.float32).tobytes(),
        feature_names=list(feature_names) if trace.features is not None else [],
        features=b"" if trace.features is None else trace.features.astype(np.float32).tobytes(),
        removed={name: len(rows) for name, rows in trace.removed.items() if len(rows)},
        moved={name: dict(moves) for name, moves in trace.moved.items() if moves},
        skipped=dict(trace.skipped),
        notes={row: trace.notes[row] for row in slate.rows.tolist() if row in trace.notes},
        relaxed=dict(trace.relaxed),
        **facts,
    )


def packed(record: TraceRecord) -> bytes:
    """As it is stored."""
    return zlib.compress(msgspec.msgpack.encode(record), 1)


def unpacked(raw: bytes) -> TraceRecord:
    """Back from the store."""
    return msgspec.msgpack.decode(zlib.decompress(raw), type=TraceRecord)


def _found_by(pool: Pool | None, slate: Slate) -> tuple[bytes, bytes]:
    """Scores and ranks of the slate's items; items that no generator found have NaN and 0."""
    if pool is None or not len(pool):
        return b"", b""
    order = np.argsort(pool.rows)
    which = order.take(np.searchsorted(pool.rows, slate.rows, sorter=order), mode="clip")
    found = (pool.rows[which] == slate.rows)[:, None]
    scores = np.where(found, pool.scores[which], np.nan).astype(np.float32)
    ranks = np.where(found, pool.ranks[which], 0).astype(np.int16)
    return scores.tobytes(), ranks.tobytes()
