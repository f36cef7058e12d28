"""The promises of a catalogue. Subclass, give an `empty` fixture, done."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from palate.catalog.item import Item
from palate.catalog.protocol import ItemCatalog, UserCatalog
from palate.catalog.user import User
from palate.errors import BadInput

EmptyItems: TypeAlias = Callable[[], ItemCatalog]
EmptyUsers: TypeAlias = Callable[[], UserCatalog]

names = st.sampled_from(["a", "b", "ä\u200d/ '?%", "D" * 1024])
items = st.builds(Item, item_id=names, title=st.text(max_size=3), hidden=st.booleans())
users = st.builds(User, user_id=names, country=st.sampled_from(["", "de"]))
steps = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.lists(items, max_size=3)),
        st.tuples(st.just("remove"), st.lists(names, max_size=2)),
        st.tuples(st.just("rows"), st.lists(names, max_size=3)),
    ),
    max_size=6,
)

# One property, many back-ends: every subclass runs it, which Hypothesis flags by default.
shared = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
    max_examples=25,
    deadline=None,
)
FULL = Item(
    item_id="full",
    kind="film",
    title="Tïtle",
    text="Text",
    categories=("Drama", "Sci-Fi"),
    tags=("t",),
    creator_id="c",
    published_at=-1.5,
    expires_at=2e9,
    hidden=True,
    regions=("DE",),
    min_age=18,
    attributes={"a": [1, 2.5, "x", True], "b": {"c": None}},
    embedding=(0.5, -1.0),
)


def vectored(name: str, width: int) -> Item:
    """An item with an embedding."""
    return Item(item_id=name, embedding=(0.5,) * width)


class _Yardstick:
    """The catalogue as a few dictionaries."""

    def __init__(self) -> None:
        self.held: dict[str, Item] = {}
        self.given: list[str] = []

    def put(self, batch: list[Item]) -> int:
        latest = {item.item_id: item for item in batch}
        changed = [name for name, item in latest.items() if self.held.get(name) != item]
        self.held |= latest
        self.rows(list(latest))
        return len(changed)

    def remove(self, asked: list[str]) -> int:
        return sum(self.held.pop(name, None) is not None for name in dict.fromkeys(asked))

    def rows(self, asked: list[str]) -> list[int]:
        self.given += [name for name in dict.fromkeys(asked) if name not in self.given]
        return [self.given.index(name) for name in asked]


class ItemCatalogContract:
    """Everything a catalogue of items must do to be used in place of the default."""

    @pytest.fixture
    def empty(self) -> EmptyItems:
        raise NotImplementedError

    def test_what_is_unknown_is_none_minus_one_and_no_name(self, empty: EmptyItems) -> None:
        held = empty()
        assert held.find(["x"]) == [None]
        assert held.rows(["x"], create=False).tolist() == [-1]
        assert held.ids(np.array([0, 7, -1], np.int32)) == ["", "", ""]
        assert held.changes(0, 10) == []
        assert held.counts() == (0, 0)

    def test_an_item_reads_back_as_it_was_put(self, empty: EmptyItems) -> None:
        held = empty()
        assert held.put([FULL, Item(item_id="bare")]) == 2
        assert held.find(["bare", "full", "bare"]) == [
            Item(item_id="bare"),
            FULL,
            Item(item_id="bare"),
        ]

    def test_an_equal_item_changes_nothing(self, empty: EmptyItems) -> None:
        held = empty()
        held.put([FULL])
        before = held.changes(0, 10)
        assert held.put([FULL, FULL]) == 0
        assert held.changes(0, 10) == before

    def test_the_last_of_equal_ids_in_a_batch_counts(self, empty: EmptyItems) -> None:
        held = empty()
        assert held.put([Item(item_id="a", title="1"), Item(item_id="a", title="2")]) == 1
        assert held.find(["a"]) == [Item(item_id="a", title="2")]

    def test_rows_are_dense_and_stay_with_their_id(self, empty: EmptyItems) -> None:
        held = empty()
        assert held.rows(["seen", "first", "seen"], create=True).tolist() == [0, 1, 0]
        held.put([Item(item_id="put"), Item(item_id="first")])
        held.remove(["first"])
        held.put([Item(item_id="last"), Item(item_id="first")])
        asked = ["seen", "first", "put", "last"]
        assert held.rows(asked, create=False).tolist() == [0, 1, 2, 3]
        assert held.ids(np.array([3, 2, 1, 0, 4], np.int32)) == [*reversed(asked), ""]

    def test_a_row_alone_makes_no_item(self, empty: EmptyItems) -> None:
        held = empty()
        held.rows(["seen"], create=True)
        assert held.find(["seen"]) == [None]
        assert held.counts() == (0, 1)
        assert held.changes(0, 10) == []

    def test_a_removed_item_is_unknown_and_its_going_is_a_change(self, empty: EmptyItems) -> None:
        held = empty()
        held.put([Item(item_id="a"), Item(item_id="b")])
        (_, last) = held.changes(0, 10)
        assert held.remove(["a", "a", "nobody"]) == 1
        assert held.remove(["a"]) == 0
        (gone,) = held.changes(last.version, 10)
        assert (gone.row, gone.item_id, gone.item) == (0, "a", None)
        assert held.counts() == (1, 2)

    def test_changes_tell_the_latest_state_once_oldest_change_first(
        self, empty: EmptyItems
    ) -> None:
        held = empty()
        held.put([Item(item_id="a"), Item(item_id="b")])
        held.put([Item(item_id="a", title="new")])
        told = held.changes(0, 10)
        assert [(c.row, c.item) for c in told] == [
            (1, Item(item_id="b")),
            (0, Item(item_id="a", title="new")),
        ]
        assert held.changes(0, 1) == told[:1]
        assert held.changes(told[0].version, 10) == told[1:]
        assert held.changes(told[1].version, 10) == []

    def test_an_edit_replaces_one_item_and_tells_what_it_became(self, empty: EmptyItems) -> None:
        held = empty()
        held.put([Item(item_id="a", title="old"), Item(item_id="b")])
        (*_, last) = held.changes(0, 10)
        new = Item(item_id="a", title="old", hidden=True)
        assert held.edit("a", lambda item: replace(item, hidden=True)) == new
        assert held.find(["a", "b"]) == [new, Item(item_id="b")]
        assert [change.item for change in held.changes(last.version, 10)] == [new]

    def test_an_edit_of_the_unknown_or_one_that_raises_changes_nothing(
        self, empty: EmptyItems
    ) -> None:
        held = empty()
        held.put([FULL])
        held.rows(["seen"], create=True)
        before = held.changes(0, 10)
        assert held.edit("seen", lambda item: item) is None
        assert held.edit("full", lambda item: item) == FULL
        with pytest.raises(ZeroDivisionError):
            held.edit("full", lambda item: replace(item, min_age=1 // 0))
        assert held.changes(0, 10) == before
        assert held.put([Item(item_id="next")]) == 1

    def test_an_embedding_of_another_width_is_refused_by_its_place_and_nothing_is_kept(
        self, empty: EmptyItems
    ) -> None:
        held = empty()
        held.put([Item(item_id="bare"), FULL])
        before = held.changes(0, 10)
        with pytest.raises(BadInput, match=r"3 numbers, where .* have 2") as told:
            held.put([vectored("a", 2), vectored("b", 3), Item(item_id="c"), vectored("d", 1)])
        assert [each.pointer for each in told.value.problems] == [
            "/items/1/embedding",
            "/items/3/embedding",
        ]
        with pytest.raises(BadInput) as told:
            held.edit("bare", lambda item: replace(item, embedding=(1.0,)))
        assert [each.pointer for each in told.value.problems] == ["/embedding"]
        assert held.changes(0, 10) == before
        assert held.put([vectored("a", 2)]) == 1

    def test_the_first_embedding_of_the_first_batch_sets_the_width(self, empty: EmptyItems) -> None:
        held = empty()
        with pytest.raises(BadInput) as told:
            held.put([Item(item_id="bare"), vectored("a", 4), vectored("b", 3)])
        assert [each.pointer for each in told.value.problems] == ["/items/2/embedding"]
        assert held.put([vectored("same", 4), vectored("same", 3)]) == 1
        assert held.put([vectored("b", 3)]) == 1

    def test_once_no_item_has_an_embedding_the_width_is_free_again(self, empty: EmptyItems) -> None:
        held = empty()
        held.put([vectored("a", 2), vectored("b", 2), vectored("c", 2)])
        held.remove(["a"])
        held.edit("b", lambda item: replace(item, embedding=()))
        with pytest.raises(BadInput):
            held.put([vectored("d", 3)])
        held.put([Item(item_id="c")])
        assert held.put([vectored("d", 3)]) == 1
        assert held.put([vectored("d", 4)]) == 1

    def test_many_ids_at_once(self, empty: EmptyItems) -> None:
        held = empty()
        many = [f"i{n}" for n in range(2_500)]
        held.put([Item(item_id=name) for name in many])
        assert [item and item.item_id for item in held.find(many)] == many
        rows = held.rows(many, create=False)
        assert rows.dtype == np.int32
        assert held.ids(rows) == many
        assert held.remove(many) == 2_500

    @shared
    @given(told=steps)
    def test_answers_like_the_yardstick(
        self, empty: EmptyItems, told: list[tuple[str, Any]]
    ) -> None:
        held, yardstick = empty(), _Yardstick()
        for what, arguments in told:
            if what == "rows":
                rows = held.rows(arguments, create=True).tolist()
                assert rows == yardstick.rows(arguments)
            else:
                assert getattr(held, what)(arguments) == getattr(yardstick, what)(arguments)
        assert held.counts() == (len(yardstick.held), len(yardstick.given))
        assert held.find(yardstick.given) == [yardstick.held.get(n) for n in yardstick.given]
        latest = {change.item_id: change for change in held.changes(0, 100)}
        assert {n: c.item for n, c in latest.items() if c.item} == yardstick.held
        assert all(yardstick.given[c.row] == name for name, c in latest.items())


class UserCatalogContract:
    """Everything a catalogue of users must do to be used in place of the default."""

    @pytest.fixture
    def empty(self) -> EmptyUsers:
        raise NotImplementedError

    def test_a_user_reads_back_as_it_was_put(self, empty: EmptyUsers) -> None:
        user = User(
            user_id="u", country="DE", language="de", birth_year=1980,
            follows=("c",), likes=("x",), attributes={"gender": "F", "n": 1},
        )  # fmt: skip
        held = empty()
        assert held.put([user]) == 1
        assert held.find(["u", "nobody"]) == [user, None]
        assert held.count() == 1

    def test_an_equal_user_changes_nothing(self, empty: EmptyUsers) -> None:
        held = empty()
        held.put([User(user_id="u", country="DE")])
        assert held.put([User(user_id="u", country="DE")]) == 0
        assert held.put([User(user_id="u", country="FR"), User(user_id="v")]) == 2

    def test_an_edit_replaces_one_profile(self, empty: EmptyUsers) -> None:
        held = empty()
        held.put([User(user_id="u", language="de"), User(user_id="v")])
        new = User(user_id="u", language="de", country="FR")
        assert held.edit("u", lambda user: replace(user, country="FR")) == new
        with pytest.raises(ZeroDivisionError):
            held.edit("v", lambda user: replace(user, birth_year=1 // 0))
        assert held.edit("nobody", lambda user: user) is None
        assert held.find(["u", "v", "nobody"]) == [new, User(user_id="v"), None]

    def test_a_removed_user_is_unknown(self, empty: EmptyUsers) -> None:
        held = empty()
        held.put([User(user_id="u"), User(user_id="v")])
        assert held.remove(["u", "u", "nobody"]) == 1
        assert held.find(["u", "v"]) == [None, User(user_id="v")]

    def test_pages_follow_the_ids(self, empty: EmptyUsers) -> None:
        held = empty()
        held.put([User(user_id=name) for name in ("c", "a", "b", "ä")])
        first = held.page("", 2)
        assert [u.user_id for u in first] == ["a", "b"]
        assert [u.user_id for u in held.page("b", 9)] == ["c", "ä"]
        assert held.page("ä", 9) == []

    @shared
    @given(batches=st.lists(st.lists(users, max_size=3), max_size=4))
    def test_holds_the_last_of_each(self, empty: EmptyUsers, batches: list[list[User]]) -> None:
        held, yardstick = empty(), {}
        for batch in batches:
            held.put(batch)
            yardstick.update({user.user_id: user for user in batch})
        assert held.page("", 100) == [yardstick[name] for name in sorted(yardstick)]
