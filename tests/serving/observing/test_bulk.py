"""Numbers counted together are what they would have been one by one; allowances have a bound."""

from prometheus_client import CollectorRegistry, Histogram, generate_latest

from palate.serving.observing.allowance import Allowance
from palate.serving.observing.bulk import BulkHistogram

BUCKETS = (0.5, 1.0, 2.0)
VALUES = (0.1, 0.5, 0.7, 1.0, 1.5, 2.0, 9.0)


def exposition(registry: CollectorRegistry) -> list[str]:
    lines = generate_latest(registry).decode().splitlines()
    return [line for line in lines if "_created" not in line]


def test_together_counts_as_one_by_one() -> None:
    one, many = CollectorRegistry(), CollectorRegistry()
    single = Histogram("spent", "told", ("part",), buckets=BUCKETS, registry=one)
    bulk = BulkHistogram(many, "spent", "told", "part", BUCKETS)
    for _ in range(2):
        for value in VALUES:
            single.labels("rank").observe(value)
            bulk.note("rank", value)
        bulk.flush()
    bulk.flush()
    assert exposition(one) == exposition(many)


def test_an_allowance_is_spent_and_comes_back() -> None:
    spare = Allowance(per_second=2.0, most=3)
    assert [spare.take(10.0) for _ in range(4)] == [True, True, True, False]
    assert [spare.take(10.5), spare.take(10.5)] == [True, False]
    assert not spare.take(3.0)  # a clock that falls back gives nothing
    assert [spare.take(100.0) for _ in range(4)] == [True, True, True, False]
