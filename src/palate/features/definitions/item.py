"""What is known of a candidate, whoever asks."""

# ruff: noqa: E501  a feature is a line

from functools import partial

import numpy as np

from palate.arrays import Floats
from palate.features.feature import Feature
from palate.features.folds import DAY
from palate.features.moment import Moment

feature = partial(Feature, "item")


def ratio(m: Moment, part: str, whole: str, prior: float) -> Floats:
    """Smooth a rate: (part + 20 · prior) / (whole + 20)."""
    rate: Floats = (m.count(part) + np.float32(20.0 * prior)) / (m.count(whole) + np.float32(20.0))
    return rate


def momentum(m: Moment) -> Floats:
    """Engagements of the last day over what the month led to expect, in log2."""
    day, month = m.count("engaged_1d") + np.float32(1.0), m.count("engaged_30d") / np.float32(30.0)
    return np.log2(day / (month + np.float32(1.0)))


FEATURES = (
    feature("item_shown_1d", "Shown, 1-day half-life", "log events", lambda m: m.count("shown_1d"), log=True),
    feature("item_shown_30d", "Shown, 30-day half-life", "log events", lambda m: m.count("shown_30d"), log=True),
    feature("item_clicked_1d", "Clicked, 1-day half-life", "log events", lambda m: m.count("clicked_1d"), log=True),
    feature("item_clicked_30d", "Clicked, 30-day half-life", "log events", lambda m: m.count("clicked_30d"), log=True),
    feature("item_engaged_1h", "Taken in, 1-hour half-life", "log events", lambda m: m.count("engaged_1h"), log=True),
    feature("item_engaged_1d", "Taken in, 1-day half-life", "log events", lambda m: m.count("engaged_1d"), log=True),
    feature("item_engaged_7d", "Taken in, 7-day half-life", "log events", lambda m: m.count("engaged_7d"), log=True),
    feature("item_engaged_30d", "Taken in, 30-day half-life", "log events", lambda m: m.count("engaged_30d"), log=True),
    feature("item_engaged", "Taken in altogether", "log events", lambda m: m.count("engaged_total"), log=True),
    feature("item_positive_7d", "Liked, 7-day half-life", "log events", lambda m: m.count("positive_7d"), log=True),
    feature("item_positive", "Liked altogether", "log events", lambda m: m.count("positive_total"), log=True),
    feature("item_negative_7d", "Disliked, 7-day half-life", "log events", lambda m: m.count("negative_7d"), log=True),
    feature("item_negative", "Disliked altogether", "log events", lambda m: m.count("negative_total"), log=True),
    feature("item_click_rate_7d", "Clicks per time shown, 7-day half-life, smoothed to 5 %", "share", lambda m: ratio(m, "clicked_7d", "shown_7d", 0.05)),
    feature("item_click_rate", "Clicks per time shown, smoothed to 5 %", "share", lambda m: ratio(m, "clicked_total", "shown_total", 0.05)),
    feature("item_positive_rate", "Likes per time taken in, smoothed to 30 %", "share", lambda m: ratio(m, "positive_total", "engaged_total", 0.3)),
    feature("item_positive_rate_30d", "Likes per time taken in, 30-day half-life, smoothed to 30 %", "share", lambda m: ratio(m, "positive_30d", "engaged_30d", 0.3)),
    feature("item_negative_rate", "Dislikes per time taken in, smoothed to 10 %", "share", lambda m: ratio(m, "negative_total", "engaged_total", 0.1)),
    feature("item_rating", "Mean rating, smoothed to 3.5", "stars", lambda m: (m.count("rating_sum") + np.float32(17.5)) / (m.count("rating_count") + np.float32(5.0))),
    feature("item_ratings", "Ratings", "log events", lambda m: m.count("rating_count"), log=True),
    feature("item_momentum", "The last day against the last month", "log2 ratio", momentum),
    feature("item_age_days", "Since publication; 0 where unknown", "log days", lambda m: m.age / np.float32(DAY), log=True),
    feature("item_age_known", "1 where the time of publication is known", "flag", lambda m: (~np.isnan(m.column("published"))).astype(np.float32)),
    feature("item_first_days", "Since the first act; 0 for never", "log days", lambda m: m.since("first_time") / np.float32(DAY), log=True),
    feature("item_last_days", "Since the last act; 0 for never", "log days", lambda m: m.since("last_time") / np.float32(DAY), log=True),
    feature("item_categories", "Categories", "count", lambda m: (m.column("categories") >= 0).sum(axis=1).astype(np.float32)),
    feature("item_tags", "Tags", "log count", lambda m: m.column("tags").astype(np.float32), log=True),
    feature("item_min_age", "Minimum age", "years", lambda m: m.column("min_age").astype(np.float32)),
    feature("item_creator_known", "1 where the creator is known", "flag", lambda m: (m.column("creator") >= 0).astype(np.float32)),
)  # fmt: skip
