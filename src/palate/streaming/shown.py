"""Entries of the log as the offline store's tables: what was shown, and what was done."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from palate.arrays import Floats, Mask
from palate.catalog.user import session_key, user_key
from palate.events.kinds import Event, Kind, signals_of
from palate.events.protocol import Logged
from palate.features.offline.waiting import Page
from palate.streaming.attribution import outcome_columns
from palate.streaming.state import unfit

MICROS = 1e6
FURTHEST = 4_102_444_800.0
"""Seconds: the year 2100. Times beyond it, or before 1970, are brought here."""
FEATURE = "f_"
"""Columns of features begin with it."""

MOMENT = pl.Datetime("us")
SHOWN: Mapping[str, Any] = {
    "log_position": pl.Int64,
    "received": MOMENT,
    "time": MOMENT,
    "user": pl.UInt64,
    "anonymous": pl.Boolean,
    "recommendation_id": pl.String,
    "surface": pl.String,
    "release": pl.String,
    "step": pl.String,
    "policy": pl.String,
    "item_id": pl.String,
    "place": pl.Int16,
    "propensity": pl.Float32,
    "score": pl.Float32,
    "explore": pl.Boolean,
}
ACTS: Mapping[str, Any] = {
    "log_position": pl.Int64,
    "received": MOMENT,
    "time": MOMENT,
    "user": pl.UInt64,
    "session": pl.UInt64,
    "item_id": pl.String,
    "kind": pl.UInt8,
    "signal": pl.UInt8,
    "value": pl.Float32,
    "recommendation_id": pl.String,
    "viewable": pl.Boolean,
}


@dataclass(slots=True)
class Stretch:
    """Entries of the log, one after the other, as they become parts of the store."""

    first: int = 0
    last: int = 0
    since: float = 0.0
    until: float = 0.0
    shown: list[tuple[Any, ...]] = field(default_factory=list)
    acts: list[tuple[Any, ...]] = field(default_factory=list)
    pages: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Recommendation -> its rows of `shown`: the first, and how many."""

    def __len__(self) -> int:
        return len(self.shown) + len(self.acts)

    def add(self, entry: Logged) -> None:
        """Take in the next entry. What cannot be folded has no part here either."""
        if not self.last:
            self.first, self.since, self.until = entry.position, entry.received, entry.received
        self.last = entry.position
        self.since, self.until = min(self.since, entry.received), max(self.until, entry.received)
        event = entry.event
        if event.kind in (Kind.PROFILE, Kind.FORGET) or unfit(event):
            return
        if event.kind is Kind.IMPRESSION and not event.reports:
            self._show(entry)
        else:
            self._act(entry)

    def _show(self, entry: Logged) -> None:
        event, context = entry.event, entry.event.context
        head = (entry.position, micros(entry.received), micros(event.time), _actor(event))
        told = (str(context.get(name) or "") for name in ("release", "step", "policy"))
        page = (not event.user_id, event.recommendation_id, event.surface, *told)
        items = [(e.item_id, e.position, e.propensity, e.score, e.explore) for e in event.items]
        if not items:
            items = [(event.item_id, event.position, 1.0, 0.0, False)]
        if event.recommendation_id:
            self.pages.setdefault(event.recommendation_id, (len(self.shown), len(items)))
        self.shown += [(*head, *page, *item) for item in items]
        # What an impression of the client's own says of its items counts like a report on it.
        self.acts += [
            (*self._deed(entry), each.item_id, int(Kind.IMPRESSION), 0, None,
             event.recommendation_id, each.viewable)
            for each in event.items
            if each.viewable is not None and event.recommendation_id
        ]  # fmt: skip
        if event.user_id and event.session_id:
            self.acts.append((*self._deed(entry), "", int(Kind.IMPRESSION), 0, None, "", None))

    def _act(self, entry: Logged) -> None:
        event, deed = entry.event, self._deed(entry)
        named = event.recommendation_id
        if event.reports:
            told = ((e.item_id, e.viewable) for e in event.items)
            self.acts += [(*deed, item, 0, 0, None, named, seen) for item, seen in told]
            return
        signal = int(signals_of(event.kind, event.value))
        self.acts.append((*deed, event.item_id, int(event.kind), signal, event.value, named, None))

    def _deed(self, entry: Logged) -> tuple[Any, ...]:
        event = entry.event
        both = event.user_id and event.session_id
        session = session_key(event.session_id) if both else 0
        return entry.position, micros(entry.received), micros(event.time), _actor(event), session

    def shown_table(self, features: Mapping[str, Page]) -> pl.DataFrame:
        """(shown, …): with empty outcomes, and the features of the pages that have some."""
        table = _table(self.shown, SHOWN).with_columns(
            pl.lit(value=False).alias("finished"),
            *(_empty(name, kind).alias(name) for name, kind in outcome_columns().items()),
        )
        names, values, known = self._features(features)
        return table.with_columns(
            pl.Series(FEATURE + name, values[:, at]).set(pl.Series(~known[:, at]), None)
            for at, name in enumerate(names)
        )

    def acts_table(self) -> pl.DataFrame:
        """(acts, …): reports on what was viewable have the kind of an impression."""
        return _table(self.acts, ACTS)

    def _features(self, found: Mapping[str, Page]) -> tuple[list[str], Floats, Mask]:
        """Names, values (shown, names), and which of these are told."""
        pages = self._whole(found)
        names = list(dict.fromkeys(name for _, page in pages for name in page.names))
        column = {name: at for at, name in enumerate(names)}
        values = np.full((len(self.shown), len(names)), np.nan, np.float32)
        known = np.zeros(values.shape, bool)
        for at, page in pages:
            rows = slice(at, at + len(page.features))
            which = [column[name] for name in page.names]
            values[rows, which], known[rows, which] = page.features, True
        return names, values, known

    def _whole(self, found: Mapping[str, Page]) -> list[tuple[int, Page]]:
        """Pages whose features are of just as many items as were shown, and their first rows."""
        return [
            (at, found[name])
            for name, (at, count) in self.pages.items()
            if name in found and len(found[name].features) == count
        ]


def micros(seconds: float) -> int:
    """Microseconds since 1970, within what a table can hold."""
    return int(min(max(seconds, 0.0), FURTHEST) * MICROS)


def day_of(moment: pl.Expr) -> pl.Expr:
    """The UTC day, as parts are named."""
    return moment.dt.strftime("%Y-%m-%d")


def _actor(event: Event) -> int:
    return user_key(event.user_id) if event.user_id else session_key(event.session_id)


def _table(rows: Sequence[tuple[Any, ...]], columns: Mapping[str, Any]) -> pl.DataFrame:
    whole = {n: pl.Int64 if kind == MOMENT else kind for n, kind in columns.items()}
    table = pl.DataFrame(rows, schema=whole, orient="row")
    moments = [name for name, kind in columns.items() if kind == MOMENT]
    return table.with_columns(pl.col(moments).cast(MOMENT))


def _empty(name: str, kind: pl.DataType) -> pl.Expr:
    if name in ("taken", "positive", "negative"):
        return pl.lit(value=False)
    return pl.lit(0 if name == "acts" else None, dtype=kind)
