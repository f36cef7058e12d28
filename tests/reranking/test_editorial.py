"""Properties of what operators ask of a page: windows, shares and pins hold whenever they can."""

from collections import Counter
from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from palate.funnel.types import Query, Reason, Slate
from palate.reranking.editorial.at_least import AtLeast
from palate.reranking.editorial.compose import Compose
from palate.reranking.editorial.in_window import InWindow
from palate.reranking.editorial.lift import Lift
from palate.reranking.editorial.pin import Pin
from palate.reranking.editorial.where import Where
from palate.reranking.explore import Explore
from palate.testing.queries import queries, shared, slates, with_columns
from palate.testing.tiny import GENRES, tiny_names, tiny_stores, tiny_world

UNKNOWN = 59
"""Row of the item that the catalogue never heard of: it has no genre."""
EVERYTHING = Slate(np.arange(59, dtype=np.int32), np.linspace(1, 0, 59, dtype=np.float32))


def where(text: str) -> Where:
    return Where.of(text, tiny_stores().columns.plain)


def composed(query: Query, slate: Slate, *constraints: InWindow | AtLeast | Pin) -> Slate:
    rule = Compose(constraints)
    return rule.apply(query, with_columns(rule, slate))


def genres(slate: Slate, size: int) -> list[str]:
    return [name.partition("-")[0] for name in tiny_names(slate.rows[:size])]


@shared
@given(query=queries(), slate=slates(), cap=st.integers(1, 3), window=st.integers(2, 12))
def test_no_window_holds_more_than_its_cap_unless_nothing_else_is_left(
    query: Query, slate: Slate, cap: int, window: int
) -> None:
    rule, slate = InWindow("w", cap, window, "categories"), slate.take(slate.rows != UNKNOWN)
    page = min(query.size, len(slate))
    out = composed(query, slate, rule)
    kinds, broken = genres(out, page), 0
    for at in range(page):
        near = Counter(kinds[max(0, at - window + 1) : at + 1])
        if near[kinds[at]] > cap:
            broken += 1
            rest = genres(out.take(slice(at, None)), len(out))
            recent = Counter(kinds[max(0, at - window + 1) : at])
            assert all(recent[kind] >= cap for kind in rest), "there was something else to show"
    assert out.relaxed.get("in_window:w", 0) == broken


@shared
@given(query=queries(), slate=slates(), share=st.sampled_from([0.1, 0.25, 0.5, 1.0]))
def test_a_share_is_met_wherever_there_are_enough(query: Query, slate: Slate, share: float) -> None:
    page = min(query.size, len(slate))
    wanted = int(np.ceil(share * page - 1e-9))
    there = genres(slate, len(slate)).count("horror")
    out = composed(query, slate, AtLeast("h", where('"horror" in categories'), share))
    found = genres(out, page).count("horror")
    assert found >= min(wanted, there)
    assert out.relaxed.get("at_least:h", 0) == max(0, wanted - found)


@shared
@given(
    query=queries(),
    slate=slates(),
    counts=st.lists(st.integers(1, 6), min_size=2, max_size=4),
)
def test_several_shares_are_met_together_where_the_page_has_room(
    query: Query, slate: Slate, counts: list[int]
) -> None:
    page = min(query.size, len(slate))
    there = Counter(genres(slate, len(slate)))
    pairs = list(zip(GENRES, counts, strict=False))
    if sum(counts) > page or any(there[genre] < count for genre, count in pairs):
        return
    rules = [AtLeast(g, where(f'"{g}" in categories'), count=n) for g, n in pairs]
    found = Counter(genres(composed(query, slate, *rules), page))
    assert all(found[genre] >= count for genre, count in pairs)


@shared
@given(
    query=queries(),
    slate=slates(),
    pinned=st.lists(st.integers(0, 58), unique=True, min_size=1, max_size=4),
    slots=st.lists(st.integers(1, 25), unique=True, min_size=1, max_size=4),
)
def test_pins_stand_in_their_places_and_keep_the_order_of_the_rest(
    query: Query, slate: Slate, pinned: list[int], slots: list[int]
) -> None:
    page = min(query.size, len(slate))
    out = composed(query, slate, Pin("p", np.array(pinned, np.int32), tuple(slots)))
    known = [row for row in pinned if row in slate.rows]
    for slot, row in zip(sorted(slots), known, strict=False):
        if slot <= page:
            assert out.rows[slot - 1] == row
    rest = [row for row in out.rows[:page].tolist() if row not in pinned]
    order = slate.rows.tolist()
    assert rest == sorted(rest, key=order.index)


def test_stronger_constraints_are_kept_where_not_all_can_be() -> None:
    query = replace(tiny_world().query(), size=6)
    none = InWindow("none", 0, 0, where=where('"horror" in categories'))
    some = AtLeast("some", where('"horror" in categories'), count=2)
    first = composed(query, EVERYTHING, none, some)
    assert genres(first, 6).count("horror") == 0
    assert first.relaxed == {"at_least:some": 2}
    other = composed(query, EVERYTHING, some, none)
    assert genres(other, 6).count("horror") == 2
    assert other.relaxed == {"in_window:none": 2}


def test_notes_tell_who_was_held_back_and_who_was_put_there() -> None:
    query = replace(tiny_world().query(), size=4)
    out = composed(query, EVERYTHING, InWindow("apart", 1, 2, "categories"))
    assert tiny_names(out.rows[:4]) == ["action-0", "comedy-0", "action-1", "comedy-1"]
    assert out.notes == {
        1: ("in_window:apart held it back",),
        2: ("in_window:apart held it back",),
    }


def test_a_lift_is_measured_by_the_page() -> None:
    query = replace(tiny_world().query(), size=10)
    lift = Lift("up", where('"comedy" in categories'), 1.0)
    for scale in (1.0, 1000.0):
        slate = Slate(EVERYTHING.rows, EVERYTHING.scores * np.float32(scale))
        out = lift.apply(query, slate)
        assert out.rows.tolist().index(10) < 10 <= slate.rows.tolist().index(10)


def test_a_lift_speaks_of_what_it_brought_up_and_of_nothing_else() -> None:
    query, said = replace(tiny_world().query(), size=10), Reason("sponsored", rule="up")
    out = Lift("up", where('"comedy" in categories'), 1.0, said).apply(query, EVERYTHING)
    page = set(out.rows[:10].tolist())
    assert set(out.marks) == {row for row in page if 10 <= row < 20}, "comedies on the page"
    assert out.marks
    whole = Lift("up", where("min_age >= 0"), 5.0, said).apply(query, EVERYTHING)
    assert not whole.marks, "it moved nothing"


def test_exploration_leaves_pins_alone_and_takes_what_was_lifted() -> None:
    query, said = replace(tiny_world().query(), size=10), Reason("editorial", rule="p")
    pin = Pin("p", np.array([58], np.int32), (4,), reason=said)
    slate = structs.replace(EVERYTHING, columns={"creator": np.arange(60, dtype=np.int32)})
    lifted = {row: Reason("editorial", rule="up") for row in slate.rows.tolist()}
    marked = structs.replace(slate, marks=lifted)
    page = Explore(epsilon=1.0, within=(pin,)).apply(query, Compose((pin,)).apply(query, marked))
    assert page.explore is not None
    assert np.flatnonzero(page.explore).tolist() == [7], "the fourth is the pin's"
    assert page.rows[3] == 58


@shared
@given(query=queries(), draw=st.integers(0, 2**63 - 1))
def test_exploration_keeps_within_the_rules(query: Query, draw: int) -> None:
    query = replace(query, draw=draw, size=max(6, query.size))
    rules = (
        Pin("p", np.array([58, 44], np.int32), (1, 4)),
        InWindow("w", 2, 4, "categories"),
        AtLeast("h", where('"horror" in categories'), 0.25),
    )
    page = composed(query, EVERYTHING, *rules)
    rule = Explore(1.0, first=2, every=3, within=rules)
    explored = rule.apply(query, with_columns(rule, page))
    assert explored.rows[0] == 58
    assert explored.rows[3] == 44
    kinds = genres(explored, query.size)
    assert all(max(Counter(kinds[at : at + 4]).values()) <= 2 for at in range(query.size - 3))
    assert kinds.count("horror") >= np.ceil(0.25 * query.size)
