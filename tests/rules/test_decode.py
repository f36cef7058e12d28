"""Rules as documents: what is right passes whole, what is wrong is told with its place."""

from datetime import date, datetime
from typing import Any

import pytest

from palate.errors import BadInput
from palate.rules import decode
from palate.rules.documents import KINDS, encoded

RIGHT: dict[str, dict[str, Any]] = {
    "pin": {"items": ["a"], "slots": [1]},
    "promote": {"where": "year > 2000", "slots": [1, 4], "sponsored": True, "label": "Acme"},
    "boost": {"where": "year > 2000", "by": 0.5},
    "bury": {"where": "year > 2000", "by": 0.5},
    "at_most": {"of": "creator", "cap": 1, "window": 5},
    "at_least": {"where": 'creator_id == "x"', "share": 0.2},
    "diversity": {"strength": 0.3},
    "freshness": {"lift": 0.4, "half_life_days": 3},
    "seen": {"policy": "hide_days", "days": 30},
    "block": {"items": ["a"]},
    "restrict": {"where": "violence", "min_age": 16, "regions": ["DE"]},
}


def problem(document: Any) -> tuple[str, str]:
    with pytest.raises(BadInput) as caught:
        decode.rules([document])
    [told] = caught.value.problems
    return told.pointer, told.problem


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_is_read_and_written_back_as_it_was(kind: str) -> None:
    document = {"id": "r", "kind": kind, **RIGHT[kind]}
    [rule] = decode.rules([document])
    assert encoded(rule) == document
    assert decode.rule(encoded(rule)) == rule


@pytest.mark.parametrize(
    ("change", "pointer", "told"),
    [
        ({"kind": "pinn"}, "/rules/0/kind", "did you mean 'pin'?"),
        ({"kind": None}, "/rules/0/kind", "it is missing; one of pin,"),
        ({"slot": [1]}, "/rules/0/slot", "did you mean 'slots'?"),
        ({"slots": [0]}, "/rules/0/slots/0", ">= 1"),
        ({"slots": "1"}, "/rules/0/slots", "a list is wanted"),
        ({"items": []}, "/rules/0/items", "length >= 1"),
        ({"id": "Über"}, "/rules/0/id", "matching regex"),
        ({"id": "audit"}, "/rules/0/id", "is taken"),
        ({"starts": "soon"}, "/rules/0/starts", "Invalid RFC3339"),
        ({"starts": "2026-02-01"}, "/rules/0/starts", "say its zone"),
        (
            {"starts": "2026-02-01T00:00:00Z", "ends": "2026-01-01T00:00:00Z"},
            "/rules/0/ends",
            "ends before it starts",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_place(
    change: dict[str, Any], pointer: str, told: str
) -> None:
    where, what = problem({"id": "r", "kind": "pin", "items": ["a"], "slots": [1]} | change)
    assert where.startswith(pointer)
    assert told in what


@pytest.mark.parametrize(
    ("document", "pointer"),
    [
        ({"kind": "at_most", "cap": 1}, "/of"),
        ({"kind": "at_most", "cap": 1, "of": "creator", "where": "year > 1"}, "/of"),
        ({"kind": "at_most", "cap": 5, "window": 5, "of": "creator"}, "/cap"),
        ({"kind": "at_least", "where": "year > 1"}, "/share"),
        ({"kind": "at_least", "where": "year > 1", "share": 0.1, "count": 2}, "/count"),
        ({"kind": "seen", "policy": "hide_days"}, "/days"),
        ({"kind": "seen", "policy": "show", "days": 3}, "/days"),
        ({"kind": "seen", "policy": "show", "of": "clicked"}, "/of"),
        ({"kind": "block"}, "/items"),
        ({"kind": "restrict", "where": "year > 1"}, "/regions"),
        ({"kind": "boost", "where": "year > 1"}, "/by"),
        ({"kind": "boost", "where": "year > 1", "by": -1}, "/by"),
    ],
)
def test_what_makes_no_sense_is_refused(document: dict[str, Any], pointer: str) -> None:
    assert problem({"id": "r"} | document)[0] == f"/rules/0{pointer}"


@pytest.mark.parametrize(
    ("region", "hint"),
    [
        ("germany", "two letters are wanted, as DE for Germany"),
        ("UK", "did you mean 'GB'?"),
        ("", "two letters"),
        ("DEU", "two letters"),
        ("QQ", "two letters"),
        ("DE-BY", "two letters"),
    ],
)
def test_a_region_is_a_country_code_of_two_letters(region: str, hint: str) -> None:
    rule = {"id": "r", "kind": "restrict", "where": "violence"}
    assert decode.rule(rule | {"regions": ["de", "GB", "XK"]})
    with pytest.raises(BadInput) as refused:
        decode.rule(rule | {"regions": ["DE", region]})
    [problem] = refused.value.problems
    assert problem.pointer == "/regions/1"
    assert f"{region!r} is no country code of ISO 3166" in problem.problem
    assert hint in problem.problem


def test_all_rules_that_are_wrong_are_told_at_once() -> None:
    with pytest.raises(BadInput) as caught:
        decode.rules([{"id": "a", "kind": "x"}, 3, {"id": "b", "kind": "block", "items": ["i"]}])
    assert [each.pointer for each in caught.value.problems] == ["/rules/0/kind", "/rules/1"]
    twice = {"id": "a", "kind": "block", "items": ["i"]}
    with pytest.raises(BadInput, match="'a' is there twice"):
        decode.rules([twice, twice])
    with pytest.raises(BadInput, match="at most 500"):
        decode.rules([twice] * 501)


def test_the_address_names_a_rule_once() -> None:
    document = {"kind": "block", "items": ["i"]}
    assert decode.rule(document, "a").id == "a"
    with pytest.raises(BadInput, match="the address says 'a'"):
        decode.rule({"id": "b"} | document, "a")


def test_a_file_names_its_rules_by_table() -> None:
    [rule] = decode.from_file({"summer": {"kind": "boost", "where": "hot", "by": 1}})
    assert rule.id == "summer"
    with pytest.raises(BadInput, match=r"\[rules.summer\] /by"):
        decode.from_file({"summer": {"kind": "boost", "where": "hot"}})


@pytest.mark.parametrize(
    ("starts", "fix"),
    [
        ("2026-01-01T10:00:00", "2026-01-01T10:00:00Z"),
        ("2026-01-01", "2026-01-01T00:00:00Z"),
        (date(2026, 1, 1), "2026-01-01T00:00:00Z"),
        (datetime(2026, 1, 1, 9), "2026-01-01T09:00:00Z"),  # noqa: DTZ001
    ],
)
def test_a_time_without_a_zone_is_refused_with_one_to_choose(starts: object, fix: str) -> None:
    document = {"kind": "block", "items": ["i"], "starts": starts}
    with pytest.raises(BadInput) as refused:
        decode.rule(document, "a")
    [problem] = refused.value.problems
    assert problem.pointer == "/starts"
    assert f"say its zone: {fix}" in problem.problem
    assert decode.rule(document | {"starts": fix}, "a").starts.tzinfo


@pytest.mark.parametrize("kind", [["pin"], {"a": 1}, 7, None, True])
def test_a_kind_that_is_no_text_is_refused_in_its_place(kind: object) -> None:
    with pytest.raises(BadInput) as refused:
        decode.rules([{"id": "a", "kind": kind}])
    assert refused.value.problems[0].pointer == "/rules/0/kind"
