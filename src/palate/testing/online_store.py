"""The promises of an online store. Subclass, give an `empty` fixture, done."""

from collections.abc import Callable
from typing import TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from palate.features.online.memory import MemoryOnline
from palate.features.online.protocol import OnlineStore, StateChange, StateTable

Empty: TypeAlias = Callable[[], OnlineStore]
"""Gives a store that holds nothing; each call another one."""

TABLES: tuple[StateTable, ...] = ("users", "items", "covisit")

user_keys = st.sampled_from([0, 1, 255, 256, 2**63, 2**64 - 1])
rows = st.integers(0, 5) | st.just(2**31 - 1)
records = st.none() | st.binary(min_size=1, max_size=40) | st.just(b"\0" * 9_000)
changes = st.builds(
    StateChange,
    position=st.integers(1, 2**62),
    users=st.dictionaries(user_keys, records, max_size=4),
    items=st.dictionaries(rows, records, max_size=4),
    covisit=st.dictionaries(rows, records, max_size=4),
)

# One property, many back-ends: every subclass runs it, which Hypothesis flags by default.
shared = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
    max_examples=30,
    deadline=None,
)


class OnlineStoreContract:
    """Everything a store must do to be used in place of the default."""

    @pytest.fixture
    def empty(self) -> Empty:
        raise NotImplementedError

    def test_a_new_store_knows_nobody_and_stands_at_zero(self, empty: Empty) -> None:
        store = empty()
        assert store.user(7) is None
        assert store.users([7, 8]) == [None, None]
        assert store.position() == 0
        assert [list(store.scan(table)) for table in TABLES] == [[], [], []]

    def test_users_come_in_the_order_asked_for_also_twice(self, empty: Empty) -> None:
        store = empty()
        store.commit(StateChange(5, users={1: b"one", 2: b"two"}))
        assert store.users([2, 9, 1, 2]) == [b"two", None, b"one", b"two"]

    def test_the_tables_do_not_mix(self, empty: Empty) -> None:
        store = empty()
        store.commit(StateChange(5, users={1: b"user"}, items={1: b"item"}, covisit={1: b"pair"}))
        assert [list(store.scan(table)) for table in TABLES] == [
            [(1, b"user")],
            [(1, b"item")],
            [(1, b"pair")],
        ]

    def test_none_deletes_and_what_is_not_there_may_be_deleted(self, empty: Empty) -> None:
        store = empty()
        store.commit(StateChange(1, users={1: b"one"}))
        store.commit(StateChange(2, users={1: None, 2: None}))
        assert store.users([1, 2]) == [None, None]
        assert store.position() == 2

    def test_a_commit_that_fails_leaves_everything_as_it_was(self, empty: Empty) -> None:
        store = empty()
        store.commit(StateChange(1, users={1: b"one"}))
        broken = StateChange(2, users={1: b"two"}, covisit={3: "no bytes"})  # type: ignore[dict-item]
        with pytest.raises(Exception):  # noqa: B017, PT011  any will do: what counts is the state
            store.commit(broken)
        assert store.user(1) == b"one"
        assert store.position() == 1

    def test_a_scan_is_of_one_moment(self, empty: Empty) -> None:
        store = empty()
        store.commit(StateChange(1, users=dict.fromkeys(range(100), b"old")))
        scan = store.scan("users")
        first = next(scan)
        store.commit(StateChange(2, users=dict.fromkeys(range(200), b"new")))
        assert {raw for _, raw in (first, *scan)} == {b"old"}

    def test_what_replaces_all_leaves_nothing_else(self, empty: Empty) -> None:
        store = empty()
        store.commit(StateChange(9, users={1: b"one", 3: b"three"}, items={2: b"two"}))
        store.replace(StateChange(4, users={1: b"one", 5: b"five"}, covisit={2: b"pair"}))
        assert [dict(store.scan(table)) for table in TABLES] == [
            {1: b"one", 5: b"five"},
            {},
            {2: b"pair"},
        ]
        assert store.position() == 4

    def test_a_replacement_that_fails_leaves_everything_as_it_was(self, empty: Empty) -> None:
        store = empty()
        store.commit(StateChange(1, users={1: b"one"}))
        broken = StateChange(2, users={2: b"two"}, covisit={3: "no bytes"})  # type: ignore[dict-item]
        with pytest.raises(Exception):  # noqa: B017, PT011  any will do: what counts is the state
            store.replace(broken)
        assert dict(store.scan("users")) == {1: b"one"}
        assert store.position() == 1

    def test_a_scan_that_began_before_a_replacement_ends_before_it(self, empty: Empty) -> None:
        store = empty()
        store.commit(StateChange(1, users=dict.fromkeys(range(100), b"old")))
        scan = store.scan("users")
        first = next(scan)
        store.replace(StateChange(2, users=dict.fromkeys(range(200), b"new")))
        assert {raw for _, raw in (first, *scan)} == {b"old"}

    @shared
    @given(history=st.lists(st.tuples(changes, st.booleans()), max_size=5))
    def test_answers_like_the_yardstick(
        self, empty: Empty, history: list[tuple[StateChange, bool]]
    ) -> None:
        store, yardstick = empty(), MemoryOnline()
        for change, replaces in history:
            for each in (store, yardstick):
                (each.replace if replaces else each.commit)(change)
        for table in TABLES:
            assert dict(store.scan(table)) == dict(yardstick.scan(table))
        assert store.position() == yardstick.position()
