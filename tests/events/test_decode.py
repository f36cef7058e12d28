import json
from typing import Any
from uuid import RFC_4122, UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from palate.clock import FixedClock
from palate.errors import BadInput
from palate.events.batch import EventBatch
from palate.events.decode import Decoded, events
from palate.events.kinds import PUBLIC, Event, Kind, Shown
from palate.events.protocol import Logged

NOW = 1_800_000_000.0


def decode(*documents: Any, **options: str) -> Decoded:
    raw = json.dumps({"events": documents}).encode()
    return events(raw, NOW, FixedClock(), **options)


def told(*documents: Any) -> dict[str, str]:
    decoded = decode(*documents)
    return {problem.pointer: problem.problem for problem in decoded.problems}


def test_a_full_event_reads_field_by_field() -> None:
    document = {
        "event_id": "e1", "kind": "click", "user_id": "u1", "session_id": "s1", "item_id": "i9",
        "time": "2026-11-23T12:00:00Z", "recommendation_id": "r", "position": 3,
        "surface": "home", "value": 1, "context": {"device": "tv"}, "properties": {"a": [1]},
    }  # fmt: skip
    assert decode(document).events == [
        Event(
            event_id="e1",
            kind=Kind.CLICK,
            time=1_795_435_200.0,
            user_id="u1",
            session_id="s1",
            item_id="i9",
            recommendation_id="r",
            position=3,
            surface="home",
            value=1.0,
            context={"device": "tv"},
            properties={"a": [1]},
        )
    ]


def test_absent_and_null_time_and_id_are_given() -> None:
    decoded = decode(
        {"kind": "view", "user_id": "u", "item_id": "i"},
        {"kind": "view", "user_id": "u", "item_id": "i", "time": None, "event_id": None},
    )
    assert [event.time for event in decoded.events] == [NOW, NOW]
    one, two = (event.event_id for event in decoded.events)
    assert one != two
    assert [(u.version, u.variant) for u in (UUID(one), UUID(two))] == [(7, RFC_4122)] * 2
    assert UUID(one).int >> 80 == NOW * 1000


def test_a_clock_that_runs_ahead_is_set_to_when_the_event_came_in() -> None:
    click = {"kind": "click", "user_id": "u", "item_id": "i"}
    decoded = decode(click | {"time": "2099-01-01T00:00:00Z"}, click | {"time": NOW - 60})
    assert [event.time for event in decoded.events] == [NOW, NOW - 60]


@pytest.mark.parametrize("wrong", [-3 * 86_400.0, 7_200.0])
def test_when_it_was_sent_by_its_own_clock_puts_a_device_right(wrong: float) -> None:
    now = 1_700_000_000.0
    like = {"kind": "like", "user_id": "u", "item_id": "a"}
    told = [like | {"time": now + wrong - 60}, like]
    body = json.dumps({"events": told, "sent_at": now + wrong}).encode()
    first, second = events(body, now, FixedClock(1.0)).events
    assert (first.time, second.time) == (now - 60, now)


def test_a_wrong_time_of_sending_is_named() -> None:
    body = json.dumps({"events": [], "sent_at": "tomorrow"}).encode()
    with pytest.raises(BadInput, match="/sent_at"):
        events(body, 1.0, FixedClock(1.0))


def test_a_clock_that_is_lost_dates_nothing() -> None:
    now, day = 1_700_000_000.0, 86_400.0
    told = [
        {"kind": "like", "user_id": "u", "item_id": "a", "time": time}
        for time in (5.0, now - 11 * day, now - 9 * day)
    ]
    made = events(told, now, FixedClock(1.0), oldest=10 * day).events
    assert [event.time for event in made] == [now, now, now - 9 * day]
    assert events(told, now, FixedClock(1.0)).events[0].time == 5.0


def test_a_batch_key_makes_the_same_ids_again() -> None:
    click = {"kind": "click", "user_id": "u", "item_id": "i"}
    own = click | {"event_id": "mine"}
    for _ in range(2):
        decoded = decode(click, own, click, batch_key="k")
        assert [event.event_id for event in decoded.events] == ["k/0", "mine", "k/2"]


@pytest.mark.parametrize(
    ("time", "seconds"),
    [
        ("2026-11-23T12:00:00Z", 1_795_435_200.0),
        ("2026-11-23T13:00:00.5+01:00", 1_795_435_200.5),
        ("2026-11-23", 1_795_392_000.0),
        ("2026-11-23T12:00:00", 1_795_435_200.0),
        (1_795_435_200_500, 1_795_435_200.5),
        (1_795_435_200, 1_795_435_200.0),
        (-631_152_000_000, -631_152_000.0),
    ],
)
def test_times_are_read_as_rfc3339_seconds_or_milliseconds(time: Any, seconds: float) -> None:
    assert decode({"kind": "view", "user_id": "u", "item_id": "i", "time": time}).events[
        0
    ].time == pytest.approx(seconds, abs=1e-6)


def test_an_anonymous_id_is_a_session() -> None:
    decoded = decode(
        {"kind": "view", "anonymous_id": "a", "item_id": "i"},
        {"kind": "view", "anonymous_id": "a", "session_id": "s", "item_id": "i"},
    )
    assert [event.session_id for event in decoded.events] == ["a", "s"]


def test_an_impression_may_report_what_of_a_page_could_be_seen() -> None:
    items = [{"item_id": "a", "viewable": True}, {"item_id": "b", "viewable": False}, "c"]
    page = {"kind": "impression", "session_id": "s", "recommendation_id": "r"}
    report, half, own = decode(
        page | {"items": items[:2]},
        page | {"items": items},
        page | {"items": items[:2], "recommendation_id": ""},
    ).events
    assert [shown.viewable for shown in half.items] == [True, False, None]
    assert (report.reports, half.reports, own.reports) == (True, False, False)
    logged = [Logged(n, 0.0, event) for n, event in enumerate((report, half))]
    batch = EventBatch.encode(logged, lambda ids: np.arange(len(ids), dtype=np.int32))
    assert batch.position.tolist() == [1, 1, 1], "a report is no further showing"
    wrong = decode(page | {"items": [{"item_id": "a", "viewable": "yes"}]})
    assert wrong.problems[0].pointer == "/events/0/items"


PAGE = "018bcfe5680000000000075bcd15"


@pytest.mark.parametrize(
    "told",
    [
        {"items": ["a", {"item_id": "b"}]},
        {"items": ["a", {"item_id": "b", "viewable": True}]},
        {"items": [{"item_id": "a", "viewable": True}, "b"]},
    ],
)
def test_a_beacon_of_a_page_of_ours_is_a_report_and_no_further_showing(told: Any) -> None:
    beacon = {"kind": "impression", "session_id": "s", "recommendation_id": PAGE} | told
    [event] = events([beacon], 0.0, FixedClock(1.0)).events
    assert event.reports
    assert [(e.item_id, e.viewable) for e in event.items] == [("a", True), ("b", True)]


def test_a_beacon_of_one_item_is_one_too_and_may_say_that_it_was_not_seen() -> None:
    one = {"kind": "impression", "session_id": "s", "recommendation_id": PAGE}
    hidden = {"items": [{"item_id": "a", "viewable": False}]}
    both = [one | {"item_id": "a", "position": 4}, one | hidden]
    first, second = events(both, 0.0, FixedClock(1.0)).events
    assert first.reports
    assert (first.item_id, first.items[0].position, first.items[0].viewable) == ("", 4, True)
    assert second.items[0].viewable is False


def test_an_impression_of_somebody_elses_page_is_a_showing() -> None:
    foreign = {"kind": "impression", "session_id": "s", "items": ["a"]}
    several = [foreign, foreign | {"recommendation_id": "theirs-1"}]
    found = events(several, 0.0, FixedClock(1.0)).events
    assert not any(event.reports for event in found)


def test_an_impression_takes_ids_or_objects_and_numbers_them() -> None:
    shown = ["a", {"item_id": "b", "propensity": 0.5}, {"item_id": "c", "position": 9}]
    (event,) = decode({"kind": "impression", "session_id": "s", "items": shown}).events
    assert event.items == (
        Shown(item_id="a", position=1),
        Shown(item_id="b", position=2, propensity=0.5),
        Shown(item_id="c", position=9),
    )


@pytest.mark.parametrize(
    ("document", "pointer", "problem"),
    [
        ({"kind": "watch"}, "/kind", "unknown kind 'watch'; one of: impression, click, view"),
        ({"kind": "profile"}, "/kind", "unknown kind 'profile'"),
        ({"kind": "forget"}, "/kind", "unknown kind 'forget'"),
        ({"kind": 3}, "/kind", "unknown kind 3"),
        ({"user_id": 7}, "/user_id", "an id is a string, not a number"),
        ({"user_id": "x" * 1025}, "/user_id", "at most 1024 bytes, this one has 1025"),
        ({"user_id": "ä" * 513}, "/user_id", "at most 1024 bytes, this one has 1026"),
        ({"user_id": "a\x00b"}, "/user_id", "control characters"),
        ({"user_id": "ä\x85"}, "/user_id", "control characters"),
        ({"item_id": ["i"]}, "/item_id", "an id is a string, not a list"),
        ({"event_id": "\n"}, "/event_id", "control characters"),
        ({"time": "yesterday"}, "/time", "'yesterday' is not a time; write"),
        ({"time": "1850-01-01"}, "/time", "not between the years 1900 and 2200"),
        ({"time": 1e300}, "/time", "not between the years 1900 and 2200"),
        ({"time": True}, "/time", "a time is wanted, not true or false"),
        ({"value": "5"}, "/value", "a number is wanted, not a string"),
        ({"value": 10**400}, "/value", "a finite number is wanted"),
        ({"position": 1.5}, "/position", "a whole number is wanted, not 1.5"),
        ({"position": -1}, "/position", "from 0 to 32767"),
        ({"surface": 1}, "/surface", "a string is wanted"),
        ({"surface": "s" * 1025}, "/surface", "at most 1024 bytes is wanted, this has 1,025"),
        ({"context": {"page": "x" * 16_400}}, "/context", "at most 16,384 bytes of JSON"),
        ({"properties": {"p": ["x"] * 5_000}}, "/properties", "send what tells one case from"),
        ({"context": []}, "/context", "an object is wanted, not a list"),
        ({"context": {"n": 2**63}}, "/context", "must fit 64 bits"),
        ({"userid": "u"}, "/userid", "did you mean 'user_id'?"),
        ({"zzz/~": 1}, "/zzz~1~0", "unknown field 'zzz/~' of an event; one of: event_id"),
        ({"items": ["a"]}, "/items", "only an impression has items"),
        ({"items": "a"}, "/items", "a list of items is wanted"),
        ({"kind": "impression", "items": [3]}, "/items", "an item shown is an object"),
        ({"kind": "impression", "items": [{"item_id": "a", "propensity": 0}]}, "/items", "proba"),
        ({"kind": "impression", "items": ["a"] * 1001}, "/items", "at most 1000 items"),
    ],
)
def test_what_is_wrong_is_named_with_its_cure(
    document: dict[str, Any], pointer: str, problem: str
) -> None:
    good = {"kind": "click", "user_id": "u", "item_id": "i"}
    found = told(good, good | document)
    assert list(found) == [f"/events/1{pointer}"]
    assert problem in found[f"/events/1{pointer}"]


@pytest.mark.parametrize(
    ("document", "pointer"),
    [
        ({}, "/kind"),
        ({"kind": "click", "item_id": "i"}, "/user_id"),
        ({"kind": "click", "user_id": "u"}, "/item_id"),
        ({"kind": "impression", "user_id": "u"}, "/items"),
        ({"kind": "follow", "user_id": "u"}, "/properties/creator_id"),
        ({"kind": "unfollow", "user_id": "u", "properties": {"creator_id": 3}},
         "/properties/creator_id"),
    ],
)  # fmt: skip
def test_what_is_missing_is_named(document: dict[str, Any], pointer: str) -> None:
    assert list(told(document)) == [f"/events/0{pointer}"]


@pytest.mark.parametrize(
    "document",
    [
        {"kind": "search", "user_id": "u", "properties": {"query": "x"}},
        {"kind": "follow", "user_id": "u", "properties": {"creator_id": "c"}},
        {"kind": "unfollow", "user_id": "u", "item_id": "i"},
        {"kind": "impression", "user_id": "u", "item_id": "i"},
        {"kind": "click", "session_id": "s", "item_id": "\u200dno\u202econtrol 😀"},
    ],
)
def test_what_some_kinds_may_go_without(document: dict[str, Any]) -> None:
    assert told(document) == {}


def test_all_problems_of_a_batch_are_told_and_the_good_events_kept() -> None:
    decoded = decode(
        {"kind": "watch", "user_id": 1, "time": "x"},
        {"kind": "click", "user_id": "u", "item_id": "i", "event_id": "good"},
        "no event",
    )
    assert [event.event_id for event in decoded.events] == ["good"]
    assert [problem.pointer for problem in decoded.problems] == [
        "/events/0/kind",
        "/events/0/user_id",
        "/events/0/time",
        "/events/2",
    ]


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"{", b"3", b"\xff", b'{"events": 3}', b'{"event": []}', b"[" * 100_000,
        b'{"events": [], "more": 1}',
    ],
)  # fmt: skip
def test_a_body_that_is_no_list_of_events_is_refused(raw: bytes) -> None:
    with pytest.raises(BadInput) as refused:
        events(raw, NOW, FixedClock())
    assert refused.value.problems


def test_half_a_surrogate_pair_is_refused() -> None:
    decoded = events([{"kind": "click", "user_id": "\ud800", "item_id": "i"}], NOW, FixedClock())
    assert "not Unicode" in decoded.problems[0].problem


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["kind", "user_id", "item_id", "time", "items", "value", "context"]),
            json_values | st.sampled_from(PUBLIC),
        ),
        max_size=3,
    )
)
def test_no_document_breaks_the_decoder(documents: list[dict[str, Any]]) -> None:
    decoded = events(documents, NOW, FixedClock())
    wrong = {problem.pointer.split("/")[2] for problem in decoded.problems}
    assert len(decoded.events) + len(wrong) == len(documents)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ('{"kind": "rating", "value": 1e999}', "value"),
        ('{"kind": "click", "position": -1e400}', "position"),
        ('{"kind": "click", "time": 1e999}', "time"),
        ('{"kind": "click", "context": {"a": [1e999]}}', "context"),
    ],
)
def test_a_number_beyond_all_bounds_is_found_where_it_stands(body: str, pointer: str) -> None:
    raw = f'{{"events": [{{"kind": "search", "user_id": "u"}}, {body}]}}'.encode()
    decoded = events(raw, NOW, FixedClock())
    assert len(decoded.events) == 1
    assert f"/events/1/{pointer}" in [problem.pointer for problem in decoded.problems]


def test_a_context_within_its_bound_is_taken() -> None:
    context = {"a": "x" * 16_000}
    assert told({"kind": "click", "user_id": "u", "item_id": "i", "context": context}) == {}
