import pytest
from hypothesis import given
from hypothesis import strategies as st

from palate.clock import FixedClock
from palate.console.visitor import Visitor


@given(name=st.text(min_size=1), known=st.booleans())
def test_a_cookie_reads_back_whatever_the_name(name: str, *, known: bool) -> None:
    visitor = Visitor(user_id=name) if known else Visitor(session_id=name)
    assert Visitor.of(visitor.cookie()) == visitor
    assert visitor.cookie().isascii()
    assert not set(visitor.cookie()) & set(' ";,\\')


@pytest.mark.parametrize("cookie", [None, "", "user.", "king.1", "nonsense"])
def test_a_cookie_that_is_not_ours_names_nobody(cookie: str | None) -> None:
    assert Visitor.of(cookie) is None


def test_a_newcomer_gets_a_session_of_their_own() -> None:
    clock = FixedClock()
    first, second = Visitor.fresh(clock), Visitor.fresh(clock)
    assert first != second
    assert first.query() == {"session_id": first.session_id}
