"""What a worker says names the recommendation; a part that fails is spoken of once a minute."""

import asyncio
import json
import logging

import pytest
from tests.serving.conftest import SmallSite

from palate.serving.observing.faults import AGAIN, Faults
from palate.serving.observing.logs import ABOUT, JsonLines, TextLines


def record(message: str = "all %d lost", *arguments: object) -> logging.LogRecord:
    return logging.LogRecord("palate.x", logging.WARNING, "x.py", 1, message, arguments, None)


def test_a_line_of_json_names_the_recommendation() -> None:
    async def within() -> str:
        ABOUT.set("abc")
        return JsonLines().format(record("all %d lost", 3))

    told = json.loads(asyncio.run(within()))
    assert told["message"] == "all 3 lost"
    assert told["level"] == "warning"
    assert told["recommendation_id"] == "abc"
    assert "recommendation_id" not in json.loads(JsonLines().format(record("quiet")))


def test_a_line_of_text_does_too() -> None:
    async def within() -> str:
        ABOUT.set("abc")
        return TextLines().format(record("gone"))

    assert asyncio.run(within()) == "WARNING palate.x: gone [abc]"
    assert TextLines().format(record("gone")) == "WARNING palate.x: gone"


def test_a_fault_is_told_once_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    seconds = iter([100.0, 101.0, 102.0, 103.0, 104.0, 100.0 + AGAIN])
    faults = Faults(lambda: next(seconds))
    with caplog.at_level(logging.WARNING, "palate.serving"):
        for _ in range(6):
            faults.note("home", "full", {"generate.covisit": "ValueError: no"})
    first, again = caplog.messages
    assert first == "generate.covisit of home was left out: ValueError: no; answered by step full"
    assert again.endswith("(5 times since it was last said)")


def test_two_hundred_faults_leave_one_trace_for_each_line(caplog: pytest.LogCaptureFixture) -> None:
    faults = Faults()
    for n in range(200):
        for work in (lambda: {}["no"], lambda: 1 // 0):
            try:
                work()
            except (KeyError, ZeroDivisionError) as error:
                faults.fault(f"GET /v1/items/{n}", error)
    traced = [each.exc_info[0] for each in caplog.records if each.exc_info]
    assert traced == [KeyError, ZeroDivisionError]
    assert len(caplog.records) == 2


def test_a_fault_in_requests_is_told_once_by_the_application(
    site: SmallSite, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def breaks(*_: object) -> None:
        raise RuntimeError("it breaks")

    monkeypatch.setattr(type(site.app.state["runtime"].visitors), "find", breaks)
    for _ in range(3):
        answer = site.client.get("/v1/recommendations/home", params={"user_id": "u1"})
        assert answer.status_code == 500
    traced = [each for each in caplog.records if each.exc_info]
    assert len(traced) == 1
    assert traced[0].getMessage().startswith("fault in GET /v1/recommendations/home")
