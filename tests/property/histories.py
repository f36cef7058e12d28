"""Logs of a few visitors and items, as strange as they may come."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec
from hypothesis import settings
from hypothesis import strategies as st

from palate.events.kinds import Event, Kind, Shown
from palate.events.protocol import Logged
from palate.settings import CovisitSettings, Settings
from palate.settings_loop import StreamingSettings

ITEMS = tuple("abcdefgh")
FOLLOWING = (Kind.FOLLOW, Kind.UNFOLLOW)
HOME = tempfile.TemporaryDirectory(prefix="palate-histories-")
"""Where workers take turns; all else of theirs is in memory."""
TIGHT = Settings(
    home=Path(HOME.name),
    streaming=StreamingSettings(seen_limit=3, batch=2, boards_seconds=0, session_gap_minutes=1),
    covisit=CovisitSettings(half_life_days=4 / 86_400),
)
"""Limits that a short log reaches; counts pass through several epochs of theirs."""

who = st.sampled_from(
    [("u", ""), ("v", ""), ("", "s"), ("", "t"), ("u", "s"), ("v", "t"), ("v", "s")]
)
times = st.integers(0, 400).map(lambda t: 1_000.0 + t)
shown = st.lists(st.sampled_from(ITEMS), max_size=4, unique=True).map(
    lambda names: tuple(Shown(item_id=n, position=i + 1) for i, n in enumerate(names))
)


@st.composite
def events(draw: st.DrawFn) -> Event:
    user, session = draw(who)
    kind = draw(st.sampled_from([kind for kind in Kind if kind is not Kind.UNREADABLE]))
    maker = draw(st.sampled_from(["", "m", "n"])) if kind in FOLLOWING else ""
    bare = {Kind.SEARCH, *(FOLLOWING if maker else ())}
    value = draw(st.none() | st.sampled_from([0.0, 0.5, 1.0, 2.0, 5.0]))
    return Event(
        event_id="",
        kind=kind,
        time=draw(times),
        user_id=user,
        session_id=session,
        item_id="" if kind in bare else draw(st.sampled_from(ITEMS)),
        items=draw(shown) if kind is Kind.IMPRESSION else (),
        value=value,
        properties={"creator_id": maker} if maker else {},
    )


@st.composite
def logs(draw: st.DrawFn) -> list[Logged]:
    """Entries of a log whose positions have gaps; times go to and fro."""
    entries, position = [], 0
    for event in draw(st.lists(events(), min_size=1, max_size=60)):
        position += draw(st.integers(1, 3))
        named = msgspec.structs.replace(event, event_id=f"e{position}")
        entries.append(Logged(position, 0.0, named))
    return entries


def cut(entries: Sequence[Logged], sizes: Sequence[int]) -> list[Sequence[Logged]]:
    """Batches of the given sizes, over and over."""
    parts, start, turn = [], 0, 0
    while start < len(entries):
        stop = start + sizes[turn % len(sizes)]
        parts.append(entries[start:stop])
        start, turn = stop, turn + 1
    return parts


unhurried = settings(deadline=None, max_examples=60)
"""The first call compiles."""
