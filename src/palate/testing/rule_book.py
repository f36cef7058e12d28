"""What every book of rules promises."""

from collections.abc import Callable
from typing import TypeAlias

import pytest

from palate.errors import Conflict
from palate.rules import decode
from palate.rules.documents import Rule
from palate.rules.protocol import Book, By, RuleBook

Rules: TypeAlias = tuple[Rule, ...]
ANNA, BEN = By("anna", 1_000.0), By("ben", 2_000.0)


def rule(name: str, by: float = 0.5) -> Rule:
    """Some rule of that name."""
    return decode.rule({"id": name, "kind": "boost", "where": "year > 2000", "by": by})


class RuleBookContract:
    """Everything a back-end must do to keep an operator's word."""

    @pytest.fixture
    def reopen(self) -> Callable[[], RuleBook]:
        """Opens the same book, as another process does."""
        raise NotImplementedError

    @pytest.fixture
    def book(self, reopen: Callable[[], RuleBook]) -> RuleBook:
        return reopen()

    def test_a_new_book_is_empty(self, book: RuleBook) -> None:
        assert book.read() == Book(0, ())
        assert book.version() == 0
        assert book.audit(10) == []

    def test_what_was_written_is_read_by_everybody(
        self, book: RuleBook, reopen: Callable[[], RuleBook]
    ) -> None:
        made = book.edit(lambda _: (rule("b"), rule("a")), ANNA)
        assert made == Book(1, (rule("b"), rule("a")))
        assert reopen().read() == made
        assert reopen().version() == 1

    def test_what_is_placed_is_counted_for_everybody(
        self, book: RuleBook, reopen: Callable[[], RuleBook]
    ) -> None:
        assert book.placed({}) == {}
        assert book.placed({"a": 2}) == {"a": 2}
        assert reopen().placed({"a": 1, "b": 5}) == {"a": 3, "b": 5}
        assert book.placed({}) == {"a": 3, "b": 5}

    def test_a_rule_that_is_removed_forgets_what_it_placed(self, book: RuleBook) -> None:
        book.edit(lambda _: (rule("a"), rule("b")), ANNA)
        book.placed({"a": 2, "b": 5, "of the file": 1})
        book.edit(lambda old: old[1:], BEN)
        assert book.placed({}) == {"b": 5, "of the file": 1}

    def test_a_change_that_changes_nothing_makes_no_version(self, book: RuleBook) -> None:
        book.edit(lambda _: (rule("a"),), ANNA)
        assert book.edit(lambda old: old, BEN).version == 1
        assert len(book.audit(10)) == 1

    def test_a_change_that_fails_leaves_everything_as_it_was(self, book: RuleBook) -> None:
        book.edit(lambda _: (rule("a"),), ANNA)

        def fails(_: Rules) -> Rules:
            raise Conflict("no")

        with pytest.raises(Conflict, match="no"):
            book.edit(fails, BEN)
        assert book.read() == Book(1, (rule("a"),))
        assert len(book.audit(10)) == 1

    def test_who_goes_by_an_old_version_is_refused(self, book: RuleBook) -> None:
        book.edit(lambda _: (rule("a"),), ANNA, expected=0)
        with pytest.raises(Conflict, match="version 1, not 0"):
            book.edit(lambda _: (), BEN, expected=0)
        assert book.edit(lambda _: (), BEN, expected=1).version == 2

    def test_the_log_tells_who_did_what_and_when(self, book: RuleBook) -> None:
        book.edit(lambda _: (rule("a"), rule("b"), rule("c")), ANNA)
        book.edit(lambda _: (rule("c"), rule("a", by=2.0), rule("d")), BEN)
        newest = [each for each in book.audit(10) if each.version == 2]
        assert {(e.action, e.rule_id) for e in newest} >= {
            ("removed", "b"),
            ("added", "d"),
            ("changed", "a"),
        }
        changed = next(e for e in newest if e.action == "changed")
        assert (changed.who, changed.time) == ("ben", 2_000.0)
        assert [(each or {})["by"] for each in (changed.before, changed.after)] == [0.5, 2.0]
        first = min(each.line for each in newest)
        assert {e.rule_id for e in book.audit(10, before=first)} == {"a", "b", "c"}
        assert len(book.audit(1)) == 1

    def test_the_log_is_read_in_parts_of_which_none_is_lost(self, book: RuleBook) -> None:
        book.edit(lambda _: tuple(rule(each) for each in "abcde"), ANNA)
        found, before = [], None
        while part := book.audit(2, before):
            found += [each.rule_id for each in part]
            before = part[-1].line
        assert sorted(found) == list("abcde")

    def test_changes_of_the_file_are_logged_once_and_are_none_of_the_book(
        self, book: RuleBook, reopen: Callable[[], RuleBook]
    ) -> None:
        book.edit(lambda _: (rule("a"),), ANNA)
        for each in (book, reopen()):
            each.follow_file((rule("f"), rule("g")), BEN)
        reopen().follow_file((rule("f", by=2.0),), BEN)
        assert book.read() == Book(1, (rule("a"),))
        told = [(each.who, each.action, each.rule_id) for each in book.audit(10)]
        assert sorted(told[:2]) == [("ben", "changed", "f"), ("ben", "removed", "g")]
        assert sorted(told[2:4]) == [("ben", "added", "f"), ("ben", "added", "g")]
        assert told[4:] == [("anna", "added", "a")]
        changed = next(each for each in book.audit(10) if each.action == "changed")
        assert [(each or {})["by"] for each in (changed.before, changed.after)] == [0.5, 2.0]
        assert changed.version == 1

    def test_another_order_is_a_change(self, book: RuleBook) -> None:
        book.edit(lambda _: (rule("a"), rule("b")), ANNA)
        assert book.edit(lambda old: old[::-1], BEN).rules == (rule("b"), rule("a"))
        assert {each.action for each in book.audit(2)} == {"moved"}
