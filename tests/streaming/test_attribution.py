"""What came of what was shown: told by a small story each."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest

from palate.catalog.user import session_key, user_key
from palate.clock import FixedClock
from palate.errors import CorruptStore
from palate.events.kinds import Event, Kind, Shown
from palate.events.sqlite import SqliteLog
from palate.features.offline.parquet import ParquetStore
from palate.features.offline.waiting import Page, Waiting
from palate.settings import Settings
from palate.settings_loop import AttributionSettings
from palate.streaming import attribution
from palate.streaming.attributor import Attributor, Done

START = 1_764_400_000.0
HOUR, DAY = 3_600.0, 86_400.0


class Story:
    """A site's log, and what the offline store makes of it."""

    def __init__(self, home: Path, **attribution: Any) -> None:
        self.settings = Settings(home=home, attribution=AttributionSettings(**attribution))
        self.clock = FixedClock(START)
        self.log = SqliteLog(Path(":memory:"))
        self.waiting = Waiting(home / "waiting.db", 10)
        self.reopen()
        self.number = 0

    def reopen(self) -> None:
        store = ParquetStore(self.settings.home / "offline", write=True)
        self.joins = Attributor(self.settings, self.log, store, self.waiting, self.clock)

    def tell(self, kind: Kind, at: float, *, known: float | None = None, **fields: Any) -> None:
        """Something happened `at` seconds from the start, and was `known` at once or later."""
        self.number += 1
        fields.setdefault("user_id", "" if "session_id" in fields else "ann")
        event = Event(event_id=f"e{self.number}", kind=kind, time=START + at, **fields)
        self.log.append([event], START + (at if known is None else known))

    def show(self, at: float, *items: str, page: str = "", **fields: Any) -> None:
        shown = tuple(
            Shown(item_id=item, position=n, propensity=0.5) for n, item in enumerate(items, 1)
        )
        self.tell(Kind.IMPRESSION, at, items=shown, recommendation_id=page, **fields)

    def rows(self, at: float, *, eager: bool = True) -> pl.DataFrame:
        """What the store says, `at` seconds from the start."""
        self.clock.time = START + at
        self.joins.step(eager=eager)
        return self.table()

    def table(self) -> pl.DataFrame:
        parts = self.joins.store.held().of("shown")
        return self.joins.store.scan(parts).collect().sort("log_position", "place")

    def after(self, at: float, kind: str = "click") -> dict[str, float]:
        """item -> seconds after the showing, where the kind happened."""
        rows = self.rows(at).filter(pl.col(f"{kind}_after").is_not_null())
        return dict(zip(rows["item_id"], rows[f"{kind}_after"], strict=True))


@pytest.fixture
def story(tmp_path: Path) -> Story:
    return Story(tmp_path)


def test_a_row_says_what_was_shown_and_what_came_of_it(story: Story) -> None:
    context = {"release": "r1", "step": "full", "policy": "thompson"}
    story.show(0, "a", "b", page="p", surface="home", context=context)
    story.tell(Kind.CLICK, 10, item_id="b", recommendation_id="p")
    story.tell(Kind.VIEW, 20, item_id="b", value=0.9)
    a, b = story.rows(30).to_dicts()
    assert (a["item_id"], a["place"], a["propensity"], a["surface"]) == ("a", 1, 0.5, "home")
    assert (a["release"], a["step"], a["policy"]) == ("r1", "full", "thompson")
    assert (a["taken"], a["acts"], a["click_after"], a["finished"]) == (False, 0, None, False)
    assert (b["taken"], b["positive"], b["acts"]) == (True, True, 2)
    assert (b["click_after"], b["view_after"], b["view_value"]) == (10.0, 20.0, pytest.approx(0.9))
    assert a["user"] == user_key("ann")
    assert not a["anonymous"]


def test_a_row_is_finished_when_its_longest_window_is_over(story: Story) -> None:
    story.show(0, "a")
    for days, finished in ((1, False), (7, False), (7.1, True)):
        assert story.rows(days * DAY)["finished"].to_list() == [finished]


def test_each_kind_has_its_window(story: Story) -> None:
    story.show(0, "a", "b", "c")
    story.tell(Kind.CLICK, 2 * HOUR, item_id="a")
    story.tell(Kind.VIEW, 2 * HOUR, item_id="b")
    story.tell(Kind.PURCHASE, 6 * DAY, item_id="c", value=5.0)
    story.tell(Kind.PURCHASE, 6.5 * DAY, item_id="c", value=2.0)
    rows = story.rows(10 * DAY)
    assert rows["taken"].to_list() == [False, True, True]
    assert rows["purchase_value"].to_list() == [None, None, 7.0]


def test_what_comes_in_later_than_the_join_still_counts_within_its_window(story: Story) -> None:
    story.show(0, "a", "b", "c")
    assert story.after(60) == {}
    story.tell(Kind.CLICK, 1_000, item_id="a")
    story.tell(Kind.CLICK, 1_200, known=6 * HOUR, item_id="b")
    story.tell(Kind.CLICK, 1_300, known=20 * DAY, item_id="c")
    assert story.after(7 * HOUR) == {"a": 1_000.0, "b": 1_200.0}
    assert story.after(30 * DAY) == {"a": 1_000.0, "b": 1_200.0}, "it was known too late"


def test_an_act_is_the_outcome_of_the_last_showing_before_it(story: Story) -> None:
    for at in (0, 100, 300):
        story.show(at, "a", page=f"p{at}")
    story.tell(Kind.CLICK, 200, item_id="a")
    rows = story.rows(400)
    assert rows["click_after"].to_list() == [None, 100.0, None]


def test_an_act_that_names_a_page_is_that_pages_outcome_or_nobodys(story: Story) -> None:
    for at in (0, 100):
        story.show(at, "a", page=f"p{at}")
    story.tell(Kind.CLICK, 200, item_id="a", recommendation_id="p0")
    story.tell(Kind.LIKE, 210, item_id="a", recommendation_id="unheard of")
    rows = story.rows(400)
    assert rows["click_after"].to_list() == [200.0, None]
    assert rows["like_after"].to_list() == [None, None]


def test_somebody_elses_act_is_not_mine(story: Story) -> None:
    story.show(0, "a")
    story.tell(Kind.CLICK, 10, item_id="a", user_id="ben")
    assert story.after(20) == {}


def test_what_a_session_was_shown_is_the_users_who_logs_in(story: Story) -> None:
    story.show(0, "a", "b", session_id="s")
    story.tell(Kind.LIKE, 50, item_id="x", user_id="ann", session_id="s")
    story.tell(Kind.CLICK, 60, item_id="a", user_id="ann")
    story.show(70, "c")
    story.tell(Kind.CLICK, 80, item_id="c", session_id="s")
    rows = story.rows(100)
    assert rows["click_after"].to_list() == [60.0, None, 10.0]
    assert rows["user"].to_list() == [session_key("s")] * 2 + [user_key("ann")]
    assert rows["anonymous"].to_list() == [True, True, False]


def test_a_session_is_the_users_who_claimed_it_last_before_as_in_the_fold(story: Story) -> None:
    story.show(0, "a", session_id="s")
    story.tell(Kind.LIKE, 10, item_id="x", user_id="ann", session_id="s")
    story.show(20, "b", session_id="s")
    story.tell(Kind.LIKE, 30, item_id="x", user_id="ben", session_id="s")
    story.show(40, "c", session_id="s")
    for item, who in (("a", "ann"), ("b", "ann"), ("c", "ben"), ("a", "ben"), ("c", "ann")):
        story.tell(Kind.CLICK, 50, item_id=item, user_id=who)
    assert story.rows(100)["click_after"].to_list() == [50.0, 30.0, 10.0]
    assert story.rows(100)["acts"].to_list() == [1, 1, 1]


def test_a_clock_that_is_behind_does_not_cost_the_outcome(story: Story) -> None:
    story.show(0, "a", "b", "c", page="p")
    story.tell(Kind.CLICK, -30, known=5, item_id="a")
    story.tell(Kind.CLICK, -3_000, known=5, item_id="b", recommendation_id="p")
    story.tell(Kind.CLICK, -3_000, known=5, item_id="c")
    assert story.after(10) == {"a": 0.0, "b": 0.0}


def test_an_act_before_the_showing_is_not_its_outcome(story: Story) -> None:
    story.tell(Kind.CLICK, -10, item_id="a")
    story.show(0, "a")
    assert story.after(10) == {}


def test_a_click_may_be_in_the_log_before_its_page(story: Story) -> None:
    story.tell(Kind.CLICK, 0.02, known=0.03, item_id="a", recommendation_id="p")
    story.tell(Kind.IMPRESSION, 0, known=0.05, items=(Shown(item_id="a", position=1),),
               recommendation_id="p")  # fmt: skip
    assert story.after(10) == {"a": pytest.approx(0.02)}


def test_a_client_may_say_what_could_be_seen(story: Story) -> None:
    story.show(0, "a", "b", "c", page="p")
    seen = (
        Shown(item_id="a", position=1, viewable=True),
        Shown(item_id="b", position=2, viewable=False),
    )
    story.tell(Kind.IMPRESSION, 5, items=seen, recommendation_id="p")
    own = (Shown(item_id="d", position=1, viewable=True), Shown(item_id="e", position=2))
    story.tell(Kind.IMPRESSION, 6, items=own, recommendation_id="q")
    rows = story.rows(10)
    assert rows["item_id"].to_list() == ["a", "b", "c", "d", "e"], "a report shows nothing"
    assert rows["viewable"].to_list() == [True, False, None, True, None]


def test_visits_end_with_a_silence(story: Story) -> None:
    story.tell(Kind.SEARCH, 0)
    story.show(600, "a")
    story.tell(Kind.CLICK, 700, item_id="a")
    story.show(2_400, "b")
    story.show(2_400 + 1_801, "c")
    visits = story.rows(5_000)["visit"].dt.epoch("us") / 1e6 - START
    assert visits.to_list() == [0.0, 0.0, 4_201.0]


def test_rows_have_the_features_with_which_they_were_shown(story: Story) -> None:
    story.show(0, "a", "b", page="p")
    story.show(1, "c", page="none")
    story.show(2, "d", page="q")
    values = np.array([[1.0, np.nan], [3.0, 4.0]], np.float32)
    story.waiting.put([Page("p", ("x", "y"), values)])
    story.waiting.put([Page("q", ("y", "z"), np.array([[5.0, 6.0]], np.float32))])
    rows = story.rows(10)
    assert rows["f_x"].to_list() == [1.0, 3.0, None, None]
    assert rows["f_y"].is_nan().to_list() == [True, False, None, False]
    assert rows["f_y"].to_list()[1:] == [4.0, None, 5.0]
    assert rows["f_z"].to_list() == [None, None, None, 6.0]
    assert story.waiting.find(["p", "q"]) == {}, "they wait no longer"


def test_days_lie_apart_and_nothing_is_written_twice(story: Story) -> None:
    for day in range(3):
        story.show(day * DAY, "a", "b")
    first = story.rows(3 * DAY)
    assert sorted(part.day for part in story.joins.store.held().of("shown")) == [
        "2025-11-29",
        "2025-11-30",
        "2025-12-01",
    ]
    story.reopen()
    assert story.rows(3 * DAY).equals(first)
    assert len(first) == 6


def test_small_parts_become_large_ones_and_acts_go_when_they_are_needed_no_more(
    story: Story,
) -> None:
    for n in range(12):
        story.show(60.0 * n, "a", "b")
        story.tell(Kind.CLICK, 60.0 * n + 5, item_id="a")
        story.rows(60.0 * n + 30)
    held = story.joins.store.held()
    assert len(held.of("shown")) < 10
    assert story.table()["click_after"].to_list() == [5.0, None] * 12
    story.rows(8 * DAY)
    story.rows(20 * DAY)
    held = story.joins.store.held()
    assert held.of("acts") == []
    assert [part.finished for part in held.of("shown")] == [True]
    assert story.table()["click_after"].to_list() == [5.0, None] * 12


def test_a_part_holds_so_many_rows_at_most(tmp_path: Path) -> None:
    story = Story(tmp_path, part_rows=100)
    pages = [f"i{n}" for n in range(50)]
    for n in range(1_500):
        story.tell(Kind.SEARCH, n / 100)
        if n % 50 == 0:
            story.show(n / 100, *pages)
    rows = story.rows(100)
    assert len(rows) == 1_500
    most = max(part.rows for part in story.joins.store.held().of("shown"))
    assert most <= 100 + 20 * 50, "one reading of the log more than it may hold"


def test_looks_become_rarer(story: Story) -> None:
    story.show(0, "a")
    looks = []
    for minute in range(200):
        story.rows(60.0 * minute + 5, eager=False)
        [part] = story.joins.store.held().of("shown")
        looks.append(part.joined)
    assert 3 <= len(set(looks)) - 1 <= 6


def test_who_was_forgotten_has_no_name_there(story: Story) -> None:
    story.show(0, "a")
    story.show(1, "b", session_id="s")
    story.show(2, "c", user_id="ben")
    story.rows(10)
    story.waiting.forget([user_key("ann"), session_key("s")])
    users = story.rows(20)["user"].to_list()
    assert users[2] == user_key("ben")
    assert len({user_key("ann"), session_key("s"), *users}) == 5
    assert story.waiting.forgotten() == []


def test_a_store_of_another_log_is_refused_in_words(story: Story) -> None:
    story.show(0, "a")
    story.rows(10)
    story.log = SqliteLog(Path(":memory:"))
    story.reopen()
    with pytest.raises(CorruptStore, match="another log's; `palate attribute --anew`"):
        story.rows(20)
    story.joins.clear()
    story.show(30, "b")
    assert story.rows(40)["item_id"].to_list() == ["b"]


def test_anew_makes_the_same_rows(story: Story) -> None:
    tell_much(story, 200, np.random.Generator(np.random.PCG64(3)))
    once = story.rows(DAY)
    story.joins.clear()
    assert story.rows(DAY).equals(once)


def tell_much(story: Story, count: int, dice: np.random.Generator, looks: float = 0.0) -> None:
    """Pages and acts, a few of them late; now and then the join runs, or starts anew."""
    kinds: Sequence[Kind] = (Kind.CLICK, Kind.VIEW, Kind.SKIP, Kind.PURCHASE)
    whims = np.random.Generator(np.random.PCG64(count))
    for n in range(count):
        named = "user_id" if n % 3 else "session_id"
        who = {named: f"{named[0]}{dice.integers(3)}"}
        if n % 17 == 0:
            who = {"user_id": "u1", "session_id": "s1"}
        if n % 4 == 0:
            items = [f"i{k}" for k in dice.choice(8, 4, replace=False)]
            story.show(20.0 * n, *items, page=f"p{n}", **who)
        else:
            story.tell(
                kinds[n % len(kinds)],
                20.0 * n - float(dice.integers(0, 40)),
                known=20.0 * n,
                item_id=f"i{dice.integers(8)}",
                value=0.5,
                recommendation_id=f"p{4 * dice.integers(n // 4 + 1)}" if n % 5 == 0 else "",
                **who,
            )
        if whims.random() < looks:
            story.rows(20.0 * n + 3, eager=bool(n % 2))
            if n % 3 == 0:
                story.reopen()


def test_only_the_showings_of_the_people_at_hand_are_held() -> None:
    """However much was shown to others; a session is the user it became."""
    count = 1_000
    others = pl.LazyFrame(
        {
            "log_position": range(count),
            "received": [0] * count,
            "time": [0] * count,
            "user": [n % 100 for n in range(count)],
            "item_id": ["i"] * count,
            "recommendation_id": [""] * count,
        }
    )
    acts = pl.LazyFrame({"log_position": [150], "user": [1], "session": [7]})
    owners = attribution._owners(acts)
    told = others.filter(pl.col("log_position").is_in([101, 205])).with_row_index("row")
    told = told.pipe(attribution._named, owners)
    held = attribution._shown_to(told, others, owners).collect()
    assert set(held["user"]) == {1, 5, 7}
    assert len(held) == 30


@pytest.mark.parametrize("seed", range(3))
def test_however_the_log_is_cut_the_rows_are_the_same(tmp_path: Path, seed: int) -> None:
    """In steps, with restarts, or in one go after everything: finished rows are one function of
    the log."""
    made = []
    for name, looks, most in (("steps", 0.15, 100), ("once", 0.0, 100_000)):
        (tmp_path / name).mkdir()
        story = Story(tmp_path / name, part_rows=most)
        tell_much(story, 120, np.random.Generator(np.random.PCG64(seed)), looks)
        made.append(story.rows(9 * DAY))
    stepped, once = made
    assert stepped["finished"].all()
    assert stepped.select(once.columns).equals(once)
    assert once["acts"].sum() > 20


def test_a_step_that_brought_nothing_is_not_told_of(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stop(threading.Event):
        left = 2

        def wait(self, timeout: float | None = None) -> bool:
            self.left -= 1
            return self.left < 0

    idle = Done(position=9, events=3, rows=0, joined=0, finished=0, parts=1)
    busy = msgspec.structs.replace(idle, rows=2)
    steps, told = iter([idle, busy]), list[Done]()
    monkeypatch.setattr(Attributor, "step", lambda *_, **__: next(steps))
    story.joins.run(Stop(), told.append)
    assert told == [busy]
