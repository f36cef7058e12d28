"""The arithmetic of a large site: twice of everything needs twice the cores."""

import capacity
from capacity import Measured, Wanted, item_bytes, page

FOUND = Measured(
    items=1_000_000,
    request_seconds=0.004,
    body_bytes=6_000.0,
    worker_bytes=300e6,
    record_bytes=5_000.0,
    item_bytes=1_500.0,
    folded=100_000.0,
    appended=40_000.0,
)


def cell(text: str, name: str) -> str:
    [line] = [each for each in text.splitlines() if each.startswith(f"| {name} |")]
    return line.split("|")[2].strip()


def test_sums_follow_from_what_was_measured() -> None:
    told = page(Wanted(100_000_000, 10_000_000, 35_000, 58_000), FOUND, "x")
    assert cell(told, "cores that answer") == "280"  # 35,000 times 4 ms, half busy
    assert cell(told, "user state") == "500 GB"
    assert cell(told, "memory of a node, shared") == "15.0 GB"
    assert cell(told, "stream workers") == "2"
    assert cell(told, "network out") == "1.7 Gbit/s"
    twice = page(Wanted(200_000_000, 10_000_000, 70_000, 58_000), FOUND, "x")
    assert cell(twice, "cores that answer") == "560"
    assert cell(twice, "user state") == "1,000 GB"


def test_an_item_weighs_what_its_columns_do() -> None:
    assert 500 < item_bytes() < 3_000
    assert capacity.BUSY < 1
