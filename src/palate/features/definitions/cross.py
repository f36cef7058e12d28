"""How a candidate suits who asks: what the generators said, and what the user did before."""

# ruff: noqa: E501  a feature is a line

from functools import partial

from palate.events.kinds import Signal
from palate.features.feature import Feature
from palate.features.folds import HOUR

GENERATORS = (
    "covisit",
    "two_tower",
    "content",
    "trending",
    "popular",
    "popular_in_genre",
    "popular_in_segment",
    "fresh",
)
"""Generators whose word the ranker hears."""

feature = partial(Feature, "cross")


def _score(name: str) -> Feature:
    told = f"Score by {name}; 0 where it did not find the item"
    return feature(f"{name}_score", told, "score", lambda m: m.score(name))


def _closeness(name: str) -> Feature:
    told = f"1 / rank by {name}; 0 where it did not find the item"
    return feature(f"{name}_rank", told, "1 / rank", lambda m: m.closeness(name))


FEATURES = (
    *map(_score, GENERATORS),
    *map(_closeness, GENERATORS),
    feature("found_by", "Generators that found the item", "count", lambda m: m.found),
    feature("best_rank", "1 / the best rank of any generator", "1 / rank", lambda m: m.best),
    feature("category_recent", "Share of the last 20 engagements on its categories", "share", lambda m: m.affinities[0]),
    feature("category_ever", "Share of the last 200 engagements on its categories", "share", lambda m: m.affinities[1]),
    feature("category_liked", "Share of likes on its categories", "share", lambda m: m.affinities[2]),
    feature("category_disliked", "Share of dislikes on its categories", "share", lambda m: m.affinities[3]),
    feature("category_rated", "How much better than usual its categories were rated, smoothed", "stars", lambda m: m.affinities[4]),
    feature("category_best", "Share of engagements on its best category", "share", lambda m: m.affinities[5]),
    feature("category_known", "Share of its categories met before", "share", lambda m: m.affinities[6]),
    feature("creator_recent", "Engagements with its creator among the last 20", "log events", lambda m: m.creators[0], log=True),
    feature("creator_ever", "Engagements with its creator among the last 200", "log events", lambda m: m.creators[1], log=True),
    feature("creator_liked", "Likes of its creator", "log events", lambda m: m.creators[2], log=True),
    feature("content_last", "Content like the last item's", "cosine", lambda m: m.likeness[0]),
    feature("content_best_3", "Content like the nearest of the last 3", "cosine", lambda m: m.likeness[:3].max(axis=0)),
    feature("content_mean_3", "Content like the last 3", "cosine", lambda m: m.likeness[:3].mean(axis=0)),
    feature("content_best_10", "Content like the nearest of the last 10", "cosine", lambda m: m.likeness.max(axis=0)),
    feature("content_mean_10", "Content like the last 10", "cosine", lambda m: m.likeness.mean(axis=0)),
    feature("content_liked", "Content like what was liked", "cosine", lambda m: m.liking(Signal.POSITIVE)),
    feature("content_disliked", "Content like what was turned down", "cosine", lambda m: m.liking(Signal.NEGATIVE)),
    feature("shown_before", "Times among the last 96 shown", "log events", lambda m: m.exposure[0], log=True),
    feature("shown_in_vain", "Times among the last 96 shown, where it was never taken in", "log events", lambda m: m.exposure[0] * (1 - m.gave(Signal.ENGAGED)), log=True),
    feature("shown_hours_ago", "Since it was last shown; 0 for never", "log hours", lambda m: m.exposure[1] / HOUR, log=True),
    feature("taken_before", "1 where the user took it in before", "flag", lambda m: m.gave(Signal.ENGAGED)),
    feature("segment_engaged", "Taken in by the user's segment, 30-day half-life", "log events", lambda m: m.in_segment[0], log=True),
    feature("segment_share", "Share of the user's segment in all engagements with it", "share", lambda m: m.in_segment[1]),
    feature("era_gap", "Between its publication and the last items'; 0 where unknown", "log years", lambda m: m.era_gap, log=True),
)  # fmt: skip
