"""Who asks, and when: the same for every candidate of a request."""

# ruff: noqa: E501  a feature is a line

from functools import partial
from math import cos, pi, sin

from palate.features.feature import Feature
from palate.features.folds import DAY, HOUR
from palate.features.moment import Moment

feature = partial(Feature, "user")


def ratio(m: Moment, part: str, whole: str, prior: float) -> float:
    """Smooth a rate: (part + 10 · prior) / (whole + 10)."""
    return (m.own(part) + 10.0 * prior) / (m.own(whole) + 10.0)


def hour(m: Moment) -> float:
    """Turn of the day, in radians, UTC."""
    return 2.0 * pi * (m.now % DAY) / DAY


def weekday(m: Moment) -> float:
    """Turn of the week, in radians; 0 is Thursday midnight (1970 began on one)."""
    return 2.0 * pi * (m.now % (7 * DAY)) / (7 * DAY)


def gap(m: Moment) -> float:
    """Seconds since the last act, at most 90 days."""
    return min(max(m.now - m.user.last_time, 0.0), 90 * DAY) if m.user.total else 90 * DAY


def acts_between(m: Moment) -> float:
    """Mean seconds between two acts."""
    return max(m.user.last_time - m.user.first_time, 0.0) / max(m.user.total - 1, 1)


FEATURES = (
    feature("user_acts", "Acts altogether", "log events", lambda m: m.user.total, log=True),
    feature("user_sessions", "Visits", "log visits", lambda m: m.user.sessions, log=True),
    feature("user_visit_acts", "Acts of this visit", "log events", lambda m: m.user.session_events, log=True),
    feature("user_visit_minutes", "Length of this visit until the last act", "log minutes", lambda m: max(m.user.last_time - m.user.session_start, 0.0) / 60, log=True),
    feature("user_acts_per_visit", "Acts per visit", "log events", lambda m: m.user.total / max(m.user.sessions, 1), log=True),
    feature("user_gap_hours", "Since the last act; 90 days where there was none", "log hours", lambda m: gap(m) / HOUR, log=True),
    feature("user_act_gap_hours", "Mean time between acts", "log hours", lambda m: acts_between(m) / HOUR, log=True),
    feature("user_known_days", "From the first act to the last", "log days", lambda m: max(m.user.last_time - m.user.first_time, 0.0) / DAY, log=True),
    feature("user_history", "Events in the history, at most 200", "log events", lambda m: len(m.user.history), log=True),
    feature("user_engaged_1h", "Items taken in, 1-hour half-life", "log events", lambda m: m.own("engaged_1h"), log=True),
    feature("user_engaged_1d", "Items taken in, 1-day half-life", "log events", lambda m: m.own("engaged_1d"), log=True),
    feature("user_engaged_30d", "Items taken in, 30-day half-life", "log events", lambda m: m.own("engaged_30d"), log=True),
    feature("user_shown_1h", "Items shown, 1-hour half-life", "log events", lambda m: m.own("shown_1h"), log=True),
    feature("user_shown_30d", "Items shown, 30-day half-life", "log events", lambda m: m.own("shown_30d"), log=True),
    feature("user_clicked_1d", "Clicks, 1-day half-life", "log events", lambda m: m.own("clicked_1d"), log=True),
    feature("user_positive_30d", "Likes and the like, 30-day half-life", "log events", lambda m: m.own("positive_30d"), log=True),
    feature("user_negative_1d", "Skips and dislikes, 1-day half-life", "log events", lambda m: m.own("negative_1d"), log=True),
    feature("user_negative_30d", "Skips and dislikes, 30-day half-life", "log events", lambda m: m.own("negative_30d"), log=True),
    feature("user_click_rate", "Clicks per item shown, smoothed to 5 %", "share", lambda m: ratio(m, "clicked_total", "shown_total", 0.05)),
    feature("user_positive_rate", "Likes per item taken in, smoothed to 30 %", "share", lambda m: ratio(m, "positive_total", "engaged_total", 0.3)),
    feature("user_negative_rate", "Dislikes per item taken in, smoothed to 10 %", "share", lambda m: ratio(m, "negative_total", "engaged_total", 0.1)),
    feature("user_rating", "Mean rating given, smoothed to 3.5", "stars", lambda m: (m.own("rating_sum") + 3.5 * 5) / (m.own("rating_count") + 5)),
    feature("user_ratings", "Ratings given", "log events", lambda m: m.own("rating_count"), log=True),
    feature("user_breadth", "Categories met in the history", "log categories", lambda m: int((m.tastes[:, 1] > 0).sum()), log=True),
    feature("user_segment_known", "1 where the profile says something", "flag", lambda m: float(m.user.segment > 0)),
    feature("hour_sin", "Hour of the day in UTC", "sine", lambda m: sin(hour(m))),
    feature("hour_cos", "Hour of the day in UTC", "cosine", lambda m: cos(hour(m))),
    feature("weekday_sin", "Day of the week", "sine", lambda m: sin(weekday(m))),
    feature("weekday_cos", "Day of the week", "cosine", lambda m: cos(weekday(m))),
)  # fmt: skip
