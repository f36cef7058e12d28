"""How a candidate suits who asks: what the generators said, and what the user did before.

Every generator that proposes brings two features, its score and its rank (`word`): a release names
those it learnt, so a generator that comes later changes nothing for it, and one that is gone is
read as one that found nothing.
"""

# ruff: noqa: E501  a feature is a line

from functools import partial
from typing import Literal

from palate.features.feature import Feature, rate, told
from palate.features.folds import HOUR

feature = partial(Feature, "cross")


def word(generator: str, of: Literal["score", "rank"]) -> Feature:
    """What a generator says of a candidate."""
    name, found = f"{generator}_{of}", "0 where it did not find the item"
    if of == "score":
        return feature(name, f"Score by {generator}; {found}", "score", told(name))
    return feature(name, f"1 / rank by {generator}; {found}", "1 / rank", told(name))


FEATURES = (
    feature("found_by", "Generators that found the item", "count", told("found")),
    feature("best_rank", "1 / the best rank of any generator", "1 / rank", told("best")),
    feature("covisit_last", "Taken in together with the last item", "weight", told("covisit_1")),
    feature("covisit_best_10", "Taken in together with one of the last 10: the most", "weight", told("covisit_best_10")),
    feature("covisit_close_10", "Taken in together with the last 10, likes count more", "weight", told("covisit_close_10")),
    feature("covisit_liked_10", "Taken in together with those of the last 10 that were liked", "weight", told("covisit_liked_10")),
    feature("tower_last", "Near the last item, by the two-tower", "cosine", told("tower_1")),
    feature("tower_best_10", "Near the nearest of the last 10, by the two-tower", "cosine", told("tower_best_10")),
    feature("content_last", "Content like the last item's", "cosine", told("content_1")),
    feature("content_best_10", "Content like the nearest of the last 10", "cosine", told("content_best_10")),
    feature("content_liked", "Content like what was liked", "cosine", told("content_liked")),
    feature("content_disliked", "Content like what was turned down", "cosine", told("content_disliked")),
    feature("category_recent", "Share of the last 20 engagements on its categories", "share", told("category_recent")),
    feature("category_ever", "Share of the last 200 engagements on its categories", "share", told("category_ever")),
    feature("category_liked", "Share of likes on its categories", "share", told("category_liked")),
    feature("category_disliked", "Share of dislikes on its categories", "share", told("category_disliked")),
    feature("category_rated", "How much better than usual its categories were rated, smoothed", "stars", told("category_rated")),
    feature("category_hours_ago", "Since one of its categories was taken in; 90 days for never", "log hours", told("category_since", 1 / HOUR), log=True),
    feature("creator_recent", "Engagements with its creator among the last 20", "log events", told("creator_recent"), log=True),
    feature("creator_ever", "Engagements with its creator among the last 200", "log events", told("creator_ever"), log=True),
    feature("creator_liked", "Likes of its creator", "log events", told("creator_liked"), log=True),
    feature("topic_recent", "Share of the last 20 engagements on its topic: the first code of its content", "share", told("topic_recent")),
    feature("topic_ever", "Share of the last 200 engagements on its topic", "share", told("topic_ever")),
    feature("topic_liked", "Share of likes on its topic", "share", told("topic_liked")),
    feature("topic_disliked", "Share of dislikes on its topic", "share", told("topic_disliked")),
    feature("subtopic_ever", "Share of the last 200 engagements on its part of the topic: the first two codes", "share", told("subtopic_ever")),
    feature("subtopic_liked", "Share of likes on its part of the topic", "share", told("subtopic_liked")),
    feature("shown_before", "Times among the last 96 shown", "log events", told("shown"), log=True),
    feature("shown_in_vain", "Times among the last 96 shown, where it was never taken in", "log events", told("shown_in_vain"), log=True),
    feature("shown_hours_ago", "Since it was last shown; 0 for never", "log hours", told("shown_since", 1 / HOUR), log=True),
    feature("segment_engaged", "Taken in by the user's segment, 30-day half-life", "log events", told("segment_mine"), log=True),
    feature("segment_share", "Share of the user's segment in all engagements with it", "share", rate("segment_mine", "engaged_30d", 0.0, 1.0)),
    feature("era_gap", "Between its publication and the last items'; 0 where unknown", "log years", told("era_gap"), log=True),
    feature("popularity_gap", "How far its popularity is from that of the last 10 items", "log events", told("popularity_gap")),
    feature("covisit_best_3", "Taken in together with one of the last 3: the most", "weight", told("covisit_best_3"), retired=True),
    feature("tower_best_3", "Near the nearest of the last 3, by the two-tower", "cosine", told("tower_best_3"), retired=True),
    feature("content_best_3", "Content like the nearest of the last 3", "cosine", told("content_best_3"), retired=True),
    feature("content_close_10", "Content like the last 10, likes count more", "cosine", told("content_close_10"), retired=True),
    feature("tower_close_10", "Near the last 10, by the two-tower, likes count more", "cosine", told("tower_close_10"), retired=True),
    feature("category_best", "Share of engagements on its best category", "share", told("category_best"), retired=True),
    feature("taken_before", "1 where the user took it in before", "flag", told("taken"), retired=True),
    feature("category_known", "Share of its categories met before", "share", told("category_known"), retired=True),
    feature("content_mean_10", "Content like the last 10", "cosine", told("content_mean_10"), retired=True),
    feature("content_mean_3", "Content like the last 3", "cosine", told("content_mean_3"), retired=True),
)  # fmt: skip
