"""Sources: the numbers that features are made of, by name and by their slot in the kernel.

A source is computed by one line of a kernel in `features/reading`; whoever changes what it means
raises its `version`, and releases that learnt the old meaning are refused instead of misled.
"""

from typing import Literal, NamedTuple

from palate.errors import BadInput
from palate.features.folds import DAY, HOUR, ITEM_FOLDS, USER_FOLDS, Fold

EVER = "all time"
SPANS = {HOUR: "1-hour", DAY: "1-day", 7 * DAY: "7-day", 30 * DAY: "30-day"}
RECORD, LOG, CATALOGUE = "user record", "item counters", "catalogue"
PAST = "history, at most 200 acts"
LAST = "last 10 items taken in"


class Source(NamedTuple):
    """One number, and where it comes from."""

    of: str
    window: str
    version: int = 1


def _fold(of: str, fold: Fold) -> Source:
    span = SPANS.get(fold.half_life)
    return Source(of, f"{span} half-life" if span else EVER)


USER: dict[str, Source] = {
    **{fold.name: _fold(RECORD, fold) for fold in USER_FOLDS},
    "acts": Source(RECORD, EVER),
    "sessions": Source(RECORD, EVER),
    "visit_acts": Source(RECORD, "this visit"),
    "visit_seconds": Source(RECORD, "this visit"),
    "away": Source(RECORD, "since the last act, at most 90 days"),
    "span": Source(RECORD, EVER),
    "segment_known": Source("profile", "now"),
    "history": Source(RECORD, PAST),
    "seen": Source(RECORD, "distinct items, bounded"),
    "last_gap": Source(RECORD, "last 2 acts"),
    "gap_10": Source(RECORD, "last 10 acts"),
    "liked_10": Source(RECORD, "last 10 acts"),
    "disliked_10": Source(RECORD, "last 10 acts"),
    "turned_down": Source(RECORD, "acts since the last item taken in"),
    "unanswered": Source(RECORD, "last 96 shown, since the last act"),
    "rating_spread": Source(RECORD, PAST),
    "rating_last": Source(RECORD, PAST),
    "usual_hour": Source(RECORD, PAST),
    "usual_day": Source(RECORD, PAST),
    "categories": Source(f"{RECORD}, {CATALOGUE}", PAST),
    "category_top": Source(f"{RECORD}, {CATALOGUE}", PAST),
    "creators": Source(f"{RECORD}, {CATALOGUE}", PAST),
    "popularity": Source(f"{RECORD}, {LOG}", LAST),
    "era": Source(f"{RECORD}, {CATALOGUE}", LAST),
    "focus": Source(f"{RECORD}, {CATALOGUE}", LAST),
    "tower_focus": Source(f"{RECORD}, two-tower", LAST),
    "hour_sin": Source("clock", "now"),
    "hour_cos": Source("clock", "now"),
    "weekday_sin": Source("clock", "now"),
    "weekday_cos": Source("clock", "now"),
    "weekend": Source("clock", "now"),
}
"""Numbers of who asks, in the order of the kernel's slots."""

ITEM: dict[str, Source] = {
    **{fold.name: _fold(LOG, fold) for fold in ITEM_FOLDS},
    "age": Source(CATALOGUE, "since publication"),
    "age_known": Source(CATALOGUE, "now"),
    "expires": Source(CATALOGUE, "until it expires"),
    "expires_known": Source(CATALOGUE, "now"),
    "min_age": Source(CATALOGUE, "now"),
    "category_count": Source(CATALOGUE, "now"),
    "tags": Source(CATALOGUE, "now"),
    "creator_known": Source(CATALOGUE, "now"),
    "content_known": Source(CATALOGUE, "now"),
    "regional": Source(CATALOGUE, "now"),
    "takers": Source("covisit", EVER),
    "neighbours": Source("covisit", EVER),
    "trend": Source(LOG, "last day against the last month"),
}
"""Numbers of a candidate, whoever asks."""

TOGETHER = f"{RECORD}, covisit"
TOPICS = f"{RECORD}, codes of content"
PAIR, TOWER = f"{RECORD}, {CATALOGUE}", f"{RECORD}, two-tower"
CLOSENESS = {
    "1": "last item taken in",
    "best_3": "last 3 items taken in",
    "best_10": LAST,
    "close_10": f"{LAST}, likes count more",
    "mean_3": "last 3 items taken in",
    "mean_10": LAST,
    "liked_10": f"{LAST}, the liked ones",
}
"""How a candidate's closeness to each of the last items is summed up, by co-visitation, by content
and by the two-tower."""
CROSS: dict[str, Source] = {
    "found": Source("generators", "now"),
    "best": Source("generators", "now"),
    **{
        f"{name}_{what}": Source(of, window)
        for name, of in (("covisit", TOGETHER), ("content", PAIR), ("tower", TOWER))
        for what, window in CLOSENESS.items()
    },
    "content_liked": Source(PAIR, PAST),
    "content_disliked": Source(PAIR, PAST),
    "category_recent": Source(PAIR, "last 20 items taken in"),
    "category_ever": Source(PAIR, PAST),
    "category_liked": Source(PAIR, PAST),
    "category_disliked": Source(PAIR, PAST),
    "category_rated": Source(PAIR, PAST),
    "category_best": Source(PAIR, PAST),
    "category_known": Source(PAIR, PAST),
    "category_since": Source(PAIR, "at most 90 days"),
    "creator_recent": Source(PAIR, "last 20 items taken in"),
    "creator_ever": Source(PAIR, PAST),
    "creator_liked": Source(PAIR, PAST),
    "topic_recent": Source(TOPICS, "last 20 items taken in"),
    "topic_ever": Source(TOPICS, PAST),
    "topic_liked": Source(TOPICS, PAST),
    "topic_disliked": Source(TOPICS, PAST),
    "subtopic_recent": Source(TOPICS, "last 20 items taken in"),
    "subtopic_ever": Source(TOPICS, PAST),
    "subtopic_liked": Source(TOPICS, PAST),
    "subtopic_disliked": Source(TOPICS, PAST),
    "shown": Source(RECORD, "last 96 shown"),
    "shown_in_vain": Source(RECORD, "last 96 shown"),
    "shown_since": Source(RECORD, "last 96 shown"),
    "taken": Source(RECORD, "distinct items, bounded"),
    "segment_mine": Source(LOG, "30-day half-life"),
    "era_gap": Source(PAIR, LAST),
    "popularity_gap": Source(f"{RECORD}, {LOG}", LAST),
}
"""Numbers of a candidate before a user; a generator's score and 1 / rank follow them."""

CANDIDATE = {**ITEM, **CROSS}
USER_AT = {name: slot for slot, name in enumerate(USER)}
AT = {name: slot for slot, name in enumerate(CANDIDATE)}
"""Slots in the kernel's tables."""
WORDS = ("score", "rank")
"""What a generator says of a candidate: two more sources each, ``covisit_score``."""


def generator_of(name: str) -> tuple[str, Literal["score", "rank"]] | None:
    """Which generator's word a source of a candidate is; None for any other name."""
    generator, _, word = name.rpartition("_")
    if name in CANDIDATE or not generator:
        return None
    return (generator, "score" if word == "score" else "rank") if word in WORDS else None


def source_of(subject: str, name: str) -> Source:
    """The source of a name. Raises BadInput where nothing is called so."""
    known = USER if subject == "user" else CANDIDATE
    if name in known:
        return known[name]
    found = generator_of(name) if subject == "cross" else None
    if found is None:
        raise BadInput(f"no such source of {subject} features: {name!r}; see `features.sources`")
    return Source(f"generator {found[0]}", "now")
