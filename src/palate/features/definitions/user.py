"""Who asks, and when: the same for every candidate of a request."""

# ruff: noqa: E501  a feature is a line

from functools import partial

from palate.features.feature import Feature, Value, against, rate, told
from palate.features.folds import DAY, HOUR

feature = partial(Feature, "user")
MINUTE = 60.0

FEATURES = (
    feature("user_acts", "Acts altogether", "log events", told("acts"), log=True),
    feature("user_sessions", "Visits", "log visits", told("sessions"), log=True),
    feature("user_visit_acts", "Acts of this visit", "log events", told("visit_acts"), log=True),
    feature("user_visit_minutes", "Length of this visit until the last act", "log minutes", told("visit_seconds", 1 / MINUTE), log=True),
    feature("user_acts_per_visit", "Acts per visit", "log events", rate("acts", "sessions", 0.0, 1e-9), log=True),
    feature("user_gap_hours", "Since the last act; 90 days where there was none", "log hours", told("away", 1 / HOUR), log=True),
    feature("user_act_gap_hours", "Mean time between acts", "log hours", Value("span", 1 / HOUR, 0.0, "acts", 1.0, -1.0), log=True),
    feature("user_known_days", "From the first act to the last", "log days", told("span", 1 / DAY), log=True),
    feature("user_history", "Events in the history, at most 200", "log events", told("history"), log=True),
    feature("user_engaged_1h", "Items taken in, 1-hour half-life", "log events", told("engaged_1h"), log=True),
    feature("user_engaged_1d", "Items taken in, 1-day half-life", "log events", told("engaged_1d"), log=True),
    feature("user_engaged_30d", "Items taken in, 30-day half-life", "log events", told("engaged_30d"), log=True),
    feature("user_shown_1h", "Items shown, 1-hour half-life", "log events", told("shown_1h"), log=True),
    feature("user_shown_30d", "Items shown, 30-day half-life", "log events", told("shown_30d"), log=True),
    feature("user_clicked_1d", "Clicks, 1-day half-life", "log events", told("clicked_1d"), log=True),
    feature("user_positive_30d", "Likes and the like, 30-day half-life", "log events", told("positive_30d"), log=True),
    feature("user_negative_1d", "Skips and dislikes, 1-day half-life", "log events", told("negative_1d"), log=True),
    feature("user_negative_30d", "Skips and dislikes, 30-day half-life", "log events", told("negative_30d"), log=True),
    feature("user_click_rate", "Clicks per item shown, smoothed to 5 %", "share", rate("clicked_total", "shown_total", 0.05, 10.0)),
    feature("user_positive_rate", "Likes per item taken in, smoothed to 30 %", "share", rate("positive_total", "engaged_total", 0.3, 10.0)),
    feature("user_negative_rate", "Dislikes per item taken in, smoothed to 10 %", "share", rate("negative_total", "engaged_total", 0.1, 10.0)),
    feature("user_rating", "Mean rating given, smoothed to 3.5", "stars", rate("rating_sum", "rating_count", 3.5, 5.0)),
    feature("user_ratings", "Ratings given", "log events", told("rating_count"), log=True),
    feature("user_breadth", "Categories met in the history", "log categories", told("categories"), log=True),
    feature("user_segment_known", "1 where the profile says something", "flag", told("segment_known")),
    feature("hour_sin", "Hour of the day in UTC", "sine", told("hour_sin")),
    feature("hour_cos", "Hour of the day in UTC", "cosine", told("hour_cos")),
    feature("weekday_sin", "Day of the week", "sine", told("weekday_sin")),
    feature("weekday_cos", "Day of the week", "cosine", told("weekday_cos")),
    feature("user_popularity", "How popular the last 10 items are: mean of log(1 + times taken in)", "log events", told("popularity")),
    feature("user_era", "Mean age of the last 10 items; 0 where unknown", "log years", told("era"), log=True),
    feature("user_focus", "How alike the last 10 items are: length of their mean content", "share", told("focus")),
    feature("user_tower_focus", "How alike the last 10 items are to the two-tower", "share", told("tower_focus")),
    feature("user_category_top", "Share of engagements on the category met most", "share", told("category_top")),
    feature("user_creators", "Creators met in the history", "log creators", told("creators"), log=True),
    feature("user_liked_10", "Share of likes among the last 10 acts", "share", told("liked_10")),
    feature("user_disliked_10", "Share of skips and dislikes among the last 10 acts", "share", told("disliked_10")),
    feature("user_turned_down", "Skips and dislikes since the last item taken in", "log events", told("turned_down"), log=True),
    feature("user_unanswered", "Items shown since the last act", "log events", told("unanswered"), log=True),
    feature("user_last_gap_minutes", "Between the last two acts", "log minutes", told("last_gap", 1 / MINUTE), log=True),
    feature("user_gap_10_minutes", "Mean time between the last 10 acts", "log minutes", told("gap_10", 1 / MINUTE), log=True),
    feature("user_rating_spread", "Standard deviation of the ratings given", "stars", told("rating_spread")),
    feature("user_rating_last", "Newest rating less the mean of all", "stars", told("rating_last")),
    feature("user_seen", "Distinct items acted upon", "log items", told("seen"), log=True),
    feature("user_hasty", "Engagements of the last hour against the last month's pace", "log2 ratio", against("engaged_1h", 1.0, "engaged_30d", 1 / 720)),
    feature("user_click_rate_30d", "Clicks per item shown, 30-day half-life, smoothed to 5 %", "share", rate("clicked_30d", "shown_30d", 0.05, 10.0)),
    feature("user_engaged_rate_1h", "Items taken in per item shown, 1-hour half-life, smoothed to 20 %", "share", rate("engaged_1h", "shown_1h", 0.2, 5.0)),
    feature("user_usual_hour", "Share of the history within 2 hours of this time of day", "share", told("usual_hour")),
    feature("user_usual_day", "Share of the history on this day of the week", "share", told("usual_day")),
    feature("weekend", "1 on Saturday and Sunday, UTC", "flag", told("weekend")),
)  # fmt: skip
