"""What is known of a candidate, whoever asks."""

# ruff: noqa: E501  a feature is a line

from functools import partial

from palate.features.feature import Feature, Value, against, rate, told
from palate.features.folds import DAY

feature = partial(Feature, "item")

FEATURES = (
    feature("item_shown_1d", "Shown, 1-day half-life", "log events", told("shown_1d"), log=True),
    feature("item_shown_30d", "Shown, 30-day half-life", "log events", told("shown_30d"), log=True),
    feature("item_clicked_1d", "Clicked, 1-day half-life", "log events", told("clicked_1d"), log=True),
    feature("item_clicked_30d", "Clicked, 30-day half-life", "log events", told("clicked_30d"), log=True),
    feature("item_engaged_1h", "Taken in, 1-hour half-life", "log events", told("engaged_1h"), log=True),
    feature("item_engaged_1d", "Taken in, 1-day half-life", "log events", told("engaged_1d"), log=True),
    feature("item_engaged_7d", "Taken in, 7-day half-life", "log events", told("engaged_7d"), log=True),
    feature("item_engaged_30d", "Taken in, 30-day half-life", "log events", told("engaged_30d"), log=True),
    feature("item_engaged", "Taken in altogether", "log events", told("engaged_total"), log=True),
    feature("item_positive_7d", "Liked, 7-day half-life", "log events", told("positive_7d"), log=True),
    feature("item_positive", "Liked altogether", "log events", told("positive_total"), log=True),
    feature("item_negative_7d", "Disliked, 7-day half-life", "log events", told("negative_7d"), log=True),
    feature("item_negative", "Disliked altogether", "log events", told("negative_total"), log=True),
    feature("item_click_rate_7d", "Clicks per time shown, 7-day half-life, smoothed to 5 %", "share", rate("clicked_7d", "shown_7d", 0.05, 20.0)),
    feature("item_click_rate", "Clicks per time shown, smoothed to 5 %", "share", rate("clicked_total", "shown_total", 0.05, 20.0)),
    feature("item_positive_rate", "Likes per time taken in, smoothed to 30 %", "share", rate("positive_total", "engaged_total", 0.3, 20.0)),
    feature("item_positive_rate_30d", "Likes per time taken in, 30-day half-life, smoothed to 30 %", "share", rate("positive_30d", "engaged_30d", 0.3, 20.0)),
    feature("item_negative_rate", "Dislikes per time taken in, smoothed to 10 %", "share", rate("negative_total", "engaged_total", 0.1, 20.0)),
    feature("item_rating", "Mean rating, smoothed to 3.5", "stars", rate("rating_sum", "rating_count", 3.5, 5.0)),
    feature("item_ratings", "Ratings", "log events", told("rating_count"), log=True),
    feature("item_momentum", "The last day against the last month", "log2 ratio", against("engaged_1d", 1.0, "engaged_30d", 1 / 30)),
    feature("item_age_days", "Since publication; 0 where unknown", "log days", told("age", 1 / DAY), log=True),
    feature("item_age_known", "1 where the time of publication is known", "flag", told("age_known")),
    feature("item_first_days", "Since the first act; 0 for never", "log days", told("first_time", 1 / DAY), log=True),
    feature("item_last_days", "Since the last act; 0 for never", "log days", told("last_time", 1 / DAY), log=True),
    feature("item_categories", "Categories", "count", told("category_count")),
    feature("item_tags", "Tags", "log count", told("tags"), log=True),
    feature("item_min_age", "Minimum age", "years", told("min_age")),
    feature("item_creator_known", "1 where the creator is known", "flag", told("creator_known")),
    feature("item_per_day", "Taken in per day since the first act", "log events", Value("engaged_total", 1.0, 0.0, "first_time", 1 / DAY, 1.0), log=True),
    feature("item_age_popularity", "Taken in lately (7-day half-life) per year of age: new hits stand out", "log events", Value("engaged_7d", 1.0, 0.0, "age", 1 / (365.25 * DAY), 0.1), log=True),
    feature("item_takers", "Users who took it in", "log users", told("takers"), log=True),
    feature("item_again", "Times taken in per user who did", "ratio", rate("engaged_total", "takers", 1.0, 5.0)),
    feature("item_neighbours", "Items it was taken in together with", "log items", told("neighbours"), log=True),
    feature("item_momentum_week", "The last week against the last month", "log2 ratio", against("engaged_7d", 1 / 7, "engaged_30d", 1 / 30)),
    feature("item_momentum_hour", "The last hour against the last day", "log2 ratio", against("engaged_1h", 1.0, "engaged_1d", 1 / 24)),
    feature("item_trend", "Lower bound of the last day's rate against the last month's", "ratio", told("trend")),
    feature("item_positive_1d", "Liked, 1-day half-life", "log events", told("positive_1d"), log=True),
    feature("item_positive_30d", "Liked, 30-day half-life", "log events", told("positive_30d"), log=True),
    feature("item_negative_1d", "Disliked, 1-day half-life", "log events", told("negative_1d"), log=True),
    feature("item_negative_30d", "Disliked, 30-day half-life", "log events", told("negative_30d"), log=True),
    feature("item_positive_rate_7d", "Likes per time taken in, 7-day half-life, smoothed to 30 %", "share", rate("positive_7d", "engaged_7d", 0.3, 20.0)),
    feature("item_negative_rate_30d", "Dislikes per time taken in, 30-day half-life, smoothed to 10 %", "share", rate("negative_30d", "engaged_30d", 0.1, 20.0)),
    feature("item_shown", "Shown altogether", "log events", told("shown_total"), log=True),
    feature("item_click_rate_1d", "Clicks per time shown, 1-day half-life, smoothed to 5 %", "share", rate("clicked_1d", "shown_1d", 0.05, 20.0)),
    feature("item_engaged_rate_30d", "Taken in per time shown, 30-day half-life, smoothed to 20 %", "share", rate("engaged_30d", "shown_30d", 0.2, 20.0)),
    feature("item_lasting", "Share of the last month (30-day half-life) in all times taken in, smoothed", "share", rate("engaged_30d", "engaged_total", 0.0, 1.0)),
    feature("item_content_known", "1 where it says something of itself", "flag", told("content_known")),
    feature("item_expires_days", "Until it expires; 0 where it does not", "log days", told("expires", 1 / DAY), log=True),
    feature("item_regional", "1 where it may be shown in some regions only", "flag", told("regional")),
)  # fmt: skip
