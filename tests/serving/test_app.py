from collections.abc import Callable

import pytest
from tests.serving.conftest import SmallSite

from palate.funnel.engine import Funnel


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/v1/items/nothing", 404),
        ("PUT", "/v1/events", 405),
        ("DELETE", "/v1/recommendations/home", 405),
        ("GET", "/v1/traces/nothing", 404),
    ],
)
def test_every_error_is_a_problem(site: SmallSite, method: str, path: str, status: int) -> None:
    answer = site.client.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert set(body) == {"type", "title", "status", "detail", "errors"}
    assert body["status"] == status


def test_a_fault_says_nothing_of_the_inside_and_is_logged(
    site: SmallSite, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: object) -> None:
        message = "secret detail"
        raise RuntimeError(message)

    monkeypatch.setattr(Funnel, "recorded", broken)
    answer = site.client.get("/v1/recommendations/home")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "secret" not in answer.text
    [record] = [r for r in caplog.records if "fault in GET" in r.message]
    assert "recommendation 0" in record.message
    assert record.exc_info


def test_with_keys_every_resource_needs_one_and_health_does_not(
    site_of: Callable[..., SmallSite],
) -> None:
    site = site_of(api_keys=("right", "other"))

    def status(**headers: str) -> int:
        return site.client.get("/v1/recommendations/home", headers=headers).status_code

    assert status() == 401
    assert status(Authorization="Bearer wrong") == 401
    assert status(Authorization="Bearer right") == 200
    assert status(Authorization="bearer other") == 200
    assert status(**{"X-API-Key": "right"}) == 200
    for path in ("/v1/items/drama-1", "/v1/users/u1", "/v1/traces/x", "/v1/users"):
        assert site.client.get(path).status_code == 401, path
    for path in ("/v1/events", "/v1/items", "/v1/users", "/v1/recommendations"):
        assert site.client.post(path, json={}).status_code == 401, path
    for path in ("/livez", "/readyz"):
        assert site.client.get(path).status_code == 200, path
