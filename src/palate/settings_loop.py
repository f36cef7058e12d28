"""Settings of the living loop: from events to state, from showings to outcomes, and to the books.

What every table of settings is made of is here too; `palate.settings` has the others.
"""

from typing import Annotated, Literal, TypeAlias

import msgspec

Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0)]
Positive: TypeAlias = Annotated[int, msgspec.Meta(ge=1)]
Port: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=65_535)]
Share: TypeAlias = Annotated[float, msgspec.Meta(ge=0, le=1)]
Outcome: TypeAlias = Literal[
    "click", "view", "like", "dislike", "save", "share", "purchase", "rating", "skip", "hide"
]
Hours: TypeAlias = Annotated[float, msgspec.Meta(gt=0, le=2_160)]
Amount: TypeAlias = Annotated[float, msgspec.Meta(ge=0)]


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the file: unknown names are refused, so that a typo cannot pass for a setting."""


class StreamingSettings(Part, frozen=True):
    """``[streaming]``: from the log to the state."""

    poll_milliseconds: Annotated[float, msgspec.Meta(gt=0)] = 15.0
    """How often the log is asked for new events."""
    batch: Positive = 2_000
    """Events folded in one transaction."""
    boards_seconds: Amount = 0.25
    """How often leaderboards are computed anew while events flow."""
    session_gap_minutes: Annotated[float, msgspec.Meta(gt=0)] = 30.0
    """A longer silence ends a session."""
    seen_limit: Count = 5_000
    """Items a user's record remembers as seen."""


class AttributionSettings(Part, frozen=True):
    """``[attribution]``: what was shown, joined with what came of it, in the offline store."""

    hours: dict[Outcome, Hours] = msgspec.field(
        default_factory=lambda: {
            "click": 1.0,
            "skip": 1.0,
            "hide": 24.0,
            "dislike": 24.0,
            "view": 24.0,
            "like": 24.0,
            "save": 24.0,
            "share": 24.0,
            "rating": 168.0,
            "purchase": 168.0,
        }
    )
    """How long after a showing an act of each kind counts as its outcome; a kind that is not named
    is no outcome. A row is finished when the longest of them is over."""
    late_hours: Amount = 1.0
    """Events that come in so much later than they happened still count."""
    skew_seconds: Amount = 60.0
    """A client's clock may be behind ours by so much: an act that the log has after the showing
    counts though it claims to have been before."""
    every_seconds: Annotated[float, msgspec.Meta(gt=0)] = 30.0
    """`palate up`: how often what is new in the log is joined."""
    part_rows: Annotated[int, msgspec.Meta(ge=100, le=5_000_000)] = 50_000
    """Rows of one Parquet file, and the most that are in memory at once."""
    features_share: Share = 1.0
    """Share of pages whose ranker features are kept for their rows."""
    features_megabytes: Positive = 512
    """Features that wait for the join; beyond it the oldest are dropped."""


class LedgerSettings(Part, frozen=True):
    """``[ledger]``: the funnel's books of live requests; `palate ledger --live` reads them."""

    share: Share = 0.01
    """Of first pages; 0 keeps none."""
    wait_minutes: Annotated[float, msgspec.Meta(gt=0, le=1_440)] = 30.0
    """What a visitor takes within so long could have been on the page."""
    most: Count = 200
    """Pages that one worker holds in memory meanwhile; what is more is not sampled."""
    keep_days: Positive = 90
    """How long counts are kept."""


class ExploreSettings(Part, frozen=True):
    """``[explore]``: slots given to items in order to learn about them."""

    method: Literal["thompson", "greedy"] = "thompson"
    """`thompson` draws by what is known of each item, `greedy` gives a slot away now and then."""
    share: Share = 0.1
    """Of Home's slots; `"explore.every"` of a surface says every how many."""
    epsilon: Share = 0.1
    """`thompson`: share of the draws that is uniform; `greedy`: how often a slot explores."""
