"""What one caller may do in a second: over all workers, within a bound, and told in words."""

from collections.abc import Callable
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from tests.serving.conftest import SmallSite

from palate.serving.pacing.rates import ENTRY, Rates


class Hand:
    """A timer that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def allowed(rates: Rates, caller: str, rate: float, burst: float, times: int) -> int:
    return sum(rates.wait(caller, rate, burst) == 0.0 for _ in range(times))


def test_a_burst_then_the_rate_and_after_a_silence_a_burst_again() -> None:
    hand = Hand()
    rates = Rates(100, timer=hand)
    assert allowed(rates, "a", 10.0, 20.0, 50) == 20
    assert 0.0 < rates.wait("a", 10.0, 20.0) < 0.11
    hand.now += 0.5
    assert allowed(rates, "a", 10.0, 20.0, 50) == 5
    hand.now += 3600.0
    assert allowed(rates, "a", 10.0, 20.0, 50) == 20


def test_callers_do_not_pay_for_each_other() -> None:
    rates = Rates(1_000, timer=Hand())
    assert allowed(rates, "a", 1.0, 3.0, 10) == 3
    assert allowed(rates, "b", 1.0, 3.0, 10) == 3


@given(
    steps=st.lists(st.floats(0.0, 2.0), min_size=1, max_size=60),
    rate=st.floats(0.2, 100.0),
    burst=st.floats(1.0, 50.0),
)
def test_never_more_than_the_burst_and_the_rate(
    steps: list[float], rate: float, burst: float
) -> None:
    hand = Hand()
    rates, taken = Rates(8, timer=hand), 0
    for step in steps:
        hand.now += step
        before = rates.wait("a", rate, burst)
        taken += before == 0.0
        if before:  # who comes when they were told to is let in
            hand.now += before
            assert rates.wait("a", rate, burst) == 0.0
            taken += 1
    assert taken <= burst + rate * (hand.now - 1_000.0) + 1e-3


def test_workers_count_together_in_a_file_of_fixed_size(tmp_path: Path) -> None:
    hand, file = Hand(), tmp_path / "rates.bin"
    one, other = Rates(64, file, hand), Rates(64, file, hand)
    assert allowed(one, "a", 1.0, 4.0, 3) == 3
    assert allowed(other, "a", 1.0, 4.0, 3) == 1
    for n in range(2_000):
        one.wait(f"caller {n}", 1.0, 4.0)
    assert file.stat().st_size == 64 * ENTRY.itemsize


def test_who_asks_most_is_remembered_when_strangers_crowd_in() -> None:
    rates = Rates(8, timer=Hand())
    allowed(rates, "greedy", 1.0, 100.0, 100)
    for n in range(50):
        assert rates.wait(f"stranger {n}", 1.0, 100.0) == 0.0
    assert rates.wait("greedy", 1.0, 100.0) > 0.0


def test_reads_and_writes_have_limits_of_their_own(site_of: Callable[..., SmallSite]) -> None:
    client = site_of(
        reads_per_second=0.01, writes_per_second=0.001, rate_burst_seconds=200.0
    ).client
    click = {"events": [{"kind": "click", "session_id": "s", "item_id": "drama-1"}]}
    home = "/v1/recommendations/home"
    assert client.post("/v1/events", json=click).status_code == 202
    refused = client.post("/v1/events", json=click)
    assert refused.status_code == 429
    assert refused.headers["content-type"].startswith("application/problem+json")
    assert 1 <= int(refused.headers["retry-after"]) <= 1_000
    body = refused.json()
    assert body["title"] == "Too many requests"
    assert "writes_per_second" in body["detail"]
    assert "address" in body["detail"]
    assert client.get(home).status_code == 200
    assert client.post(home, json={"user_id": "u1"}).status_code == 200, "asking is a read"
    assert client.get(home).status_code == 429
    assert client.get("/readyz").status_code == 200, "only the API is limited"


def test_each_key_has_its_own_allowance(site_of: Callable[..., SmallSite]) -> None:
    site = site_of(api_keys=("one", "two"), reads_per_second=0.01, rate_burst_seconds=100.0)

    def status(key: str) -> int:
        path, key = "/v1/recommendations/home", f"Bearer {key}"
        return site.client.get(path, headers={"Authorization": key}).status_code

    assert [status("one"), status("one"), status("two"), status("two")] == [200, 429, 200, 429]
    assert status("none of them") == 401


def test_without_limits_nothing_is_counted(site: SmallSite) -> None:
    click = {"events": [{"kind": "click", "session_id": "s", "item_id": "drama-1"}]}
    found = {site.client.post("/v1/events", json=click).status_code for _ in range(200)}
    assert found == {202}
