"""Impression ⋈ outcome: what came of everything that was shown.

An act that names a recommendation is the outcome of that page, or of none. Any other is the outcome
of the last showing of the item to that visitor before it, if it lies within the window of its kind.
A session that became a user's is that user. Everything here is a function of its tables alone.
"""

from dataclasses import dataclass
from typing import Self

import polars as pl

from palate.events.kinds import Kind, Signal
from palate.settings import Settings
from palate.settings_loop import AttributionSettings

SECOND, MINUTE, HOUR = 1_000_000, 60_000_000, 3_600_000_000
"""In microseconds, as all times here."""
VISIT_HOURS = 4.0
"""A visit is followed back so far: what began earlier begins here."""
TAKING = int(Signal.CLICKED | Signal.ENGAGED)
VALUED = ("view", "rating", "purchase")
"""Kinds whose value is kept: the largest fraction watched, the last rating, all the money."""


@dataclass(frozen=True, slots=True)
class Windows:
    """When an act still counts."""

    by_kind: dict[int, int]
    """Kind -> microseconds after the showing."""
    late: int
    skew: int
    gap: int
    """A longer silence ends a visit."""

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """As the settings say."""
        told: AttributionSettings = settings.attribution
        return cls(
            {int(Kind[kind.upper()]): int(hours * HOUR) for kind, hours in told.hours.items()},
            int(told.late_hours * HOUR),
            int(told.skew_seconds * SECOND),
            int(settings.streaming.session_gap_minutes * MINUTE),
        )

    @property
    def span(self) -> int:
        """From when a page was logged until nothing more can come of it."""
        return max(self.by_kind.values(), default=0) + self.late


def outcome_columns() -> dict[str, pl.DataType]:
    """What `joined` says of each row: names and types."""
    kinds = [kind.name.lower() for kind in Kind if Kind.IMPRESSION < kind <= Kind.HIDE]
    return {
        "viewable": pl.Boolean(),
        "visit": pl.Datetime("us"),
        **{f"{kind}_after": pl.Float32() for kind in kinds},
        **{f"{kind}_value": pl.Float32() for kind in VALUED},
        "acts": pl.UInt16(),
        "taken": pl.Boolean(),
        "positive": pl.Boolean(),
        "negative": pl.Boolean(),
    }


def joined(
    rows: pl.DataFrame, others: pl.LazyFrame, acts: pl.LazyFrame, windows: Windows
) -> pl.DataFrame:
    """`rows` of the table `shown` with the outcomes that `acts` tell.

    `others` are rows shown about the same time, those of `rows` among them or not. In the order of
    log position and place.
    """
    columns = outcome_columns()
    bare = rows.drop([name for name in columns if name in rows.columns]).with_row_index("row")
    owners = _owners(acts)
    told = bare.lazy().select("row", *_SHOWING).pipe(_named, owners)
    known = _shown_to(told, others, owners)
    did = acts.filter(pl.col("item_id") != "").pipe(_named, owners)
    pairs = pl.concat([_by_name(told, did, windows), _by_last_touch(told, known, did, windows)])
    out = bare.lazy()
    for found in (_viewable(told, did, windows), _visits(told, known, acts, owners, windows)):
        out = out.join(found, on="row", how="left", maintain_order="left")
    out = out.join(_summed(pairs), on="row", how="left", maintain_order="left")
    nothing = [pl.col(name).fill_null(value=False) for name in ("taken", "positive", "negative")]
    made = out.with_columns(pl.col("acts").fill_null(0), *nothing).drop("row")
    whole = made.collect(engine="streaming").select(rows.columns)
    return whole.sort("log_position", "place", maintain_order=True)


_SHOWING = ("log_position", "received", "time", "user", "item_id", "recommendation_id")


def _shown_to(told: pl.LazyFrame, others: pl.LazyFrame, owners: pl.LazyFrame) -> pl.LazyFrame:
    """Everything that was shown to whom `told` is about, once.

    Nobody else's showings are kept: what this holds grows with `told`, not with the site's traffic.
    """
    all_ = pl.concat([others.select(_SHOWING).pipe(_named, owners), told.drop("row")])
    theirs = all_.join(told.select("who").unique(), on="who", how="semi")
    return theirs.unique(["log_position", "item_id"])


def _owners(acts: pl.LazyFrame) -> pl.LazyFrame:
    """Whose a session was, and from where in the log on; the first who claims it owns what was.

    As the fold has it (`features.kernel._claim`).
    """
    claims = acts.filter(pl.col("session") != 0).sort("log_position")
    claims = claims.select(pl.col("session").alias("user"), owner="user", begins="log_position")
    another = pl.col("owner") != pl.col("owner").shift().over("user")
    claims = claims.filter(another.fill_null(value=True))
    first = pl.col("begins").shift().over("user").is_null()
    return claims.with_columns(
        ends=pl.col("begins").shift(-1).over("user"),
        begins=pl.when(first).then(None).otherwise(pl.col("begins")),
    )


def _named(frame: pl.LazyFrame, owners: pl.LazyFrame) -> pl.LazyFrame:
    """With `who` it was: the user, or the session that nobody has claimed."""
    at = pl.col("log_position")
    since = pl.col("begins").is_null() | (at >= pl.col("begins"))
    until = pl.col("ends").is_null() | (at < pl.col("ends"))
    joined_ = frame.join(owners, on="user", how="left").filter(since & until)
    named = joined_.with_columns(pl.coalesce("owner", "user").alias("who"))
    return named.drop("owner", "begins", "ends")


def _window(windows: Windows) -> pl.Expr:
    spans = pl.col("kind").replace_strict(windows.by_kind, default=-1, return_dtype=pl.Int64)
    return pl.duration(microseconds=spans)


def _in_time(windows: Windows) -> pl.Expr:
    """Neither beyond the window of its kind, nor known too late."""
    known = pl.col("act_received") <= pl.col("received") + pl.duration(microseconds=windows.span)
    over = pl.col("act_time") > pl.col("time") + _window(windows)
    return known & ~over & pl.col("kind").is_in(list(windows.by_kind))


def _acts(did: pl.LazyFrame) -> pl.LazyFrame:
    same = ("item_id", "kind", "signal", "value", "recommendation_id", "who")
    return did.select(*same, *(pl.col(c).alias(f"act_{c}") for c in _OF_ACT))


_OF_ACT = ("time", "received", "log_position")
_PAIR = ("row", "time", "kind", "signal", "value", "act_time", "act_log_position")


def _by_name(told: pl.LazyFrame, did: pl.LazyFrame, windows: Windows) -> pl.LazyFrame:
    """Acts that say which page they come from: the visitor's clock does not matter."""
    naming = _acts(did.filter(pl.col("recommendation_id") != "")).drop("who")
    pairs = told.join(naming, on=["recommendation_id", "item_id"])
    return pairs.filter(_in_time(windows)).select(_PAIR)


def _by_last_touch(
    told: pl.LazyFrame, known: pl.LazyFrame, did: pl.LazyFrame, windows: Windows
) -> pl.LazyFrame:
    """Acts that do not: each belongs to the last showing before it."""
    plain = _acts(did.filter(pl.col("recommendation_id") == "")).drop("recommendation_id")
    plain = plain.join(told, on=["who", "item_id"], how="semi")
    pairs = known.join(plain, on=["who", "item_id"])
    late = (pl.col("act_log_position") > pl.col("log_position")) & (
        pl.col("act_time") >= pl.col("time") - pl.duration(microseconds=windows.skew)
    )
    after = (pl.col("act_time") >= pl.col("time")) | late
    order = ["act_log_position", "time", "log_position"]
    last = pairs.filter(after & _in_time(windows)).sort(order)
    last = last.unique("act_log_position", keep="last", maintain_order=True)
    rows = told.select("row", "log_position", "item_id")
    rows = rows.unique(["log_position", "item_id"], keep="first", maintain_order=True)
    return last.join(rows, on=["log_position", "item_id"]).select(_PAIR)


def _summed(pairs: pl.LazyFrame) -> pl.LazyFrame:
    """One line a row: when each kind came first, and what all of them say together."""
    after = (pl.col("act_time") - pl.col("time")).dt.total_microseconds() / SECOND
    pairs = pairs.with_columns(after.clip(0).cast(pl.Float32).alias("after"))
    pairs = pairs.sort("row", "act_time", "act_log_position")
    firsts = [
        pl.col("after")
        .filter(pl.col("kind") == int(kind))
        .min()
        .alias(f"{kind.name.lower()}_after")
        for kind in Kind
        if Kind.IMPRESSION < kind <= Kind.HIDE
    ]
    view, rating, purchase = (
        pl.col("value").filter(pl.col("kind") == int(Kind[kind.upper()])) for kind in VALUED
    )
    values = [
        view.max().alias("view_value"),
        rating.last().alias("rating_value"),
        pl.when(purchase.count() > 0).then(purchase.sum()).alias("purchase_value"),
    ]
    says = {"taken": TAKING, "positive": int(Signal.POSITIVE), "negative": int(Signal.NEGATIVE)}
    told = [((pl.col("signal") & bits) > 0).any().alias(name) for name, bits in says.items()]
    count = pl.len().clip(0, 65_535).cast(pl.UInt16).alias("acts")
    return pairs.group_by("row").agg(*firsts, *values, count, *told)


def _viewable(told: pl.LazyFrame, did: pl.LazyFrame, windows: Windows) -> pl.LazyFrame:
    """Whether it could be seen: by the impression itself, or by a later report on its page."""
    reports = did.filter(pl.col("viewable").is_not_null())
    reports = reports.select(
        "item_id", "recommendation_id", "viewable", pl.col("received").alias("act_received")
    )
    pairs = told.join(reports, on=["recommendation_id", "item_id"])
    known = pl.col("act_received") <= pl.col("received") + pl.duration(microseconds=windows.span)
    return pairs.filter(known).group_by("row").agg(pl.col("viewable").any())


def _visits(
    told: pl.LazyFrame,
    known: pl.LazyFrame,
    acts: pl.LazyFrame,
    owners: pl.LazyFrame,
    windows: Windows,
) -> pl.LazyFrame:
    """When the visit began in which it was shown: the last event after a gap, hours ago at most."""
    done = pl.concat([known.select("who", "time"), acts.pipe(_named, owners).select("who", "time")])
    done = done.join(told, on="who", how="semi").unique().sort("who", "time")
    silent = pl.col("time").diff().over("who") > pl.duration(microseconds=windows.gap)
    begins = done.with_columns(silent.fill_null(value=True).alias("begins"))
    starts = begins.filter("begins").select("who", "time", pl.col("time").alias("visit"))
    asked = told.select("row", "who", "time").sort("time")
    found = asked.join_asof(starts.sort("time"), on="time", by="who", check_sortedness=False)
    furthest = pl.col("time") - pl.duration(microseconds=int(VISIT_HOURS * HOUR))
    return found.select("row", pl.max_horizontal("visit", furthest).alias("visit"))
