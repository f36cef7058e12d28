"""The promises of an event log. Subclass, give an `empty` fixture, done."""

from collections.abc import Callable
from typing import TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from palate.events.kinds import Event, Kind, Shown
from palate.events.protocol import Appended, EventLog, Traces

EmptyLog: TypeAlias = Callable[[], EventLog]

names = st.sampled_from(["", "a", "b", "ü\u200d"])
free = st.dictionaries(st.text(max_size=2), st.one_of(st.integers(-9, 9), st.text(max_size=2)))
shown = st.builds(
    Shown,
    item_id=names.filter(bool),
    position=st.integers(1, 9),
    propensity=st.floats(0.01, 1),
    explore=st.booleans(),
)
events = st.builds(
    Event,
    event_id=st.integers(0, 9).map(str),
    kind=st.sampled_from(Kind),
    time=st.floats(-1e9, 4e9),
    user_id=names,
    session_id=names,
    item_id=names,
    items=st.lists(shown, max_size=2).map(tuple),
    value=st.none() | st.floats(-9, 9),
    surface=names,
    position=st.integers(0, 9),
    recommendation_id=names,
    context=free,
    properties=free,
)

# One property, many back-ends: every subclass runs it, which Hypothesis flags by default.
shared = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
    max_examples=25,
    deadline=None,
)


def click(name: str, user: str = "u", item: str = "i") -> Event:
    """A plain event."""
    return Event(event_id=name, kind=Kind.CLICK, time=5.0, user_id=user, item_id=item)


def farewell(name: str) -> Event:
    """Somebody is forgotten."""
    return replace(click(name, item=""), kind=Kind.FORGET)


def users(log: EventLog) -> list[str]:
    """Whose the events are, in the log's order."""
    return [each.event.user_id for each in log.read(0, 100)]


class EventLogContract:
    """Everything a log must do to be used in place of the default."""

    @pytest.fixture
    def empty(self) -> EmptyLog:
        raise NotImplementedError

    def test_an_empty_log_ends_at_zero(self, empty: EmptyLog) -> None:
        log = empty()
        assert (log.end(), log.count(), log.read(0, 10)) == (0, 0, [])
        assert log.append([], 1.0) == Appended(0, 0)

    def test_events_come_back_in_the_order_they_came_in(self, empty: EmptyLog) -> None:
        log = empty()
        log.append([click("b"), click("a")], 1.0)
        log.append([click("c")], 2.0)
        held = log.read(0, 10)
        assert [(each.event.event_id, each.received) for each in held] == [
            ("b", 1.0),
            ("a", 1.0),
            ("c", 2.0),
        ]
        positions = [each.position for each in held]
        assert positions == sorted(set(positions))
        assert positions[0] > 0
        assert log.end() == positions[-1]

    def test_reading_goes_on_where_it_stopped(self, empty: EmptyLog) -> None:
        log = empty()
        log.append([click(str(n)) for n in range(5)], 1.0)
        first = log.read(0, 2)
        rest = log.read(first[-1].position, 10)
        assert [each.event.event_id for each in [*first, *rest]] == list("01234")
        assert log.read(log.end(), 10) == []

    def test_a_repeated_id_changes_nothing(self, empty: EmptyLog) -> None:
        log = empty()
        log.append([click("a", item="first")], 1.0)
        assert log.append([click("a", item="second"), click("b"), click("b")], 2.0) == (1, 2)
        assert [each.event.item_id for each in log.read(0, 10)] == ["first", "i"]
        assert log.count() == 2

    def test_each_of_several_callers_gets_their_own_count(self, empty: EmptyLog) -> None:
        log = empty()
        batches = [[click("a"), click("b")], [click("b")], [], [click("c")]]
        assert log.append_all(batches, 1.0) == [(2, 0), (0, 1), (0, 0), (1, 0)]

    def test_a_pseudonym_replaces_the_user_and_the_words(self, empty: EmptyLog) -> None:
        log = empty()
        told = Event(
            event_id="1", kind=Kind.IMPRESSION, time=1.0, user_id="u", session_id="s",
            items=(Shown(item_id="i", position=1),), context={"ip": "x"},
            properties={"query": "secret", "creator_id": "c"},
        )  # fmt: skip
        before = Event(event_id="0", kind=Kind.CLICK, time=0.0, session_id="s", item_id="i")
        other = Event(
            event_id="2", kind=Kind.CLICK, time=2.0, user_id="v", item_id="i", context={"k": 1}
        )
        log.append([before, told, other], 1.0)
        log.append([farewell("3")], 2.0)
        renamed = log.pseudonymise("u", "nobody-1", log.end())
        anonymous, changed, kept, forget = [each.event for each in log.read(0, 10)]
        assert renamed == (2, {"s": changed.session_id})
        assert changed.user_id == forget.user_id == "nobody-1"
        assert changed.items == told.items
        assert (changed.context, changed.properties) == ({}, {"creator_id": "c"})
        assert anonymous.session_id == changed.session_id != "s"
        assert kept == other
        assert log.pseudonymise("u", "nobody-2", log.end()) == (0, {})

    def test_only_what_came_before_a_forget_loses_the_name(self, empty: EmptyLog) -> None:
        log = empty()
        log.append([click("1"), farewell("2"), replace(click("3"), session_id="s")], 1.0)
        log.append([farewell("4"), click("5")], 1.0)
        assert log.pseudonymise("u", "nobody-1", 1) == (0, {})
        assert log.pseudonymise("u", "nobody-1", 3) == (2, {})
        assert users(log) == ["nobody-1", "nobody-1", "u", "u", "u"]
        assert log.pseudonymise("u", "nobody-2", log.end()) == (2, {"s": "nobody-2/0"})
        assert users(log) == ["nobody-1", "nobody-1", "nobody-2", "nobody-2", "u"]
        assert sorted(log.forgets()) == [("nobody-1", ""), ("nobody-2", "")]

    def test_what_is_announced_is_stored_with_what_was_found_or_neither(
        self, empty: EmptyLog
    ) -> None:
        log = empty()
        log.append([replace(click("1"), session_id="s"), click("2")], 1.0)

        def fails(found: Traces) -> list[Event]:
            raise OSError(found.sessions)

        with pytest.raises(OSError, match="'s'"):
            log.announce("u", fails)
        assert log.count() == 2
        found = log.announce("u", lambda to: [farewell(f"f{to.events}")])
        assert found == (2, ("s",))
        assert [each.event.event_id for each in log.read(0, 10)] == ["1", "2", "f2"]
        assert log.forgets() == [("u", "")]

    def test_of_a_user_who_was_forgotten_only_what_came_since_is_found(
        self, empty: EmptyLog
    ) -> None:
        log = empty()
        log.append([replace(click("1"), session_id="s"), farewell("2")], 1.0)
        assert log.announce("u", lambda _: []) == (0, ())
        log.append([replace(click("3"), session_id="t")], 1.0)
        assert log.announce("u", lambda _: []) == (1, ("t",))
        assert log.announce("stranger", lambda _: []) == (0, ())

    @shared
    @given(batches=st.lists(st.lists(events, max_size=4), max_size=4))
    def test_holds_the_first_of_each_id_word_for_word(
        self, empty: EmptyLog, batches: list[list[Event]]
    ) -> None:
        log = empty()
        first: dict[str, Event] = {}
        for batch in batches:
            new = {e.event_id: e for e in reversed(batch) if e.event_id not in first}
            assert log.append(batch, 1.0) == (len(new), len(batch) - len(new))
            for event in batch:
                first.setdefault(event.event_id, event)
        assert [each.event for each in log.read(0, 100)] == list(first.values())
        assert log.count() == len(first)
