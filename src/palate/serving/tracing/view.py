"""A trace as people read it: the stages, and for each item who found it and what became of it."""

import asyncio
import math
from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec
import numpy as np

from palate.arrays import Floats
from palate.features.vector import feature_of
from palate.releases.release import Release
from palate.serving.bodies import ReasonBody
from palate.serving.names import Named
from palate.serving.runtime import Runtime
from palate.serving.tracing.store import TraceRecord

TOP_FEATURES = 10


class StageBody(msgspec.Struct, frozen=True, kw_only=True):
    """One part of the funnel."""

    name: str
    entered: int
    left: int
    ms: float


class FoundBy(msgspec.Struct, frozen=True, kw_only=True):
    """A generator that proposed the item."""

    generator: str
    score: float
    rank: int


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule did with the item: ranks from 1."""

    rule: str
    before: int
    after: int


class FeatureBody(msgspec.Struct, frozen=True, kw_only=True):
    """One feature's value, and how much of the item's value hangs on it."""

    name: str
    value: float
    contribution: float | None = None
    meaning: str = ""
    """What the feature says, in words."""


class TracedItem(msgspec.Struct, frozen=True, kw_only=True):
    """One item that was shown."""

    item_id: str
    title: str
    position: int
    score: float
    """As the rules left it."""
    ranker_score: float | None
    """As the ranker gave it; null where the item did not come from the ranker."""
    ranker_rank: int | None
    propensity: float
    explore: bool
    reason: ReasonBody
    found_by: tuple[FoundBy, ...]
    heads: dict[str, float]
    """The network's calibrated probabilities; empty where none ranked."""
    rules: tuple[Moved, ...]
    notes: tuple[str, ...]
    """What operators' rules did to it, in words."""
    features: tuple[FeatureBody, ...]
    """Those that count most first; all of them where contributions are not known."""


class TraceBody(msgspec.Struct, frozen=True, kw_only=True):
    """One request, explained."""

    recommendation_id: str
    time: str
    surface: str
    visitor: str
    step: str
    release: str
    total_ms: float
    stages: tuple[StageBody, ...]
    candidates: int
    """Proposed by all generators together."""
    removed: dict[str, int]
    """How many items each filter and rule took out."""
    skipped: dict[str, str]
    """Parts that failed or were late."""
    relaxed: dict[str, int]
    """Operators' rules that could not be kept, and at how many places."""
    items: tuple[TracedItem, ...]
    remarks: tuple[str, ...] = ()


async def view(runtime: Runtime, record: TraceRecord) -> TraceBody:
    """Render a stored trace; contributions are computed now, from the release that answered."""
    rows = np.frombuffer(record.rows, np.int32)
    names = await runtime.names.of(rows.tolist())
    weights = runtime.settings.ranking.value
    live = runtime.live.stores.release
    release = live if live is not None and live.name == record.release else None
    reader = await asyncio.to_thread(_Reader, record, release, weights)
    return TraceBody(
        recommendation_id=record.recommendation_id,
        time=datetime.fromtimestamp(record.time, UTC).isoformat(timespec="milliseconds"),
        surface=record.surface,
        visitor=record.visitor,
        step=record.step,
        release=record.release,
        total_ms=record.milliseconds,
        stages=tuple(
            StageBody(name=s.name, entered=s.entered, left=s.left, ms=round(s.milliseconds, 3))
            for s in record.stages
        ),
        candidates=record.pool_size,
        removed=record.removed,
        skipped=record.skipped,
        relaxed=record.relaxed,
        items=tuple(reader.item(i, row, names) for i, row in enumerate(rows.tolist())),
        remarks=reader.remarks,
    )


class _Reader:
    """Reads the arrays of one record."""

    def __init__(
        self, record: TraceRecord, release: Release | None, weights: Mapping[str, float]
    ) -> None:
        self._record = record
        size = len(record.rows) // 4
        self._scores = np.frombuffer(record.scores, np.float32).tolist()
        self._propensity = _or(record.propensity, np.float32, size, 1.0)
        self._explore = _or(record.explore, np.uint8, size, 0.0)
        width = len(record.generators)
        self._found_scores = np.frombuffer(record.found_scores, np.float32).reshape(-1, width or 1)
        self._found_ranks = np.frombuffer(record.found_ranks, np.int16).reshape(-1, width or 1)
        ranked = np.frombuffer(record.ranked_rows, np.int32).tolist()
        scores = np.frombuffer(record.ranked_scores, np.float32).tolist()
        self._ranked = {
            row: (at, s) for at, (row, s) in enumerate(zip(ranked, scores, strict=True), 1)
        }
        self._features = np.frombuffer(record.features, np.float32).reshape(
            -1, len(record.feature_names) or 1
        )
        self._read_network(release, weights)

    def _read_network(self, release: Release | None, weights: Mapping[str, float]) -> None:
        self._heads: Floats | None = None
        self._parts: Floats | None = None
        self._head_names: tuple[str, ...] = ()
        self.remarks: tuple[str, ...] = ()
        network = None if release is None else release.ranker
        names = tuple(self._record.feature_names)
        if not names or not len(self._features):
            return
        if network is None or network.features != names:
            self.remarks = ("the network that ranked this is no longer live: no contributions",)
            return
        surface = self._record.surface
        self._heads = network.predict(self._features, surface=surface)
        self._head_names = network.heads
        self._parts = network.contributions(self._features, weights, surface)
        if network.facts.vectors:
            self.remarks = ("heads and contributions leave out what the last items moved",)

    def item(self, i: int, row: int, names: Mapping[int, Named]) -> TracedItem:
        """The i-th item shown."""
        record, named = self._record, names.get(row, Named("", ""))
        rank, score = self._ranked.get(row, (None, None))
        return TracedItem(
            item_id=named.item_id,
            title=named.title,
            position=record.first_position + i,
            score=self._scores[i],
            ranker_score=score,
            ranker_rank=rank,
            propensity=self._propensity[i],
            explore=bool(self._explore[i]),
            reason=record.reasons[i],
            found_by=self._found_by(i),
            heads=self._heads_of(i),
            rules=tuple(
                Moved(rule=rule, before=moves[row][0], after=moves[row][1])
                for rule, moves in record.moved.items()
                if row in moves
            ),
            notes=record.notes.get(row, ()),
            features=self._features_of(i),
        )

    def _found_by(self, i: int) -> tuple[FoundBy, ...]:
        if i >= len(self._found_ranks):
            return ()
        scores, ranks = self._found_scores[i].tolist(), self._found_ranks[i].tolist()
        found = [
            FoundBy(generator=name, score=score, rank=rank)
            for name, score, rank in zip(self._record.generators, scores, ranks, strict=True)
            if rank > 0 and not math.isnan(score)
        ]
        return tuple(sorted(found, key=lambda each: each.rank))

    def _heads_of(self, i: int) -> dict[str, float]:
        if self._heads is None:
            return {}
        return dict(zip(self._head_names, self._heads[i].tolist(), strict=True))

    def _features_of(self, i: int) -> tuple[FeatureBody, ...]:
        if i >= len(self._features) or not self._record.feature_names:
            return ()
        values = zip(self._record.feature_names, self._features[i].tolist(), strict=True)
        if self._parts is None:
            return tuple(
                FeatureBody(name=name, value=value, meaning=_meaning(name))
                for name, value in values
            )
        parts = self._parts[i].tolist()
        found = [
            FeatureBody(name=name, value=value, contribution=part, meaning=_meaning(name))
            for (name, value), part in zip(values, parts, strict=True)
        ]
        found.sort(key=lambda each: -abs(each.contribution or 0.0))
        return tuple(found[:TOP_FEATURES])


def _or(raw: bytes, kind: type, size: int, default: float) -> list[float]:
    return np.frombuffer(raw, kind).tolist() if raw else [default] * size


def _meaning(name: str) -> str:
    declared = feature_of(name)
    return declared.doc if declared else ""
